# Sourced by scripts that need several processes of apprun over one Postgres: starts and ends them.
# Everything lies in $directory and is gone at the end, however that comes.

binary=$(realpath "${APPRUN_BINARY:-target/release/apprun}")
unset APPRUN_BINARY # apprun refuses names that it does not know
[ -x "$binary" ] || { echo "$binary is missing: cargo build --release -p apprun" >&2; exit 1; }
postgres_bin=${APPRUN_POSTGRES_BIN:-$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)}
directory=$(mktemp -d)
chmod 755 "$directory"
processes=()
port=$((20000 + $$ % 20000))
export APPRUN_JWT_SECRET=0123456789abcdef0123456789abcdef APPRUN_RATE_LIMIT=off APPRUN_LOG=info
export APPRUN_DEFAULT_PLAN=enterprise APPRUN_REGISTRATION=open APPRUN_DATA_DIR=$directory/data

# Postgres refuses to run as root.
as_postgres() { (cd "$directory" && setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"); }

# start_postgres <address> <network that may connect>: leaves APPRUN_DATABASE_URL behind, migrated.
start_postgres() {
  mkdir "$directory/pg" && chown postgres "$directory/pg"
  as_postgres "$postgres_bin/initdb" -D pg/data -U postgres -A trust -N >/dev/null
  echo "host all all $2 trust" >>"$directory/pg/data/pg_hba.conf"
  as_postgres "$postgres_bin/pg_ctl" start -w -D pg/data -l pg/log \
    -o "-p $port -k '' -c listen_addresses=$1 -c max_connections=200 -c shared_buffers=256MB" >/dev/null
  export APPRUN_DATABASE_URL=postgres://postgres@$1:$port/postgres
  "$binary" migrate
}

# ask <statement>: one value.
ask() { "$postgres_bin/psql" -XAtc "$1" "$APPRUN_DATABASE_URL"; }

# started <log> <line>: waits for what a process says once it is there.
started() {
  for _ in $(seq 600); do
    grep -q "$2" "$1" 2>/dev/null && return
    sleep 0.1
  done
  tail -n 20 "$1" >&2
  exit 1
}

# end <process>…: asks each to stop and waits.
end() {
  kill -TERM "$@" 2>/dev/null || true
  wait "$@" 2>/dev/null || true
}

stop_stack() {
  [ ${#processes[@]} = 0 ] || end "${processes[@]}"
  [ ! -e "$directory/pg/data/postmaster.pid" ] ||
    as_postgres "$postgres_bin/pg_ctl" stop -m immediate -D pg/data >/dev/null
  rm -rf "$directory"
}
trap stop_stack EXIT

# api <method> <path> [body]: the answer's data.
api() {
  local answer
  answer=$(curl -s -X "$1" "$server/api/v1$2" ${token:+-H "authorization: Bearer $token"} \
    -H 'content-type: application/json' ${3:+-d "$3"})
  jq -e .success >/dev/null <<<"$answer" || { echo "$1 $2: $answer" >&2; return 1; }
  jq -c .data <<<"$answer"
}

# deploy_sleeper: an account and a function that sleeps as long as its input says, else 100 ms; leaves its id
# in $function.
deploy_sleeper() {
  local account='{"email":"load@example.com","password":"correct horse battery staple"}' project body
  api POST /auth/register "$account" >/dev/null
  token=$(api POST /auth/login "$account" | jq -r .access_token)
  project=$(api POST /projects '{"name":"load"}' | jq -r .project_id)
  body=$(jq -n --arg project "$project" '{project_id: $project, name: "sleeper", runtime: "go1.21", code:
"package main\n\nimport \"time\"\n\ntype In struct{ Milliseconds int }\n\nfunc Handler(in In) (any, error) {\n\tif in.Milliseconds == 0 {\n\t\tin.Milliseconds = 100\n\t}\n\ttime.Sleep(time.Duration(in.Milliseconds) * time.Millisecond)\n\treturn nil, nil\n}\n"}')
  function=$(api POST /functions "$body" | jq -r .function_id)
  until [ "$(api GET "/functions/$function" | jq -r .status)" = active ]; do sleep 0.1; done
}

# accept <hundreds>: so many hundreds of async calls.
accept() {
  local calls
  calls=$(jq -nc '{inputs: [range(100) | {}]}')
  for _ in $(seq "$1"); do api POST "/functions/$function/invoke-batch" "$calls" >/dev/null; done
}
