#!/bin/sh
# Starts Redis with the options that it is passed. Where there is a file "group", it is one server of several: the
# one that the Sentinels name is the primary, the others are its replicas, decided again at each start.
#   SELF   the host name by which the others reach this one
set -eu
secrets=/secrets/users
waiting=/tmp/waits # is there while it waits: health checks leave it alone then
rm -f "$waiting"
[ -f "$secrets/group" ] || exec redis-server "$@"
# shellcheck disable=SC1091 # it is made at run time
. "$secrets/group" # PRIMARY, by which Sentinel knows the primary, and SENTINELS
umask 077

# For so long it waits for a failover, which takes some 5 s, or 10 s where the first attempt comes to nothing; and for
# the primary, whose machine may never return.
failover_s=15 primary_s=60

# What one Sentinel knows: the epoch of that, the primary's host, how many replicas there are, and the most that
# one of these is: 2, being made the primary, or a primary; 1, able to take over, as it has followed since its
# start; 0, neither.
view() {
  # shellcheck disable=SC2153 # of that file
  printf '%s\n' "SENTINEL get-master-addr-by-name $PRIMARY" "SENTINEL masters" PING "SENTINEL replicas $PRIMARY" \
    | REDISCLI_AUTH=$(cat "$secrets/sentinel-password") timeout 2 redis-cli -h "$1" -p 26379 --user sentinel-client 2>/dev/null \
    | awk '
      NR == 1 { host = $0 }
      NR <= 2 { next } # the port
      $0 == "PONG" { name = ""; if (field["flags"] ~ /failover_in_progress/) most = 2; next }
      name == "" { name = $0; next }
      { field[name] = $0 }
      name == "slave-repl-offset" {
        replicas++
        is = field["role-reported"] == "master" ? 2 : ($0 > 1 ? 1 : 0)
        if (field["flags"] !~ /down|disconnected/ && is > most) most = is
      }
      { name = "" }
      END {
        is_whole = "num-slaves" in field && replicas + 0 == field["num-slaves"]
        if (is_whole) print field["config-epoch"], host, replicas + 0, most + 0
      }
    '
}

# The newest of what the Sentinels know, and how many have answered. Of two that know as new, one has heard less:
# it still names the server that is being replaced.
views() {
  for sentinel in $SENTINELS; do
    view "$sentinel"
  done | awk -v self="$SELF" '
    { answers++; if ($3 > replicas) replicas = $3; if ($4 > most) most = $4 }
    answers == 1 || $1 > epoch || $1 == epoch && $2 != self { epoch = $1; host = $2 }
    END { print answers + 0, replicas + 0, most + 0, host }
  '
}

is_primary() {
  role=$(REDISCLI_AUTH=$(cat /secrets/redis/password) timeout 2 redis-cli -h "$1" --user launcher role 2>/dev/null) || true
  [ "${role%%[!a-z]*}" = master ]
}

# waits REASON [SECONDS]: whether it still does, for the same reason at most for so long.
waits() {
  read -r now _ </proc/uptime
  now=${now%.*}
  if [ "$1" != "${reason:-}" ]; then
    reason=$1
    began=$now
    echo "start-server.sh: waits $reason${2:+, up to $2 s}" >&2
  fi
  [ -z "${2:-}" ] || [ $((now - began)) -lt "$2" ]
}

# Sets "host" to the primary's, once it can be followed, or this server may be it. Sentinels have only seen what was
# replicated to a server since its start, so they can't choose well among those that have just started.
find_primary() {
  # shellcheck disable=SC2086 # one word each
  set -- $SENTINELS
  enough=$(($# / 2 + 1))
  while :; do
    read -r answers replicas most host <<ANSWERS
$(views)
ANSWERS
    if [ -z "$host" ]; then
      waits "for a Sentinel that names the primary"
    elif [ "$host" != "$SELF" ]; then
      if is_primary "$host" || ! waits "for the primary, $host" $primary_s; then
        break
      fi
    elif [ "$answers" -lt "$enough" ]; then # those that are missing may know another primary
      waits "until $enough Sentinels answer; so far $answers"
    elif [ "$most" = 2 ]; then
      waits "until the Sentinels have replaced this primary"
    elif [ "$replicas" != 0 ] && [ -z "$(ls /data/appendonlydir 2>/dev/null)" ]; then # they would delete their data
      waits "until another server is the primary, as this one has lost its data"
    elif [ "$most" = 0 ] || ! waits "for a replica that may be about to take over" $failover_s; then
      break
    fi
    sleep 0.5
  done
}

touch "$waiting"
trap 'exit 0' TERM # else the first process of a container ignores it
find_primary
trap - TERM
rm "$waiting"
cp "$secrets/replication.conf" /tmp/redis.conf # a copy of its own: Sentinel has it rewritten
set -- "$@" --replica-announce-ip "$SELF" --repl-diskless-sync-delay 0 --repl-backlog-size 16mb --hz 100
# What is no longer the primary, and does not know it yet, refuses every write.
set -- "$@" --min-replicas-to-write 1 --min-replicas-max-lag 10
[ "$host" = "$SELF" ] || set -- "$@" --replicaof "$host" 6379
exec redis-server /tmp/redis.conf "$@"
