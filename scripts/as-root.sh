#!/bin/sh
# Runs a cargo command whose program needs root, as the sandbox does: what cargo builds stays the
# user's, and only what cargo starts runs under sudo, with the user's HOME and PATH so that it finds
# the same toolchains and caches.
set -eu
if [ "$(id -u)" != 0 ]; then
  triple=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
  runner="sudo --preserve-env env HOME=$HOME PATH=$PATH"
  export "CARGO_TARGET_${triple}_RUNNER=$runner"
fi
exec "$@"
