#!/bin/sh
# Finds a Python and hands over to the launcher: ./start.sh --help tells its commands.
unset CDPATH
case $0 in */*) cd -- "${0%/*}" || exit 1 ;; esac
for python in python3 python3.14 python3.13 python3.12 python3.11 python; do
  if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    exec "$python" -m launcher "$@"
  fi
done
echo "start.sh: no Python 3.11 or newer found: install one (Debian, Ubuntu: apt install python3 python3-venv)" >&2
exit 1
