"""Whether services answer, and whether a started system is seen to work; the same for every mode."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import datetime

from launcher.errors import UserError
from launcher.status import HEALTHY, ServiceStatus, explain
from pipeline import local_tls
from pipeline.hosts import host_port, loopback_for
from pipeline.settings import Settings

TIMEOUT_S = 2.0
PERIOD_S = 0.05

_direct = local_tls.opener()


def page_url(settings: Settings) -> str:
    """The address of the page."""
    return f"{service_url(settings, settings.web_port)}/fizzbuzz/"


def api_url(settings: Settings) -> str:
    """Where messages are sent to."""
    return f"{service_url(settings, settings.gateway_port)}/messages"


def service_url(settings: Settings, port: int) -> str:
    """Where gateway or web are on this machine."""
    scheme = "https" if settings.tls else "http"
    return f"{scheme}://{host_port(loopback_for(settings.bind), port)}"


def get(url: str, timeout_s: float = TIMEOUT_S) -> tuple[int, bytes]:
    """Status and body of the answer to a GET; status 0 where there is none."""
    try:
        with _direct.open(url, timeout=timeout_s) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except (OSError, ValueError, http.client.HTTPException):
        return 0, b""


def wait(
    check: Callable[[], Sequence[ServiceStatus]], settings: Settings, since_s: float, patience_s: float
) -> None:
    """Return when all services are healthy and the page shows a message that came after ``since_s``.

    Where the producer sends nothing, healthy services are enough.

    Raises:
        UserError: a service doesn't stay up, or it took too long; the text says why.
    """
    patience_s += 2 / settings.rate if settings.rate else 0
    deadline = time.monotonic() + patience_s
    while late := [one for one in explain(check()) if one.state != HEALTHY]:
        failing = next((one for one in late if one.crash_looping), None)
        if failing:
            raise UserError(f"{failing.name} doesn't stay up: {failing.reason}")
        if time.monotonic() > deadline:
            raise UserError(_too_late(late, patience_s))
        time.sleep(PERIOD_S)
    while settings.rate and not _shows(page_url(settings), since_s):
        if time.monotonic() > deadline:
            raise UserError(
                f"no message was stored and shown within {patience_s:.0f} s: see ./start.sh logs --pretty"
            )
        time.sleep(PERIOD_S)


def _shows(page: str, since_s: float) -> bool:
    status, body = get(f"{page}stats")
    stats = json.loads(body) if status == 200 else {}
    last = str(stats.get("last_arrival_at") or "")
    return (
        bool(last) and bool(stats.get("stored_total")) and datetime.fromisoformat(last).timestamp() >= since_s
    )


def _too_late(late: Sequence[ServiceStatus], patience_s: float) -> str:
    cause = next((one for one in late if not one.reason.startswith("waits for")), late[0])
    return f"{cause.name} isn't ready after {patience_s:.0f} s: {cause.reason}"
