#!/bin/bash
# 1, 2 and 4 workers, each a process of its own, over one Postgres: async calls that sleep 100 ms. Prints how
# much of what the slots could do was done: executions × 0.1 s ÷ (slots × time), of the slots that are open to
# async calls; a tenth of a worker's, rounded up, is kept for callers who wait. Aim: ≥ 95 % up to 50 slots.
#
# SLOTS (12) of each worker, WORKERS ("1 2 4"), SECONDS_EACH (10), APPRUN_BINARY (target/release/apprun).
# Takes about a minute; needs root for the sandbox.
set -euo pipefail
cd "$(dirname "$0")/.."
. loadtests/stack.sh

slots=${SLOTS:-12}
# As worker/src/slots.rs has it.
open_slots=$((slots > 1 ? slots - (slots + 9) / 10 : slots))
start_postgres 127.0.0.1 127.0.0.1/32
server=http://127.0.0.1:$((port + 1))
"$binary" api --http-addr "${server#http://}" 2>"$directory/api.log" &
processes+=($!)
started "$directory/api.log" "the API is listening"

# start_workers <number>: leaves them in $workers.
start_workers() {
  workers=()
  for number in $(seq "$1"); do
    "$binary" worker --worker-slots "$slots" 2>"$directory/worker-$number.log" &
    workers+=($!)
  done
  for number in $(seq "$1"); do started "$directory/worker-$number.log" "the worker takes jobs"; done
}

start_workers 1
deploy_sleeper
end "${workers[@]}"

echo "# $(date -u +%Y-%m-%d), $(nproc) cores, $("$binary" version), load $(cut -d' ' -f1 /proc/loadavg)"
echo
echo "| workers | slots | open to async calls | executions | /s | slot efficiency | connections |"
echo "|---|---|---|---|---|---|---|"
for count in ${WORKERS:-1 2 4}; do
  all=$((count * open_slots))
  since=$(ask "select clock_timestamp()")
  # As many as the slots can do in the time, and a little more, accepted before anybody runs one.
  accept $((all * ${SECONDS_EACH:-10} / 10 + 1))
  start_workers "$count"
  processes+=("${workers[@]}")
  connections=$(ask "select count(*) from pg_stat_activity where application_name = 'apprun'")
  until [ "$(ask "select count(*) from q.job")" = 0 ]; do sleep 0.2; done
  # From the moment when every worker had begun until the last call began: every slot had work all along.
  ask "with run as (select worker, started_at from execution where queued_at >= '$since'),
       began as (select max(first) as at
                 from (select min(started_at) as first from run group by worker) firsts),
       timed as (select count(*) as calls,
                        extract(epoch from max(started_at) - max(began.at)) as seconds
                 from run, began where started_at > began.at)
       select format('| %s | %s | %s | %s | %s | %s %% | %s |', $count, $((count * slots)), $all, calls,
                     round(calls / seconds, 1),
                     round(100 * calls * 0.1 / ($all * seconds), 1), $connections) from timed"
  end "${workers[@]}"
done
