#!/bin/sh
# Builds the program of an earlier commit beside this one and prints its path, for the test of two versions
# over one schema:
#   APPRUN_PREVIOUS_BINARY=$(scripts/previous-binary.sh) cargo nextest run -p system-tests -E 'test(upgrade)'
# Takes the commit as its argument; the one before this by default. Builds in target/previous.
set -eu
cd "$(dirname "$0")/.."

commit=${1:-HEAD~1}
target=${CARGO_TARGET_DIR:-$PWD/target}/previous
tree=$(mktemp -d)
trap 'git worktree remove --force "$tree"' EXIT
git worktree add --quiet --detach "$tree" "$commit"
CARGO_TARGET_DIR=$target cargo build --quiet --manifest-path "$tree/Cargo.toml" -p apprun >&2
echo "$target/debug/apprun"
