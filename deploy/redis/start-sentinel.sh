#!/bin/sh
# Starts a Sentinel. It keeps what it learns in its own copy of the configuration, which it begins with once.
#   SELF   the host name by which the others reach this one
set -eu
umask 077
secrets=/secrets/sentinel
conf=/data/sentinel.conf
if [ ! -s "$conf" ]; then
  {
    printf 'port 26379\ndir /tmp\naclfile %s/users.acl\n' "$secrets"
    cat "$secrets/sentinel.conf"
    printf 'sentinel announce-ip %s\n' "$SELF"
  } >"$conf.new"
  mv "$conf.new" "$conf"
fi
exec redis-server "$conf" --sentinel
