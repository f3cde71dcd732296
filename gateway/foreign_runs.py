"""What becomes of the requests of a call that was refused because of some of them."""

from collections.abc import Sequence, Set

from gateway.problems import Problem
from pipeline.denied_claims import Claim

FIRST, SECOND = 0, 1
"""The further calls that requests are sent in, one after the other."""


def share(requests: Sequence[Set[Claim]], denied: Set[Claim]) -> list[Problem | int]:
    """The problem of each request, or the call that it is sent in again.

    Args:
        requests: what each one claims; there are two or more.
        denied: the claims for which the call was refused, as far as they are known.
    """
    allowed = {run for claims in requests for run, _ in claims - denied}
    fates = [_fate({run for run, _ in claims & denied}, allowed) for claims in requests]
    if len(set(fates)) == 1 and not isinstance(fates[0], Problem):  # who is at fault is not known
        return [FIRST if index < len(requests) // 2 else SECOND for index in range(len(requests))]
    return fates


def _fate(denied: Set[str], allowed: Set[str]) -> Problem | int:
    """The fate of a request, by those of its runs that it was denied.

    A run that another request of the call may use can be new, and still become this one's if that request is
    refused itself.
    """
    foreign = denied - allowed
    if foreign:
        return Problem(409, f"the run {min(foreign)} belongs to another sender")
    return SECOND if denied else FIRST
