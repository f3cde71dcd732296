"""Runs the launcher: ``python -m launcher``; ``start.sh`` and ``start.bat`` call it."""

import sys

from launcher.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
