#!/bin/sh
# Writes the files that are made from others: .sqlx and api/openapi.json. With --check: fails if one of
# them is not what it would write.
set -eu
cd "$(dirname "$0")/.."

scripts/sqlx-prepare.sh "$@"

document=$(mktemp)
trap 'rm -f "$document"' EXIT
cargo run --quiet --package api --example openapi >"$document"
if [ "${1:-}" = --check ]; then
  diff api/openapi.json "$document" || {
    echo "api/openapi.json is out of date: run make generate" >&2
    exit 1
  }
else
  cp "$document" api/openapi.json
fi
