"""The Secrets of TLS, from files: by the same names as cert-manager writes them."""

from pathlib import Path

from pipeline.settings import Settings


def secrets(settings: Settings) -> dict[str, dict[str, str]]:
    """The files of each Secret, by its name; checked before. Raises OSError."""
    found = {}
    if settings.tls and settings.tls_ca:
        found["http-tls"] = _files(*settings.tls.paths, settings.tls_ca)
    if settings.grpc_tls:
        found["grpc-tls"] = _files(*settings.grpc_tls.paths)
    return found


def _files(*paths: Path) -> dict[str, str]:
    named = zip(("tls.crt", "tls.key", "ca.crt"), paths, strict=True)
    # PEM is ASCII, but text beside it need not be.
    return {name: path.read_text(encoding="utf-8", errors="replace") for name, path in named}
