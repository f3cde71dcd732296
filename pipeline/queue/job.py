"""Encodes a batch as the JSON payload of a job, and decodes it."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pipeline.message import MAX_NUMBER, MAX_SENT_NS, MIN_SENT_NS, RUN_PATTERN, Arrival, Batch, Message

TASK = "consumer.job.store"
"""The job's function by its dotted path; only JSON is read from Redis."""

MAX_DATA_BYTES = 2**25
"""A job of 1,000 messages uses 0.2 MB."""

_Run = Annotated[str, Meta(pattern=rf"\A{RUN_PATTERN}\Z")]
_Number = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
_Ns = Annotated[int, Meta(ge=MIN_SENT_NS, le=MAX_SENT_NS)]
_Row = tuple[_Run, _Number, _Ns, _Ns | None, _Ns]
"""run, number, sent_ns, gateway_ns, arrived_ns"""


class _Payload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    consumer: Annotated[str, Meta(pattern=r"\A[^\x00-\x1f\x7f]{1,255}\Z")]
    queued_ns: _Ns
    messages: msgspec.Raw


class _Repeats(msgspec.Struct, frozen=True):
    duplicates: frozenset[int] = frozenset()


_call = msgspec.json.Decoder(tuple[str, None, tuple[_Payload], dict[str, Any]])
_rows = msgspec.json.Decoder(Annotated[list[_Row], Meta(min_length=1)])
_raws = msgspec.json.Decoder(Annotated[list[msgspec.Raw], Meta(min_length=1)])
_repeats = msgspec.json.Decoder(_Repeats)
_row = msgspec.json.Decoder(_Row)


class MalformedJob(ValueError):
    """The job was not created by ``encode``."""


@dataclass(frozen=True, slots=True)
class DecodedJob:
    """The batch of a job's valid messages, and why the others are malformed."""

    batch: Batch
    malformed: tuple[str, ...] = ()


def encode(consumer: str, queued_ns: int, arrivals: Sequence[Arrival]) -> dict[str, Any]:
    """The job's one argument."""
    rows = [
        (a.message.run, a.message.number, a.message.sent_ns, a.message.gateway_ns, a.arrived_ns)
        for a in arrivals
    ]
    return {"consumer": consumer, "queued_ns": queued_ns, "messages": rows}


def decode(job_id: str, data: bytes, meta: bytes, *, worker: str, taken_ns: int) -> DecodedJob:
    """Decode a job; messages that an earlier job already contains are left out.

    Args:
        data: RQ's JSON of the call; RQ compresses it, other clients may not.
        meta: RQ's JSON of the job's ``meta``.

    Raises:
        MalformedJob: the job was not created by ``encode``.
    """
    try:
        task, _, (payload,), _ = _call.decode(_unpacked(data))
        duplicates = _repeats.decode(meta).duplicates
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedJob(f"not a job of messages: {error}") from error
    if task != TASK:
        raise MalformedJob(f"not a job of messages: it calls {task[:100]!r}")
    rows, malformed = _decode_rows(payload.messages, duplicates)
    arrivals = tuple(
        Arrival(Message(run, number, sent_ns, gateway_ns), arrived_ns)
        for index, (run, number, sent_ns, gateway_ns, arrived_ns) in rows
        if index not in duplicates
    )
    batch = Batch(job_id, payload.consumer, worker, payload.queued_ns, taken_ns, arrivals)
    return DecodedJob(batch, tuple(malformed))


def content(job_id: str, data: bytes | None, meta: bytes | None) -> DecodedJob | None:
    """What a job carries, for whoever does not run it; None where that can't be read."""
    try:
        return decode(job_id, data or b"", meta or b"{}", worker="", taken_ns=0)
    except Exception:  # noqa: BLE001 - whatever is in it, other jobs are read
        return None


def _decode_rows(
    messages: msgspec.Raw, duplicates: frozenset[int]
) -> tuple[list[tuple[int, _Row]], list[str]]:
    """The rows that can be decoded, each with its index, and why the others can't. Raises MalformedJob."""
    try:
        return list(enumerate(_rows.decode(messages))), []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass  # some can't: see which
    try:
        raws = _raws.decode(messages)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedJob(f"not a job of messages: {error}") from error
    rows: list[tuple[int, _Row]] = []
    malformed: list[str] = []
    for index, raw in enumerate(raws):
        if index in duplicates:
            continue
        try:
            rows.append((index, _row.decode(raw)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            malformed.append(f"message {index}: {error}")
    return rows, malformed


def _unpacked(data: bytes) -> bytes:
    """Raises MalformedJob where it is larger than any job of ours."""
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data, MAX_DATA_BYTES)
    except zlib.error:
        return data
    if unpacker.unconsumed_tail:
        raise MalformedJob(f"not a job of messages: its data has more than {MAX_DATA_BYTES} bytes")
    return unpacked
