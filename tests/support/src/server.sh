# Owns one temporary Postgres in the current directory; $1 is the directory of its binaries.
# Stops it and removes the directory when nobody has held the lock file `users` for ten seconds.
set -eu

# Postgres inherits this lock, so an earlier one that is still stopping is waited for here.
exec 8>>owner
flock --exclusive --wait 20 8

rm -rf data
"$1/initdb" --pgdata=data --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
  --no-sync --no-instructions
# Nothing is durable: tests are about logic, and a lost machine loses the tests anyway.
# The parent-death signal stops the server should this script be killed.
setpriv --pdeathsig INT "$1/postgres" -D data -k "$PWD" -c listen_addresses= \
  -c fsync=off -c full_page_writes=off -c synchronous_commit=off \
  -c max_connections=300 -c shared_buffers=64MB -c max_wal_size=128MB -c log_min_messages=fatal &
server=$!

idle_rounds=0
while kill -0 "$server" 2>/dev/null; do
  sleep 2
  if flock --exclusive --nonblock users true; then
    idle_rounds=$((idle_rounds + 1))
  else
    idle_rounds=0
  fi
  if [ "$idle_rounds" -ge 5 ]; then
    # Held to the end: a newcomer waits here, then finds its lock file gone and starts anew.
    exec 9<users
    if flock --exclusive --nonblock 9; then
      kill -INT "$server"
      wait "$server" || true
      rm -rf "$PWD"
      exit 0
    fi
    exec 9<&-
    idle_rounds=0
  fi
done
