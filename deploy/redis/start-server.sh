#!/bin/sh
# Starts Redis with the options that it is passed. Where there is a file "group", it is one server of several: the
# one that the Sentinels name is the primary, the others are its replicas, decided again at each start.
#   SELF   the host name by which the others reach this one
set -eu
secrets=/secrets/users
[ -f "$secrets/group" ] || exec redis-server "$@"
# shellcheck disable=SC1091 # it is made at run time
. "$secrets/group" # PRIMARY, by which Sentinel knows the primary, and SENTINELS
umask 077
REDISCLI_AUTH=$(cat "$secrets/sentinel-password")
export REDISCLI_AUTH

# ask HOST COMMAND...: one Sentinel's answer, empty where it gives none
ask() {
  host=$1
  shift
  # shellcheck disable=SC2153 # of that file
  timeout 2 redis-cli -h "$host" -p 26379 --user sentinel-client sentinel "$@" "$PRIMARY" 2>/dev/null || true
}

# Without its data a primary would have its replicas delete theirs. So it waits until another one takes over.
has_lost_its_disk() {
  [ -z "$(ls /data/appendonlydir 2>/dev/null)" ] && [ -n "$(ask "$1" replicas)" ]
}

# The host of the primary, once a Sentinel names one that may be it.
find_primary() {
  while :; do
    for sentinel in $SENTINELS; do
      found=$(ask "$sentinel" get-master-addr-by-name | head -n 1)
      case $found in
        "" | *" "*) continue ;; # no answer, or an error
        "$SELF") has_lost_its_disk "$sentinel" && break ;;
      esac
      echo "$found"
      return
    done
    sleep 0.5
  done
}

primary=$(find_primary)
cp "$secrets/replication.conf" /tmp/redis.conf # a copy of its own: Sentinel has it rewritten
set -- "$@" --replica-announce-ip "$SELF" --repl-diskless-sync-delay 0 --repl-backlog-size 16mb --hz 100
# What is no longer the primary, and does not know it yet, refuses every write.
set -- "$@" --min-replicas-to-write 1 --min-replicas-max-lag 10
[ "$primary" = "$SELF" ] || set -- "$@" --replicaof "$primary" 6379
exec redis-server /tmp/redis.conf "$@"
