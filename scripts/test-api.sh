#!/bin/bash
# Sends thousands of requests, good and bad, that Schemathesis makes up from the OpenAPI document, to a
# fresh stack on loopback, and fails if an answer is none of those that the document promises: a 500, a
# status or a body that is not described, a good request refused, a bad one accepted. Takes at most five
# minutes. Installs Schemathesis from PyPI into a directory of its own if it is missing, and says so.
#
# SECONDS_IN_ALL=60 makes it shorter; other arguments go to Schemathesis. The report lies in target/api.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly VERSION=4.32.5 READY_SECONDS=60
readonly VENV="${XDG_DATA_HOME:-$HOME/.local/share}/apprun/tools/schemathesis-$VERSION"
readonly PROGRAM=${CARGO_TARGET_DIR:-target}/debug/apprun
readonly REPORT=$PWD/target/api
readonly PASSWORD="correct horse battery staple"

install_schemathesis() {
  [ -x "$VENV/bin/schemathesis" ] && return
  echo "test-api: installing Schemathesis $VERSION from PyPI into $VENV" >&2
  python3 -m venv "$VENV"
  "$VENV/bin/pip" install --quiet "schemathesis==$VERSION"
}

start_stack() {
  local port=$((20000 + $$ % 20000)) tries=0
  directory=$(mktemp -d)
  server=http://127.0.0.1:$port
  APPRUN_DATA_DIR=$directory/data APPRUN_HTTP_ADDR=127.0.0.1:$port APPRUN_RATE_LIMIT=off \
    APPRUN_DEFAULT_PLAN=enterprise APPRUN_REGISTRATION=open APPRUN_LOG=warn \
    "$PROGRAM" dev >"$REPORT/server.log" 2>&1 &
  stack=$!
  trap stop_stack EXIT
  until curl -sf "$server/ready" >/dev/null; do
    tries=$((tries + 1))
    if ! kill -0 "$stack" 2>/dev/null || [ "$tries" -gt $((READY_SECONDS * 10)) ]; then
      cat "$REPORT/server.log" >&2
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

# post PATH BODY FIELD: sends it, prints one field of what comes back.
post() {
  curl -sf "$server/api/v1/$1" -H 'content-type: application/json' \
    ${token:+-H "authorization: Bearer $token"} -d "$2" \
    | python3 -c 'import json, sys; print(json.load(sys.stdin)["data"][sys.argv[1]])' "$3"
}

new_function() {
  post functions "{\"project_id\":\"$1\",\"name\":\"$2\",\"runtime\":\"go1.21\",\"code\":\"package main\\n\\nfunc Handler(in any) (any, error) { return in, nil }\\n\"}" function_id
}

# Something of what ids name, so that requests reach more than a 404; changes and deletes get their own.
prepare() {
  local project function execution other_project other_function changed build tries=0
  post auth/register "{\"email\":\"api@example.com\",\"password\":\"$PASSWORD\"}" user_id >/dev/null
  token=$(post auth/login "{\"email\":\"api@example.com\",\"password\":\"$PASSWORD\"}" access_token)
  project=$(post projects '{"name":"kept"}' project_id)
  other_project=$(post projects '{"name":"to be deleted"}' project_id)
  function=$(new_function "$project" kept)
  other_function=$(new_function "$project" to-be-deleted)
  changed=$(new_function "$project" to-be-changed)
  until execution=$(post "functions/$function/invoke" '{"input":1}' execution_id 2>/dev/null); do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { echo "test-api: the function does not become active" >&2; exit 1; }
    sleep 0.2
  done
  build=$(curl -sf "$server/api/v1/functions/$function" -H "authorization: Bearer $token" \
    | python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["build"]["build_id"])')
  post "projects/$project/callback-secret" '{}' secret >/dev/null
  cat >"$directory/schemathesis.toml" <<TOML
headers = { Authorization = "Bearer $token" }

# A key that was made up twice belongs to another request the second time.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]

# What is too large is refused before it is looked at.
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422", "428", "429", "5xx"]

[parameters]
"path.project_id" = "$project"
"query.project_id" = "$project"
"path.function_id" = "$function"
"path.execution_id" = "$execution"
"path.build_id" = "$build"
"path.version" = "1"

# A call that asks for a millisecond may well run longer, and one that asks for more than the function
# allows is refused.
[[operations]]
include-operation-id = "invokeFunction"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "504"]
checks.positive_data_acceptance.enabled = false

[[operations]]
include-operation-id = "deleteProject"
parameters = { "path.project_id" = "$other_project" }

[[operations]]
include-operation-id = "deleteFunction"
parameters = { "path.function_id" = "$other_function" }

# A new handler may refuse the inputs that calls bring.
[[operations]]
include-operation-id = "updateFunction"
parameters = { "path.function_id" = "$changed" }
checks.positive_data_acceptance.enabled = false

# What these refuse, a schema cannot say: fields that go together, names of variables, and moments
# that are too far ahead.
[[operations]]
include-operation-id = ["createFunction", "listLogs", "invokeFunctionAsync", "invokeFunctionBatch"]
checks.positive_data_acceptance.enabled = false
TOML
}

mkdir -p "$REPORT"
install_schemathesis
start_stack
prepare
cd "$directory" # what it remembers between runs goes with it
"$VENV/bin/schemathesis" --config-file "$directory/schemathesis.toml" run "$server/openapi.json" \
  --max-time "${SECONDS_IN_ALL:-240}" --max-examples 30 --workers 1 --request-timeout 70 \
  --generation-database none --warnings off --report json --report-dir "$REPORT" --no-color "$@"
