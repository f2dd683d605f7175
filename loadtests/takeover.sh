#!/bin/bash
# How long it takes after the end of a killed worker's lease until another one runs its call. Prints each
# round and the worst; fails if a call was lost. Takes some ten seconds a round; needs root for the sandbox.
#
# ROUNDS (5), APPRUN_BINARY (target/release/apprun).
set -euo pipefail
cd "$(dirname "$0")/.."
. loadtests/stack.sh

start_postgres 127.0.0.1 127.0.0.1/32
server=http://127.0.0.1:$((port + 1))
"$binary" api --http-addr "${server#http://}" 2>"$directory/api.log" &
processes+=($!)
started "$directory/api.log" "the API is listening"

# start_worker: leaves its process in $worker, which also ends the name that it goes by.
start_worker() {
  local log=$directory/worker-${#processes[@]}.log
  "$binary" worker --worker-slots 2 2>"$log" &
  worker=$!
  processes+=("$worker")
  started "$log" "the worker takes jobs"
}

# until_is <value> <statement>
until_is() { until [ "$(ask "$2")" = "$1" ]; do sleep 0.05; done; }

start_worker
deploy_sleeper
worst=0
for round in $(seq "${ROUNDS:-5}"); do
  execution=$(api POST "/functions/$function/invoke-async" '{"input": {"Milliseconds": 1000}}' | jq -r .execution_id)
  row="execution where id = '${execution#exec-}'"
  until_is running "select status from $row"
  victim=$worker
  start_worker
  ask "create table lease_ends_$round as select expires_at from q.lease where worker like '%-$victim'" >/dev/null
  kill -KILL "$victim"
  wait "$victim" 2>/dev/null || true
  # No beat comes any more; one may have come since.
  ask "update lease_ends_$round set expires_at = l.expires_at from q.lease l where l.worker like '%-$victim'" >/dev/null
  until_is 2 "select attempt from $row"
  taken_over=$(ask "select round(extract(epoch from started_at - expires_at), 1) from lease_ends_$round, $row")
  until_is completed "select status from $row"
  echo "round $round: taken over $taken_over s after the lease had ended"
  worst=$(ask "select greatest($worst, $taken_over)")
done
echo "| takeover after a killed worker's lease, worst of ${ROUNDS:-5} | $worst s | ≤ 10 s |"
[ "$(ask "select (select count(*) from q.job) + (select count(*) from q.later)")" = 0 ] ||
  { echo "calls were lost" >&2; exit 1; }
