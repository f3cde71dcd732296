"""Makes the Python stubs and their types from ``fizzbuzz.proto``: ``python -m proto.build``."""

import sys
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "proto" / "fizzbuzz.proto"
STUBS = [ROOT / "proto" / name for name in ("fizzbuzz_pb2.py", "fizzbuzz_pb2.pyi", "fizzbuzz_pb2_grpc.py")]


def build() -> None:
    """Write the stubs beside the source.

    Raises:
        SystemExit: the compiler refused the source; it has said why on stderr.
    """
    from grpc_tools import protoc  # the compiler is heavy, and only needed when stubs are stale

    well_known = str(files("grpc_tools").joinpath("_proto"))
    arguments = ["protoc", f"-I{ROOT}", f"-I{well_known}"]
    arguments += [f"--{kind}_out={ROOT}" for kind in ("python", "pyi", "grpc_python")]
    status = protoc.main([*arguments, str(SOURCE.relative_to(ROOT))])
    if status:
        raise SystemExit(status)


def stale() -> bool:
    """True where a stub is missing or older than the source."""
    return any(not stub.exists() or stub.stat().st_mtime < SOURCE.stat().st_mtime for stub in STUBS)


if __name__ == "__main__":
    if "--if-stale" not in sys.argv or stale():
        build()
