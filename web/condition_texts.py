"""Sentences, and parts of them, that several conditions say alike."""

from collections.abc import Sequence

from pipeline.clock import NS_PER_S
from web.moments import token
from web.observation import LostNumbers, Observation
from web.run_label import label
from web.services import STOPPED, Service, of_kind

STALE_NS = 2 * NS_PER_S
"""Without an arrival for this long nothing arrives; without a negative time for this long clocks agree. With
a reading a second, either is shown within 3 s."""

NUMBERS_NAMED = 5
"""Lost numbers that a sentence names."""


def last_report(services: Sequence[Service]) -> str:
    """Half a sentence about the service that reported last; empty where none ever did."""
    if not services:
        return ""
    last = max(services, key=lambda one: one.at_ns)
    if last.state == STOPPED:
        return f"; {last.name} stopped at {token(last.since_ns)}"
    return f"; {last.name}'s last one was at {token(last.at_ns)}"


def ready(seen: Observation) -> str:
    """Half a sentence: gateway and consumer have reported since that they are well; else empty."""
    since_ns = (seen.last_arrived_ns or 0) + STALE_NS
    kinds = [of_kind(seen.services, kind) for kind in ("gateway", "consumer")]
    well = all(kind and all(one.state == "ok" and one.at_ns > since_ns for one in kind) for kind in kinds)
    if not well:
        return ""
    return (
        ", though gateway and consumer are ready: no new one is accepted, because none is sent, or each is a "
        "repeat or refused (see fizzbuzz_gateway_requests_total)"
    )


def waiting(seen: Observation) -> str:
    """A sentence: how many accepted messages wait."""
    if seen.queue_error is not None:
        return "How many accepted messages wait can't be read."
    if not seen.waiting:
        return "No accepted message waits."
    since = f", the oldest since {token(seen.oldest_waiting_ns)}" if seen.oldest_waiting_ns else ""
    verb = "waits" if seen.waiting == 1 else "wait"
    return f"{messages(seen.waiting, 'accepted message')} {verb} in Redis{since}."


def memory_is_freed(seen: Observation) -> str:
    """When Redis has memory again, after ``until``."""
    if seen.waiting or seen.queue_error is not None:
        return "workers have stored some"
    return (
        "remembered arrivals have expired (FIZZBUZZ_DEDUPE_WINDOW_S), or Redis has more memory "
        "(FIZZBUZZ_REDIS_MEMORY)"
    )


def messages(count: int, noun: str = "message") -> str:
    """``1 message``, ``2,000 messages``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def named(lost: Sequence[LostNumbers]) -> str:
    """The runs and first numbers of lost messages; empty while they are not known."""
    return f" ({'; '.join(map(_run_numbers, lost))})" if lost else ""


def _run_numbers(lost: LostNumbers) -> str:
    if not lost.numbers:
        return f"{lost.count:,} of run {label(lost.run)}"
    shown = ", ".join(map(str, lost.numbers[:NUMBERS_NAMED]))
    more = ", …" if lost.count > NUMBERS_NAMED else ""
    return f"run {label(lost.run)}: {shown}{more}"
