#!/bin/sh
# Writes the files that are made from others. With --check: fails if one is not what it would write.
set -eu
cd "$(dirname "$0")/.."
scripts/sqlx-prepare.sh "$@"
