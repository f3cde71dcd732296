#!/bin/sh
# Waits, for at most 10 s, until a Sentinel that is replacing the primary has done so: lost in it, no other one would
# begin before twice "failover-timeout" has passed. For a container that is about to end.
#   $1   the address by which it is reached here, if not the loopback's
set -eu
REDISCLI_AUTH=$(awk '$2 == "sentinel-pass" { print $3 }' /secrets/sentinel/sentinel.conf)
export REDISCLI_AUTH
for _ in $(seq 50); do
  timeout 2 redis-cli -h "${1:-127.0.0.1}" -p 26379 --user sentinel-peer sentinel masters | grep -q failover_in_progress || break
  sleep 0.2
done
