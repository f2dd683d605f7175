#!/bin/sh
# Writes .sqlx, the checked SQL's types, so that nobody needs a database to build.
# With --check: fails if .sqlx is not what it would write.
# sqlx's macros write what they learn from a live database into SQLX_OFFLINE_DIR by themselves.
set -eu
cd "$(dirname "$0")/.."

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
touch shared/src/lib.rs # the macros only run when the crate is compiled
SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$fresh cargo run --quiet -p test-support --bin with-database -- \
  cargo check --quiet -p shared --all-targets

if [ "${1:-}" = --check ]; then
  diff -r .sqlx "$fresh" || {
    echo "the .sqlx directory is out of date: run make generate" >&2
    exit 1
  }
else
  rm -rf .sqlx
  cp -r "$fresh" .sqlx
fi
