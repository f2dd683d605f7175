#!/bin/bash
# An API and two workers in three network namespaces with addresses of their own; one worker is cut off in
# the middle of its work and joined again. Prints what became of every call and fails if one was lost or
# settled twice. Takes about a minute; needs root. Everything it makes carries its process id and goes.
#
# HUNDREDS (10) of calls, SECONDS_APART (15; a lease lives for some seconds), APPRUN_BINARY.
set -euo pipefail
cd "$(dirname "$0")/.."
. loadtests/stack.sh

subnet=10.213.$(($$ % 200)).
bridge=ar$$
names=(api one two)

stop_network() {
  for index in "${!names[@]}"; do
    ip link delete "$bridge$index" 2>/dev/null || true
    ip netns delete "$bridge-${names[$index]}" 2>/dev/null || true
  done
  ip link delete "$bridge" 2>/dev/null || true
}
trap 'stop_stack; stop_network' EXIT

ip link add "$bridge" type bridge
ip address add "${subnet}1/24" dev "$bridge"
ip link set "$bridge" up
for index in "${!names[@]}"; do
  name=${names[$index]}
  ip netns add "$bridge-$name"
  ip link add "$bridge$index" type veth peer name eth0 netns "$bridge-$name"
  ip link set "$bridge$index" master "$bridge" up
  ip -n "$bridge-$name" address add "$subnet$((index + 2))/24" dev eth0
  ip -n "$bridge-$name" link set eth0 up
  ip -n "$bridge-$name" link set lo up
done

# Before a command: in this network alone. `ip netns exec` would hide the control groups too.
inside() { echo "nsenter --net=/run/netns/$bridge-$1 --"; }

start_postgres "${subnet}1" "${subnet}0/24"
server=http://${subnet}2:8080
$(inside api) "$binary" api --http-addr "${subnet}2:8080" 2>"$directory/api.log" &
processes+=($!)
for name in one two; do
  $(inside "$name") "$binary" worker --worker-slots 4 --worker-http-addr 127.0.0.1:8081 2>"$directory/$name.log" &
  processes+=($!)
done
started "$directory/api.log" "the API is listening"
for name in one two; do started "$directory/$name.log" "the worker takes jobs"; done
deploy_sleeper

# settled <name>: calls that this worker settled, and late ones that changed nothing.
settled() {
  $(inside "$1") curl -s http://127.0.0.1:8081/metrics |
    awk -v name="$2" '$1 == name "{class=\"async\"}" {print int($2); found = 1} END {if (!found) print 0}'
}

accept "${HUNDREDS:-10}"
until [ "$(settled one apprun_queue_settled_total)" -gt 20 ]; do sleep 0.1; done
echo "worker one is cut off in the middle of its work"
ip link set "${bridge}1" down
sleep "${SECONDS_APART:-15}"
echo "worker one is joined again"
before=$(ask "select count(*) from execution where status = 'completed'")
ip link set "${bridge}1" up
until [ "$(ask "select (select count(*) from q.job) + (select count(*) from q.later)")" = 0 ]; do sleep 0.5; done

accepted=$((${HUNDREDS:-10} * 100))
completed=$(ask "select count(*) from execution where status = 'completed'")
again=$(ask "select count(*) from execution where attempt > 1")
one=$(settled one apprun_queue_settled_total)
two=$(settled two apprun_queue_settled_total)
echo "accepted $accepted, completed $completed ($before before it was joined again), run again $again"
echo "settled: $one by worker one, $two by worker two;" \
  "late and without effect: $(settled one apprun_queue_stale_settles_total), $(settled two apprun_queue_stale_settles_total)"
[ "$completed" = "$accepted" ] || { echo "calls were lost" >&2; exit 1; }
[ $((one + two)) = "$accepted" ] || { echo "settled $((one + two)) times for $accepted calls" >&2; exit 1; }
