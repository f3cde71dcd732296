"""Page, API and gRPC by TLS; a Secret that is renewed under load."""

import hashlib
import json
import time
from pathlib import Path

import pytest

from tests.support.certificates import Certificates
from tests.support.kubernetes_site import Site
from tests.support.waiting import until

RATE, SECONDS = 50, 120
RENEWED_S = 110.0
"""A kubelet looks at a pod's Secrets about once a minute."""
SECRETS = {"http-tls": "tls", "grpc-tls": "grpc"}
"""Each Secret, and the name of its files."""
_SHOWN = """
import hashlib, socket, ssl, sys
folder = "/secrets/grpc-tls"
context = ssl.create_default_context(cafile=f"{folder}/ca.crt")
context.set_alpn_protocols(["h2"])
if sys.argv[1] == "as-gateway":
    context.load_cert_chain(f"{folder}/tls.crt", f"{folder}/tls.key")
try:
    with (
        socket.create_connection(("consumer", 50051), 5) as plain,
        context.wrap_socket(plain, server_hostname="consumer") as connection,
    ):
        shown = hashlib.sha256(connection.getpeercert(True)).hexdigest()
        connection.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + b"\\0\\0\\0\\4" + bytes(5))
        print("answered" if connection.recv(1) else "refused", shown)
except OSError as error:
    print("refused", error)
"""

pytestmark = pytest.mark.long


def _from_gateway(site: Site, who: str) -> list[str]:
    """What a client in the gateway's pod sees of the consumer, and the hash of its certificate."""
    return site.kubectl("exec", "deploy/gateway", "--", "python", "-c", _SHOWN, who).split()


def _renew(site: Site, made: Certificates) -> None:
    """As docs/tls.md says."""
    for secret, name in SECRETS.items():
        made.make(name)
        files = {"tls.crt": made.crt(name), "tls.key": made.key(name), "ca.crt": made.ca}
        options = [f"--from-file={key}={path}" for key, path in files.items()]
        words = ("create", "secret", "generic", secret, "--type=kubernetes.io/tls", *options)
        given = site.kubectl(*words, "--dry-run=client", "-o", "yaml")
        site.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=given)


def _is_shown(site: Site, made: Certificates) -> bool:
    ports = (int(site.settings[f"FIZZBUZZ_{name}_PORT"]) for name in ("GATEWAY", "WEB"))
    return all(made.shown(port) == made.der() for port in ports) and _from_gateway(site, "as-gateway") == [
        "answered",
        hashlib.sha256(made.der("grpc")).hexdigest(),
    ]


def test_page_api_and_consumer_show_their_certificates(site: Site, made: Certificates) -> None:
    assert _is_shown(site, made)


def test_a_client_without_a_certificate_is_refused_by_the_consumer(site: Site) -> None:
    assert _from_gateway(site, "as-anybody")[0] == "refused"


def test_status_and_up_work_by_https(site: Site) -> None:
    done = site.start_sh("status", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["ledger"]["unaccounted"] == 0
    done = site.start_sh("up")
    assert (done.returncode, "already running" in done.stdout) == (0, True)
    for port, path in (("WEB", "fizzbuzz/"), ("GATEWAY", "messages")):
        assert f"https://127.0.0.1:{site.settings[f'FIZZBUZZ_{port}_PORT']}/{path}" in done.stdout


def test_secrets_renewed_under_load_are_shown_and_no_message_is_dropped(
    site: Site, made: Certificates, tmp_path: Path
) -> None:
    pods = {one.id: one.status.restarts for one in site.pods()}
    with site.under_load(RATE, SECONDS, tmp_path) as load:
        began_s = time.monotonic()
        _renew(site, made)
        until(lambda: _is_shown(site, made), RENEWED_S, "the renewed certificates are shown")
        print(f"shown after {time.monotonic() - began_s:.0f} s")
    assert load.result["failed_attempts"] == {}
    assert {one.id: one.status.restarts for one in site.pods()} == pods
    logged = site.start_sh("logs").stdout
    assert logged.count("the certificate was renewed") >= len(("gateway", "gateway", "web", "consumer"))
    assert "is not used" not in logged
