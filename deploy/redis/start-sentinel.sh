#!/bin/sh
# Starts a Sentinel. It keeps what it learns in its own copy of the configuration, which it begins with once, and
# anew in another epoch: after a time without replicas what it knew of the primary is no longer true.
#   SELF   the host name by which the others reach this one
set -eu
umask 077
secrets=/secrets/sentinel
conf=/data/sentinel.conf
epoch=$(cat "$secrets/epoch" 2>/dev/null || true)
if [ ! -s "$conf" ] || [ "$epoch" != "$(cat /data/epoch 2>/dev/null || true)" ]; then
  {
    printf 'port 26379\ndir /tmp\naclfile %s/users.acl\n' "$secrets"
    cat "$secrets/sentinel.conf"
    printf 'sentinel announce-ip %s\n' "$SELF"
  } >"$conf.new"
  mv "$conf.new" "$conf"
  printf %s "$epoch" >/data/epoch
fi
exec redis-server "$conf" --sentinel
