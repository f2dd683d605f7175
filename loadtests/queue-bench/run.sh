#!/bin/sh
# Measures the queue on a Postgres of its own, as durable as a default installation, on loopback.
set -eu
cd "$(dirname "$0")"
bin=${APPRUN_POSTGRES_BIN:-$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)}
SQLX_OFFLINE=true cargo build --quiet --release
target=${CARGO_TARGET_DIR:-target}/release/queue-bench

# QUEUE_BENCH_DIR=/dev/shm takes the disk out of the numbers, for a machine whose disk is shared.
dir=$(mktemp -d -p "${QUEUE_BENCH_DIR:-/var/tmp}")
as_postgres=
if [ "$(id -u)" = 0 ]; then
  as_postgres="setpriv --reuid=postgres --regid=postgres --clear-groups --"
  chown postgres "$dir"
fi
port=$((20000 + $$ % 20000))
(cd "$dir" && $as_postgres "$bin/initdb" -D data -U postgres -A trust -N >/dev/null)
(cd "$dir" && $as_postgres "$bin/pg_ctl" start -w -D data -l log -o "-p $port -k '' -c listen_addresses=127.0.0.1 \
  -c max_connections=300 -c shared_buffers=1GB -c wal_compression=on -c max_wal_size=4GB" >/dev/null)
trap 'cd "$dir" && $as_postgres "$bin/pg_ctl" stop -m immediate -D data >/dev/null; rm -rf "$dir"' EXIT
PGBENCH="$bin/pgbench" "$target" "postgres://postgres@127.0.0.1:$port/postgres"
