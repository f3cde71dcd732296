"""The set-up in a cluster: ``python -m deploy.influxdb.exchange``.

Standard input has the tokens that are kept, as one JSON object by action; standard output the ones that work
afterwards. So the tokens go from and to ``./start.sh``, and this container needs no rights in the cluster.
"""

import json
import os
import sys
from pathlib import Path

from deploy.influxdb import __main__ as setup
from deploy.influxdb import tokens
from pipeline import private_file


def main() -> int:
    """The set-up's exit status; where it failed, nothing is on standard output."""
    folder = Path(os.environ["FIZZBUZZ_TOKENS"])
    for action, token in json.load(sys.stdin).items():
        file = tokens.path(folder, action)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_file.write(file, token)
    status = setup.main()
    if status == 0:
        print(json.dumps({one: tokens.path(folder, one).read_text().strip() for one in tokens.RIGHTS}))
    return status


if __name__ == "__main__":
    sys.exit(main())
