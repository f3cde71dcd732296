"""Runs the launcher: ``python -m launcher``; ``start.sh`` and ``start.bat`` call it."""

import sys

if __name__ == "__main__":
    try:
        from launcher.cli import main  # here, since Ctrl-C may come while modules are read

        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
