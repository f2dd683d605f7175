#!/bin/bash
# Starts a fresh stack on loopback, runs the scenarios against it in their short form, one after the
# other, and writes a table (report.md) and the same as JSON (report.json) into target/load.
# Names as arguments run only those.
#
# Fails if a scenario fails, misses a threshold, or misses a guard: a bound that holds on any machine,
# because it is wide or relative to /health of the same run. What is promised of a quiet machine is shown
# as MISSED; PROMISES=fail makes that a failure too.
#
# APPRUN_SERVER=http://… measures a server that runs already. It should have its rate limit off and a
# plan for new tenants that does not stop the load (APPRUN_RATE_LIMIT=off APPRUN_DEFAULT_PLAN=enterprise).
set -euo pipefail
cd "$(dirname "$0")/.."

readonly ALL="sync_hello async_burst mixed_reads deploy_storm long_cancel noisy_neighbour spike soak overload"
readonly READY_SECONDS=60
# So few that a scenario can ask for more; its capacity phase has 16 clients.
readonly REQUESTS_UNDER_OVERLOAD=32
k6=$(command -v k6 || echo "${XDG_DATA_HOME:-$HOME/.local/share}/apprun/tools/k6")
[ -x "$k6" ] || { echo "k6 is missing: run scripts/setup.sh --for-load" >&2; exit 1; }
binary=$(realpath "${APPRUN_BINARY:-target/release/apprun}")
unset APPRUN_BINARY # apprun refuses names that it does not know
report=$PWD/target/load
mkdir -p "$report"
rm -f "$report"/*

# start_stack [NAME=VALUE…]: with these variables besides.
start_stack() {
  local port=$((20000 + $$ % 20000)) tries=0
  directory=$(mktemp -d)
  server=http://127.0.0.1:$port
  env APPRUN_DATA_DIR="$directory/data" APPRUN_HTTP_ADDR=127.0.0.1:$port APPRUN_RATE_LIMIT=off \
    APPRUN_DEFAULT_PLAN=enterprise APPRUN_REGISTRATION=open APPRUN_LOG=warn "$@" \
    "$binary" dev >>"$report/server.log" 2>&1 &
  stack=$!
  trap stop_stack EXIT
  until curl -sf "$server/ready" >/dev/null; do
    tries=$((tries + 1))
    if ! kill -0 "$stack" 2>/dev/null || [ "$tries" -gt $((READY_SECONDS * 10)) ]; then
      cat "$report/server.log" >&2
      exit 1
    fi
    sleep 0.1
  done
}

stop_stack() {
  kill -TERM "$stack" 2>/dev/null || true
  wait "$stack" 2>/dev/null || true
  rm -rf "$directory"
}

memory_mib() {
  [ -n "${stack:-}" ] || return 0
  awk '/^VmRSS/ {printf "%.1f", $2 / 1024}' "/proc/$stack/status"
}

# run_scenario <name> [k6's arguments]: leaves its rows in the report.
run_scenario() {
  local scenario=$1
  shift
  echo "--- $scenario" >&2
  "$k6" run -e "APPRUN_SERVER=$server" -e "REPORT_DIR=$report" "${sizes[@]}" "$@" --quiet --no-usage-report \
    --no-color "loadtests/scenarios/$scenario.js" >"$report/$scenario.txt" 2>"$report/$scenario.err" || {
    failed="$failed $scenario"
    tail -n 5 "$report/$scenario.err" >&2
  }
  grep '^|' "$report/$scenario.txt" >&2 || true
}

# The scenario that needs a stack of its own comes last, so that the others share one.
run_overload() {
  [ -n "${stack:-}" ] || { run_scenario overload; return; }
  stop_stack
  start_stack "APPRUN_MAX_REQUESTS=$REQUESTS_UNDER_OVERLOAD"
  run_scenario overload -e "APPRUN_MAX_REQUESTS=$REQUESTS_UNDER_OVERLOAD"
}

server=${APPRUN_SERVER:-}
[ -n "$server" ] || start_stack
idle=$(memory_mib)
sizes=()
for size in SECONDS_EACH DEPLOYS ITERATIONS CALLERS TOP_RATE; do
  [ -z "${!size:-}" ] || sizes+=(-e "$size=${!size}")
done
failed=
overload=
for scenario in ${*:-$ALL}; do
  if [ "$scenario" = overload ]; then overload=yes; else run_scenario "$scenario"; fi
done
busy=$(memory_mib)
[ -z "$overload" ] || run_overload

{
  echo "# Load, $(date -u +%Y-%m-%d), $(nproc) cores, $(uname -r), $(git rev-parse --short HEAD)"
  echo
  echo "| scenario | what | measured | promised | |"
  echo "|---|---|---|---|---|"
  cat "$report"/*.txt | grep '^|' || true
  [ -z "${stack:-}" ] || echo "| all | memory of api and worker in one process, before and after | $idle and $busy MiB | ≤ 80 MiB before | |"
} >"$report/report.md"
jq -s add "$report"/*.json >"$report/.all" && mv "$report/.all" "$report/report.json"
cat "$report/report.md"

# missed <guards: true or false>: names of rows.
missed() {
  jq -r --argjson guard "$1" '.[] | select(.kept == false and .guard == $guard) | "\(.scenario): \(.what)"' \
    "$report/report.json"
}
worse=$(missed true)
broken=$(missed false)
[ -z "$worse" ] || printf 'worse than it must be:\n%s\n' "$worse" >&2
[ -z "$broken" ] || printf 'promised, and missed:\n%s\n' "$broken" >&2
[ -z "$failed" ] || echo "failed, or missed a threshold:$failed" >&2
[ "${PROMISES:-show}" = fail ] || broken=
[ -z "$failed$worse$broken" ]
