"""One message as one POST, and what the response means."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from pathlib import Path

import requests

from pipeline.clock import Clock, to_ns
from pipeline.message import MAX_AHEAD_NS, ClockOffset
from producer import metrics
from producer.attempt import Attempt, MessageBody
from producer.clock_offset import ClockOffsetEstimator
from producer.transport import ScheduledAdapter

CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 6.0
"""The gateway answers within 5 s, whatever happens behind it."""

MAX_OFFSET_NS = 10**18 - 1
"""A request with a larger clock offset, of more than 31 years, would be refused."""
MAX_RETRY_AFTER_S = 60.0
"""A server that asks for a longer pause is asked again after this one."""

_CAUSED_BY_SETTING = {
    401: "FIZZBUZZ_API_TOKEN",
    403: "the proxy in front of it",
    404: "FIZZBUZZ_GATEWAY_URL",
    405: "FIZZBUZZ_GATEWAY_URL",
    # A run belongs to the name of the token that began it, and the tokens' file may change while it goes on.
    409: "FIZZBUZZ_API_TOKEN, whose first token must have the name that it had when this run began",
    421: "FIZZBUZZ_HOSTS",
}
"""Statuses that come from a setting, and which."""

_TO_CHECK = {**_CAUSED_BY_SETTING, 422: "the clocks of producer and gateway, which differ by more than a day"}
"""What the user is to check where a message is tried again slowly."""

_RETRYABLE = frozenset({408, 425, 429})


class Disposition(Enum):
    """What is to be done with a message after an attempt."""

    ACKNOWLEDGED = "acknowledged"
    RETRY = "retry"
    RETRY_SLOW = "retry_slow"
    """A setting, such as the token, is wrong, which only the user can change, or a clock."""
    REJECTED = "rejected"
    """No retry can succeed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended."""

    disposition: Disposition
    cause: str = ""
    """The HTTP status, or the kind of failure."""
    detail: str = ""
    duplicate: bool = False
    arrived_ns: int | None = None
    """When the message arrived with this attempt, by the consumer's clock."""
    retry_after_s: float = 0.0


def explanation(outcome: Outcome) -> str:
    """Why an attempt failed, and what the user is to check where only that helps."""
    if outcome.disposition is Disposition.RETRY_SLOW:
        wrong = _TO_CHECK.get(int(outcome.cause), "the settings")
        return f"the gateway refuses this sender; check {wrong}"
    if outcome.disposition is Disposition.REJECTED:
        return f"the gateway rejected the last message for good: {outcome.cause}"
    return f"delivery failing, retrying: {outcome.cause}"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sends."""

    token: Callable[[], str] = field(default=lambda: "", repr=False)
    """Gives the current token; empty: none is sent."""
    run_key: str = field(default="", repr=False)
    """Sent with every request, so that nobody without it can send under the same run."""


class GatewayClient:
    """POSTs to the gateway at ``gateway_url`` over one kept-alive connection. One thread at a time.

    ``ca``: the certificates that verify an https gateway; None: those of this machine.
    """

    def __init__(  # noqa: PLR0913 - where to, who sends, and what a test replaces
        self,
        gateway_url: str,
        run: str,
        identity: Identity | None = None,
        *,
        offset: ClockOffsetEstimator | None = None,
        clock: Clock = time.time_ns,
        ca: Path | None = None,
    ) -> None:
        self._url = gateway_url.rstrip("/")
        self._run = run
        self._offset = offset or ClockOffsetEstimator(run)
        self._clock = clock
        self._session = requests.Session()
        self._session.verify = str(ca) if ca else True
        self._session.trust_env = False  # no proxy and no .netrc between two services of one system
        self._session.headers.update({"Content-Type": "application/json", "User-Agent": "fizzbuzz-producer"})
        self._identity = identity or Identity()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, ScheduledAdapter())

    def send(self, number: int, attempt: Attempt) -> Outcome:
        """Send a message at its time and wait for the response, at most about 7 s from then."""
        body = MessageBody(self._run, number, attempt, self._clock)
        headers = {**self._sender_headers(), **_offset_headers(self._offset.estimate)}
        request = requests.Request("POST", f"{self._url}/messages", data=body, headers=headers)
        try:
            response = self._session.send(
                self._session.prepare_request(request),
                timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
                allow_redirects=False,
                proxies={},
            )
        except requests.RequestException as error:
            return Outcome(Disposition.RETRY, type(error).__name__, str(error))
        metrics.ROUND_TRIP_SECONDS.observe(time.perf_counter() - body.left_s)
        answered_ns = self._clock()
        outcome = classify_response(response, answered_ns, body.sent_ns)
        if outcome.arrived_ns is not None:
            self._offset.add_sample(body.left_ns, outcome.arrived_ns, answered_ns)
        return outcome

    def _sender_headers(self) -> dict[str, str]:
        """Who sends: the current token, and the key that keeps the run this sender's own."""
        run_key, token = self._identity.run_key, self._identity.token()
        headers = {"Run-Key": run_key} if run_key else {}
        return {**headers, "Authorization": f"Bearer {token}"} if token else headers

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def ready(self) -> bool:
        """Whether the gateway accepts messages now: it answers ``/readyz``, and not with 503."""
        try:
            answer = self._session.get(f"{self._url}/readyz", timeout=CONNECT_TIMEOUT_S, proxies={})
        except requests.RequestException:
            return False
        return answer.status_code != 503

    def connect(self) -> None:
        """Open the connection, so that the first burst need not."""
        try:
            self._session.get(f"{self._url}/healthz", timeout=CONNECT_TIMEOUT_S, proxies={})
        except requests.RequestException:
            return  # the first message reports it


def classify_response(response: requests.Response, now_ns: int, sent_ns: int) -> Outcome:
    """What a response means for the message of ``sent_ns``. Only a 202 says that it is persisted."""
    status = response.status_code
    if status == 202:
        return _acknowledged(response)
    if status in _CAUSED_BY_SETTING or (status == 422 and _is_refused_by_clock(response, now_ns, sent_ns)):
        disposition = Disposition.RETRY_SLOW
    elif 400 <= status < 500 and status not in _RETRYABLE:
        disposition = Disposition.REJECTED
    else:
        disposition = Disposition.RETRY
    retry_after_s = _retry_after_s(response.headers.get("Retry-After", ""), now_ns)
    return Outcome(disposition, str(status), response.text[:500], retry_after_s=retry_after_s)


def _is_refused_by_clock(response: requests.Response, now_ns: int, sent_ns: int) -> bool:
    """Whether ``sent_at`` alone is wrong, and only by the gateway's clock, which may be set.

    A message that this clock refuses too (it was itself wrong when it was sent) would keep a retry sender
    from all others.
    """
    try:
        pointers = {error["pointer"] for error in response.json()["errors"]}
    except (ValueError, KeyError, TypeError):
        return False
    return pointers == {"/sent_at"} and sent_ns <= now_ns + MAX_AHEAD_NS


def _acknowledged(response: requests.Response) -> Outcome:
    try:
        answer = response.json()
        duplicate = bool(answer.get("duplicates"))
        arrived_ns = None if duplicate else to_ns(datetime.fromisoformat(answer["arrived_at"]))
    except (ValueError, AttributeError, KeyError, TypeError):  # a 202 counts, whatever its body is
        duplicate, arrived_ns = False, None
    return Outcome(
        Disposition.ACKNOWLEDGED, str(response.status_code), duplicate=duplicate, arrived_ns=arrived_ns
    )


def _offset_headers(offset: ClockOffset | None) -> dict[str, str]:
    """The estimated clock offset, for the gateway; no headers before there is one, nor if it is too large."""
    if offset is None or max(abs(offset.offset_ns), offset.error_ns) > MAX_OFFSET_NS:
        return {}
    return {"Clock-Offset-Ns": str(offset.offset_ns), "Clock-Error-Ns": str(offset.error_ns)}


def _retry_after_s(text: str, now_ns: int) -> float:
    """Seconds to wait by a Retry-After header (RFC 9110: seconds, or a date); 0 if invalid or absent."""
    if text.isascii() and text.isdigit():
        wait_s = float(text)
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return 0.0
        wait_s = (to_ns(_aware(moment)) - now_ns) / 1e9
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
