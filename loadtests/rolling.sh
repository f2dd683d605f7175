#!/bin/bash
# Two APIs and two workers over one Postgres, each restarted in turn (SIGTERM, wait, start) while k6 calls,
# sync and async, over connections that it keeps. Prints what callers noticed, and fails if a request failed
# that could be repeated at the other API, if an accepted call was lost, or if one was settled twice.
#
# SECONDS_EACH (8) between restarts, ROUNDS (1), CALLERS (8), APPRUN_BINARY (target/release/apprun). Needs root
# for the sandbox, and k6.
set -euo pipefail
cd "$(dirname "$0")/.."
. loadtests/stack.sh

# Longer than one takes.
readonly RESTART_SECONDS=5
seconds_each=${SECONDS_EACH:-8} rounds=${ROUNDS:-1}
k6=$(command -v k6 || echo "${XDG_DATA_HOME:-$HOME/.local/share}/apprun/tools/k6")
[ -x "$k6" ] || { echo "k6 is missing: run scripts/setup.sh --for-load" >&2; exit 1; }
start_postgres 127.0.0.1 127.0.0.1/32

# start <role> <number>: leaves the process in $running.
declare -A running
start() {
  local log=$directory/$1-$2.log line="the worker takes jobs"
  : >"$log"
  if [ "$1" = api ]; then
    line="the API is listening"
    APPRUN_SHUTDOWN_DELAY=1 "$binary" api --http-addr "127.0.0.1:$((port + $2))" 2>"$log" &
  else
    "$binary" worker --worker-slots 8 2>"$log" &
  fi
  running[$1-$2]=$!
  processes+=($!)
  started "$log" "$line"
}

for number in 1 2; do start api $number; start worker $number; done
# Every time that an execution gets its end; more than once would be one time too often.
ask "create table settled (id uuid);
     create function note_end() returns trigger language plpgsql security definer as
       \$\$ begin insert into settled values (new.id); return null; end \$\$;
     create trigger note_end after update on execution for each row
       when (new.completed_at is distinct from old.completed_at) execute function note_end()" >/dev/null

"$k6" run -e "APPRUN_SERVER=http://127.0.0.1:$((port + 1))" -e "OTHER_SERVER=http://127.0.0.1:$((port + 2))" \
  -e "REPORT_DIR=$directory" -e "SECONDS=$(((seconds_each + RESTART_SECONDS) * 4 * rounds + seconds_each))" -e "CALLERS=${CALLERS:-8}" \
  --quiet --no-usage-report --no-color loadtests/scenarios/rolling.js >"$directory/k6.txt" 2>"$directory/k6.err" &
load=$!
until [ "$(ask "select count(*) > 0 from execution")" = t ]; do
  kill -0 "$load" || { cat "$directory/k6.err" >&2; exit 1; }
  sleep 0.2
done
for _ in $(seq "$rounds"); do
  for process in api-1 worker-1 api-2 worker-2; do
    sleep "$seconds_each"
    kill -0 "$load" 2>/dev/null || { echo "the load ended before the last restart" >&2; exit 1; }
    end "${running[$process]}"
    start "${process%-*}" "${process#*-}"
    echo "$process was restarted"
  done
done
status=0
wait "$load" || { status=1; tail -n 5 "$directory/k6.err" >&2; }
until [ "$(ask "select (select count(*) from q.job) + (select count(*) from q.later)")" = 0 ]; do sleep 0.2; done

cat "$directory/k6.txt"
accepted=$(jq '.[] | select(.what == "calls accepted") | .measured' "$directory/rolling.json")
ended=$(ask "select count(*) from execution where completed_at is not null")
lost=$(ask "select greatest($accepted - $ended, 0) + count(*) from execution where completed_at is null")
twice=$(ask "select count(*) from (select from settled group by id having count(*) > 1) ends")
echo "| rolling | executions in the database, ended | $ended | ≥ $accepted | |"
echo "| rolling | lost | $lost | 0 | |"
echo "| rolling | settled twice | $twice | 0 | |"
[ "$lost" = 0 ] && [ "$twice" = 0 ] && [ "$status" = 0 ]
