"""Makes the Python stubs and their types from ``fizzbuzz.proto``: ``python -m proto.build``."""

import os
import sys
from importlib.resources import files
from pathlib import Path

from proto import SOURCE, elsewhere

ROOT = SOURCE.parent.parent
NAMES = ("fizzbuzz_pb2.py", "fizzbuzz_pb2.pyi", "fizzbuzz_pb2_grpc.py")


def build(root: Path) -> None:
    """Write the stubs into the folder ``proto`` of ``root``.

    Raises:
        SystemExit: the compiler refused the source; it has said why on stderr.
        OSError: the folder can't be made.
    """
    from grpc_tools import protoc  # the compiler is heavy, and only needed when stubs are stale

    (root / "proto").mkdir(parents=True, exist_ok=True)
    well_known = str(files("grpc_tools").joinpath("_proto"))
    arguments = ["protoc", f"-I{ROOT}", f"-I{well_known}"]
    arguments += [f"--{kind}_out={root}" for kind in ("python", "pyi", "grpc_python")]
    status = protoc.main([*arguments, str(SOURCE.relative_to(ROOT))])
    if status:
        raise SystemExit(status)


def is_stale(folder: Path) -> bool:
    """True where a stub is missing or older than the source."""
    stubs = [folder / name for name in NAMES]
    return any(not stub.exists() or stub.stat().st_mtime < SOURCE.stat().st_mtime for stub in stubs)


def build_if_stale() -> None:
    """Make the stubs if one is missing or older than the source."""
    if is_stale(SOURCE.parent):
        build_where_possible()


def build_where_possible() -> None:
    """Beside the source where that can be written, else into the environment."""
    if os.access(SOURCE.parent, os.W_OK):
        build(ROOT)
    elif not all((elsewhere() / name).exists() for name in NAMES):
        build(elsewhere().parent)


if __name__ == "__main__":
    build_if_stale() if "--if-stale" in sys.argv else build_where_possible()
