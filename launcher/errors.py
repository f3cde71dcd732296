"""Errors that the user can fix: one line that names the cause and the remedy."""

import errno

FAILED = 1
USAGE = 2

REMEDIES = {
    errno.ENOSPC: "no space is left on its disk: make room, or set FIZZBUZZ_HOME to a place that has some",
    errno.EDQUOT: "the disk quota is used up: make room, or set FIZZBUZZ_HOME to a place that has some",
    errno.EACCES: "no permission: give yourself write access, or set FIZZBUZZ_HOME to a place of your own",
    errno.EPERM: "not permitted: give yourself write access, or set FIZZBUZZ_HOME to a place of your own",
    errno.EROFS: "its file system is read-only: set FIZZBUZZ_HOME to a place that can be written",
    errno.ENOTDIR: "a file is in the way of a folder: move it, or set another FIZZBUZZ_HOME",
    errno.EEXIST: "a file is in the way of a folder: move it, or set another FIZZBUZZ_HOME",
}


class UserError(Exception):
    """The text is one line; ``status`` is the exit status."""

    def __init__(self, text: str, status: int = FAILED) -> None:
        super().__init__(text)
        self.status = status


def explain(error: OSError) -> UserError:
    """What an error of the operating system means to the user."""
    remedy = REMEDIES.get(error.errno or 0, error.strerror or str(error))
    return UserError(f"{error.filename or 'writing a file'}: {remedy}")
