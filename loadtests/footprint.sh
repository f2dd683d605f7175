#!/bin/bash
# What an idle deployment costs: one api and two workers as processes of their own over a Postgres of their
# own, on loopback. Prints start times, memory, connections and transactions as rows of a table.
# APPRUN names another program than target/release/apprun; IDLE_SECONDS (60) how long it is watched.
set -euo pipefail
cd "$(dirname "$0")/.."

apprun=${APPRUN:-$PWD/target/release/apprun}
[ -x "$apprun" ] || { echo "$apprun is missing: cargo build --release --package apprun" >&2; exit 1; }
bin=${APPRUN_POSTGRES_BIN:-$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)}
readonly IDLE=${IDLE_SECONDS:-60} READY_SECONDS=60
port=$((20000 + $$ % 20000))
dir=$(mktemp -d -p /var/tmp)
as_postgres=
if [ "$(id -u)" = 0 ]; then
  as_postgres="setpriv --reuid=postgres --regid=postgres --clear-groups --"
  chown postgres "$dir"
fi
(cd "$dir" && $as_postgres "$bin/initdb" -D data -U postgres -A trust -N >/dev/null)
(cd "$dir" && $as_postgres "$bin/pg_ctl" start -w -D data -l log -o "-p $port -k '' -c listen_addresses=127.0.0.1" >/dev/null)
processes=()
clean_up() {
  [ "${#processes[@]}" = 0 ] || { kill -TERM "${processes[@]}"; wait "${processes[@]}" || true; } 2>/dev/null
  (cd "$dir" && $as_postgres "$bin/pg_ctl" stop -m fast -D data >/dev/null)
  rm -rf "$dir"
}
trap clean_up EXIT

export APPRUN_DATABASE_URL=postgres://postgres@127.0.0.1:$port/postgres APPRUN_DATA_DIR=$dir/state APPRUN_LOG=warn
export APPRUN_JWT_SECRET=0123456789abcdef0123456789abcdef
export APPRUN_SECRET_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
"$apprun" migrate >/dev/null

# Starts a role on a port and says after how many milliseconds it was ready.
start() {
  local role=$1 at=$2 began tries=0
  began=$(date +%s%N)
  APPRUN_HTTP_ADDR=127.0.0.1:$at APPRUN_WORKER_HTTP_ADDR=127.0.0.1:$at "$apprun" "$role" >"$dir/$role-$at.log" 2>&1 &
  processes+=("$!")
  until curl -sf "http://127.0.0.1:$at/ready" >/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt $((READY_SECONDS * 100)) ]; then cat "$dir/$role-$at.log" >&2; exit 1; fi
    sleep 0.01
  done
  ready_ms=$((($(date +%s%N) - began) / 1000000))
}

# Processes and everything below them.
tree() {
  local pid
  for pid in "$@"; do
    echo "$pid"
    # Word splitting is the point: one number each.
    tree $(cat "/proc/$pid/task/"*/children 2>/dev/null)
  done
}
# Memory of a process and everything below it, in MiB, each shared page counted once (Pss).
memory() {
  local pid
  for pid in $(tree "$1"); do cat "/proc/$pid/smaps_rollup" 2>/dev/null || true; done |
    awk '/^Pss:/ {sum += $2} END {printf "%.1f", sum / 1024}'
}
rss() { awk '/^VmRSS/ {printf "%.1f", $2 / 1024}' "/proc/$1/status"; }
ask() { "$bin/psql" --quiet --tuples-only --no-align "$APPRUN_DATABASE_URL" --command "$1"; }
transactions() { ask "select xact_commit + xact_rollback from pg_stat_database where datname = 'postgres'"; }

echo "| what | measured | promised |"
echo "|---|---|---|"
echo "| size of the program, stripped | $(awk "BEGIN {printf \"%.1f\", $(stat -c %s "$apprun") / 1000000}") MB | ≤ 40 MB |"
start api $((port + 1))
api=${processes[0]}
echo "| api, from start to ready | $ready_ms ms | ≤ 1 s |"
start worker $((port + 2))
worker=${processes[1]}
echo "| worker, from start to ready | $ready_ms ms | ≤ 1 s |"
# The compilers' caches are filled once per machine; an idle worker is one that has done so.
until grep -q toolchain_offer <(ask "select 'toolchain_offer' from toolchain_offer"); do sleep 0.5; done
# What the start has to do, and the server's own counting, is over by then.
sleep 20
watch() {
  local before
  before=$(transactions)
  sleep "$IDLE"
  # Asking costs a transaction too.
  awk "BEGIN {printf \"%.1f\", ($(transactions) - $before - 1) / $IDLE}"
}
echo "| transactions, idle, api and worker | $(watch) /s | ≤ 2 /s |"
echo "| memory, idle, api | $(rss "$api") MiB RSS | |"
echo "| memory, idle, worker | $(rss "$worker") MiB RSS; with its sandboxes $(memory "$worker") MiB | ≤ 80 MiB with the api |"
start worker $((port + 3))
sleep 5
clients="from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
echo "| connections, idle, api and two workers | $(ask "select count(*) $clients") | |"
# So many questions at once that every process opens all the connections it may have, and keeps them a while.
for at in 1 2 3; do
  curl -s --parallel --parallel-immediate --parallel-max 200 "http://127.0.0.1:$((port + at))/ready#[1-2000]" >/dev/null 2>&1
done
echo "| connections, at most, api and two workers | $(ask "select count(*) $clients") | ≤ 50 |"
