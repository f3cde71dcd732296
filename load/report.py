"""One HTML page of results side by side: ``python -m load.report RESULT.json … --html FILE``."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from load import html_report
from load.result import FORMAT, Result
from load.verdict import EXIT_STATUS

FAILED, USAGE = 1, 2


def main(arguments: Sequence[str]) -> int:
    """0 where the page was written."""
    parser = argparse.ArgumentParser(prog="./start.sh report", description="Show results as one HTML page.")
    parser.add_argument("results", type=Path, nargs="+", metavar="RESULT.json", help="written by load --json")
    parser.add_argument("--html", type=Path, required=True, metavar="FILE", help="the page to write")
    given = parser.parse_args(arguments)
    try:
        given.html.write_text(html_report.page([_read(path) for path in given.results]), encoding="utf-8")
    except ValueError as error:
        print(f"report: {error}", file=sys.stderr)
        return USAGE
    except OSError as error:
        print(f"report: {error.filename}: {error.strerror}", file=sys.stderr)
        return FAILED
    print(f"written       {given.html.absolute()}")
    return 0


def _read(path: Path) -> Result:
    try:
        found: Result = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] == FORMAT and found["kind"] == "load" and found["verdict"] in EXIT_STATUS:
            html_report.page([found])  # fails where something is missing
            return found
    except (ValueError, LookupError, TypeError, AttributeError):
        pass
    raise ValueError(f"{path} is not a result that load --json of this version wrote")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
