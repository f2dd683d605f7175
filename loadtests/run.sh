#!/bin/bash
# Starts a fresh stack on loopback, runs the scenarios against it in their short form, one after the
# other, and writes a table (report.md) and the same as JSON (report.json) into target/load.
# Names as arguments run only those. Fails if a scenario misses one of its thresholds.
#
# APPRUN_SERVER=http://… measures a server that runs already. It should have its rate limit off and a
# plan for new tenants that does not stop the load (APPRUN_RATE_LIMIT=off APPRUN_DEFAULT_PLAN=enterprise).
set -euo pipefail
cd "$(dirname "$0")/.."

readonly ALL="sync_hello async_burst mixed_reads deploy_storm long_cancel noisy_neighbour overload spike soak"
readonly READY_SECONDS=60
k6=$(command -v k6 || echo "${XDG_DATA_HOME:-$HOME/.local/share}/apprun/tools/k6")
[ -x "$k6" ] || { echo "k6 is missing: run scripts/setup.sh --for-load" >&2; exit 1; }
report=$PWD/target/load
mkdir -p "$report"
rm -f "$report"/*

start_stack() {
  local port=$((20000 + $$ % 20000))
  directory=$(mktemp -d)
  server=http://127.0.0.1:$port
  APPRUN_DATA_DIR=$directory/data APPRUN_HTTP_ADDR=127.0.0.1:$port APPRUN_RATE_LIMIT=off \
    APPRUN_DEFAULT_PLAN=enterprise APPRUN_REGISTRATION=open APPRUN_LOG=warn \
    target/release/apprun dev >"$report/server.log" 2>&1 &
  stack=$!
  trap stop_stack EXIT
  local tries=0
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

server=${APPRUN_SERVER:-}
[ -n "$server" ] || start_stack
idle=$(memory_mib)
sizes=()
for size in SECONDS_EACH DEPLOYS ITERATIONS CALLERS; do
  [ -z "${!size:-}" ] || sizes+=(-e "$size=${!size}")
done
failed=
for scenario in ${*:-$ALL}; do
  echo "--- $scenario" >&2
  "$k6" run -e "APPRUN_SERVER=$server" -e "REPORT_DIR=$report" "${sizes[@]}" --quiet --no-usage-report --no-color "loadtests/scenarios/$scenario.js" \
    >"$report/$scenario.txt" 2>"$report/$scenario.err" || {
    failed="$failed $scenario"
    tail -n 5 "$report/$scenario.err" >&2
  }
  grep '^|' "$report/$scenario.txt" >&2 || true
done

{
  echo "# Load, $(date -u +%Y-%m-%d), $(nproc) cores, $(uname -r), $(git rev-parse --short HEAD)"
  echo
  echo "| scenario | what | measured | promised | |"
  echo "|---|---|---|---|---|"
  cat "$report"/*.txt | grep '^|' || true
  [ -z "${stack:-}" ] || echo "| all | memory of api and worker in one process, before and after | $idle and $(memory_mib) MiB | ≤ 80 MiB before | |"
} >"$report/report.md"
jq -s add "$report"/*.json >"$report/.all" 2>/dev/null && mv "$report/.all" "$report/report.json"
cat "$report/report.md"
[ -z "$failed" ] || { echo "missed a threshold or failed:$failed" >&2; exit 1; }
