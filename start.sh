#!/bin/sh
# Finds a Python and runs the launcher: ./start.sh --help shows its commands.
unset CDPATH PYTHONSAFEPATH # with the latter Python would not find the launcher in the current folder
START_SH_CWD=$PWD
export START_SH_CWD
script=$0
while [ -L "$script" ]; do # called by a link to it
  target=$(readlink -- "$script")
  case $target in
    /*) script=$target ;;
    *) script=$(dirname -- "$script")/$target ;;
  esac
done
case $script in */*) cd -P -- "${script%/*}" || exit 1 ;; esac
for python in python3 python3.14 python3.13 python3.12 python3.11 python; do
  if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    exec "$python" -m launcher "$@"
  fi
done
echo "start.sh: no Python 3.11 or newer found: install one (Debian, Ubuntu: apt install python3 python3-venv)" >&2
exit 1
