#!/bin/sh
# Builds the program of an earlier commit beside this one and prints its path, for the test of two versions
# over one schema:
#   APPRUN_PREVIOUS_BINARY=$(scripts/previous-binary.sh) cargo nextest run -p system-tests -E 'test(upgrade)'
# Takes the commit as its argument; the one before this by default. Builds in target/previous, which begins
# with what this workspace has compiled of other people's code: only apprun's own crates are built anew. (Not in
# target itself: there the two versions would take each other's files for their own.)
set -eu
cd "$(dirname "$0")/.."

commit=${1:-HEAD~1}
ours=${CARGO_TARGET_DIR:-$PWD/target}
target=$ours/previous
if [ ! -e "$target" ] && [ -e "$ours/debug/.fingerprint" ]; then
  mkdir -p "$target/debug/deps"
  cp -a --reflink=auto "$ours/debug/.fingerprint" "$ours/debug/build" "$target/debug/"
  cp -a --reflink=auto "$ours/debug/deps/"lib* "$target/debug/deps/"
fi
tree=$(mktemp -d)
trap 'git worktree remove --force "$tree"' EXIT
git worktree add --quiet --detach "$tree" "$commit"
# As a test's program, because so it was compiled here: features of dependencies differ otherwise.
CARGO_TARGET_DIR=$target cargo test --quiet --manifest-path "$tree/Cargo.toml" --workspace --test command_line --no-run >&2
echo "$target/debug/apprun"
