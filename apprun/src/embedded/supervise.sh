# Runs the server for as long as apprun lives. $1: directory of the programs. Standard input: a pipe
# that only apprun holds, so its end is the end of apprun, however that came. Standard output: the
# data directory, opened (see cluster.rs).
set -u
exec 7<&1 1>&2 8<&0

# Settings are those of a real server, fsync included; what differs is how it can be reached.
"$1/postgres" -D /proc/self/fd/7 -k . -c listen_addresses= -c unix_socket_permissions=0700 \
  -c max_connections=100 -c shared_buffers=64MB -c log_checkpoints=off -c cluster_name=apprun \
  </dev/null 8<&- &
server=$!

# INT is the fast stop: open transactions are rolled back, everything is written. QUIT, for one that
# takes longer than apprun promises, leaves the writing to the recovery of the next start.
{
  cat <&8 >/dev/null
  kill -INT "$server"
  sleep 1.5
  kill -QUIT "$server"
} 2>/dev/null &

wait "$server"
status=$?
# The rest of this process group, that is the guard and what it runs, has nothing to wait for now.
trap '' TERM
kill -TERM 0
exit "$status"
