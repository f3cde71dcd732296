#!/bin/sh
# Waits until a Sentinel that is replacing the primary has done so: lost in it, no other one would begin before twice
# "failover-timeout" has passed. For a container that is about to end, which runs it within a limit.
#   $1   the address by which it is reached here, if not the loopback's
set -eu
REDISCLI_AUTH=$(awk '$2 == "sentinel-pass" { print $3 }' /secrets/sentinel/sentinel.conf)
export REDISCLI_AUTH
while redis-cli -h "${1:-127.0.0.1}" -p 26379 --user sentinel-peer sentinel masters | grep -q failover_in_progress; do
  sleep 0.2
done
