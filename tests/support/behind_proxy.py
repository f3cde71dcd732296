"""Reads what is served behind the proxy of a system in containers."""

import http.client
import ssl
import time
import urllib.error
import urllib.request

PATIENCE_S = 30.0


def read(request: str | urllib.request.Request, context: ssl.SSLContext | None = None) -> bytes:
    """The answer to a request that may be made again.

    The proxy answers 503 for a moment, until it has found what was just started, and while it is started
    itself nothing answers.
    """
    give_up_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S, context=context) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                if error.code != http.client.SERVICE_UNAVAILABLE or time.monotonic() > give_up_s:
                    raise
        except (OSError, http.client.HTTPException):
            if time.monotonic() > give_up_s:
                raise
        time.sleep(0.5)
