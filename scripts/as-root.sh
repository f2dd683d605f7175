#!/bin/sh
# Runs a command whose program needs root, as the sandbox does. Of a cargo command, what cargo builds stays
# the user's, and only what cargo starts runs under sudo; anything else runs under sudo as a whole. Both
# with the user's HOME and PATH, so that they find the same toolchains and caches.
set -eu
if [ "$(id -u)" != 0 ]; then
  as_root="sudo --preserve-env env HOME=$HOME PATH=$PATH"
  # shellcheck disable=SC2086 # a program and its arguments
  [ "$1" = cargo ] || exec $as_root "$@"
  triple=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
  export "CARGO_TARGET_${triple}_RUNNER=$as_root"
fi
exec "$@"
