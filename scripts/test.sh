#!/bin/sh
# All tests: with cargo-nextest where it is installed, which gives each test a process, else with
# cargo's own runner. Extra arguments go to the runner.
set -eu
cd "$(dirname "$0")/.."
if cargo nextest --version >/dev/null 2>&1; then
  exec scripts/as-root.sh cargo nextest run --workspace "$@"
else
  exec scripts/as-root.sh cargo test --workspace "$@"
fi
