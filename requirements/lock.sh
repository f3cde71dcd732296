#!/bin/sh
# Writes the lock files from pyproject.toml; `requirements/lock.sh --upgrade` upgrades to newer versions.
set -eu
cd "$(dirname "$0")/.."
compile() {
  out=requirements/$1.txt
  shift
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --output-file "$out" "$@"
}
compile run pyproject.toml "$@"
compile redis pyproject.toml --group redis --constraint requirements/run.txt "$@"
compile load pyproject.toml --group load --constraint requirements/run.txt "$@"
compile notebook pyproject.toml --group notebook --constraint requirements/run.txt "$@"
compile unit pyproject.toml --group unit --constraint requirements/run.txt "$@"
compile test pyproject.toml --group test --group notebook --constraint requirements/run.txt --constraint requirements/unit.txt "$@"
compile uv --group uv "$@"
compile queue-ui --group queue-ui --constraint requirements/run.txt "$@"
# Without the services' versions: each rival is measured in the newest that it has.
compile rivals --group rivals "$@"
