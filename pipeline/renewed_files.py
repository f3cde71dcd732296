"""Values made from certificate files, and made again when the files are renewed. Standard library only."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pipeline.certificate import CertificateError, moment
from pipeline.file_state import FileState, file_state

PERIOD_S = 1.0
"""How often a service checks for renewed files."""

log = logging.getLogger(__name__)

_Stamp = tuple[FileState | None, ...]


class Expiring(Protocol):
    """What a certificate is part of."""

    @property
    def not_after_s(self) -> float:
        """When the certificate expires, Unix time."""


T = TypeVar("T", bound=Expiring)


class RenewedFiles(Generic[T]):
    """The newest value that could be made of ``files``; what can't be used changes nothing. One thread.

    Args:
        files: those that ``load`` reads; the first one, the certificate, is named in the log.
        load: makes the value.

    Raises:
        CertificateError: it can't be made now.
    """

    def __init__(self, files: Sequence[Path], load: Callable[[], T]) -> None:
        self._files = files
        self._load = load
        self._stamp = _stamp(files)
        self._failed: _Stamp | None = None
        self._reported: _Stamp | None = None
        self._is_expiry_known = False
        self.value = load()

    def refresh(self, now_s: float | None = None) -> bool:
        """Whether the files were renewed, and ``value`` with them. To be called every ``PERIOD_S``."""
        stamp = _stamp(self._files)
        renewed = stamp != self._stamp and self._renew(stamp)
        self._warn_of_expiry(time.time() if now_s is None else now_s)
        return renewed

    def _renew(self, stamp: _Stamp) -> bool:
        try:
            self.value = self._load()
        except CertificateError as error:
            # Files are replaced one after the other: what is wrong only for a moment is not worth a line.
            # It is tried again all the same: rights may change, or a certificate become valid.
            if self._failed == stamp and self._reported != stamp:
                self._reported = stamp
                log.error("the renewed certificate is not used, the previous one stays: %s", error)
            self._failed = stamp
            return False
        self._stamp, self._failed, self._reported, self._is_expiry_known = stamp, None, None, False
        until = moment(self.value.not_after_s)
        log.info("the certificate was renewed", extra={"file": str(self._files[0]), "expires": until})
        return True

    def _warn_of_expiry(self, now_s: float) -> None:
        if now_s > self.value.not_after_s and not self._is_expiry_known:
            self._is_expiry_known = True
            until = moment(self.value.not_after_s)
            log.error("the certificate expired at %s and was not renewed: %s", until, self._files[0])


def _stamp(files: Sequence[Path]) -> _Stamp:
    """Changes whenever one of the files does."""
    return tuple(file_state(file) for file in files)
