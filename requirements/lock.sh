#!/bin/sh
# Writes the lock files anew from pyproject.toml; `requirements/lock.sh --upgrade` takes newer versions.
set -eu
cd "$(dirname "$0")/.."
compile() {
  out=requirements/$1.txt
  shift
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
    --output-file "$out" "$@" pyproject.toml
}
compile run "$@"
compile redis --group redis --constraint requirements/run.txt "$@"
compile notebook --group notebook --constraint requirements/run.txt "$@"
compile test --group test --group notebook --constraint requirements/run.txt "$@"
