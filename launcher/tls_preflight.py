"""Checks certificates before anything starts: each by itself, and whether this system accepts them."""

import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from launcher.configuration import Configuration
from launcher.errors import USAGE, UserError
from pipeline import certificate, tls_check, tls_rehearsal
from pipeline.certificate import CertificateError, KeyPair
from pipeline.hosts import loopback_for

TIMEOUT_S = 2.0
CONSUMER = "consumer"
"""The name of its service, by which containers find it."""
GATEWAY = "gateway"


def check(configuration: Configuration) -> None:
    """Raise UserError where a service could not use its certificates, or its client would refuse them."""
    for one in (_check_files, _check_gateway, _check_consumer):
        _run(one, configuration)


def check_containers(configuration: Configuration) -> None:
    """The same where services are containers: the gateway asks for the consumer by its name there."""
    _run(_check_files, configuration)
    tls = configuration.settings.grpc_tls
    if tls:
        remedy = "FIZZBUZZ_GRPC_TLS_CA names its CA, which must have signed it for that name"
        _run(lambda _: _check_name(tls.pair, tls.ca.path, CONSUMER, remedy), configuration)


def check_gateway_service(configuration: Configuration) -> None:
    """Raise UserError where a producer in a container would refuse the gateway by its service's name."""
    settings = configuration.settings

    def check_name(_: Configuration) -> None:
        if settings.tls and settings.tls_ca is None:  # an image has other CAs than this machine
            raise CertificateError("FIZZBUZZ_TLS_CERT needs FIZZBUZZ_TLS_CA too")
        if settings.tls:
            remedy = "FIZZBUZZ_TLS_CA names its CA, which must have signed it for that name"
            _check_name(settings.tls, settings.tls_ca, GATEWAY, remedy)

    _run(check_name, configuration)


def refused(url: str, ca: Path | None) -> str:
    """Why the certificate of the server at ``url`` is not accepted; empty where it is, or none is shown."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return ""
    context = ssl.create_default_context(cafile=ca)
    try:
        with (
            socket.create_connection((parts.hostname, parts.port or 443), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message.rstrip(".")
    except (OSError, UnicodeError):  # nobody answers, or not by TLS; or the host is not a valid name
        return ""


def _run(one: Callable[[Configuration], None], configuration: Configuration) -> None:
    try:
        one(configuration)
    except CertificateError as error:
        name = re.match(r"[A-Z_]+", str(error))
        where = configuration.origins.get(name[0] if name else "", "the environment")
        raise UserError(f"{error} (set in {where})", USAGE) from None


def _check_files(configuration: Configuration) -> None:
    tls_check.every_service(configuration.settings)


def _check_gateway(configuration: Configuration) -> None:
    """As the producer will, at the address that it uses where no other one is set."""
    settings = configuration.settings
    if settings.tls and not configuration.given.get("FIZZBUZZ_GATEWAY_URL"):
        host = urlsplit(settings.gateway_url).hostname or ""
        _check_name(
            settings.tls,
            settings.tls_ca,
            host,
            "FIZZBUZZ_TLS_CA names its CA, FIZZBUZZ_GATEWAY_URL an address that it is valid for",
        )


def _check_consumer(configuration: Configuration) -> None:
    """As the gateway will; on this machine both use the same files."""
    settings = configuration.settings
    if settings.grpc_tls and not configuration.given.get("FIZZBUZZ_CONSUMER_ADDRESS"):
        tls = settings.grpc_tls
        _check_name(
            tls.pair,
            tls.ca.path,
            loopback_for(settings.grpc_bind),
            "FIZZBUZZ_GRPC_TLS_CA names its CA, FIZZBUZZ_CONSUMER_ADDRESS an address that it is valid for",
        )


def _check_name(pair: KeyPair, ca: Path | None, host: str, remedy: str) -> None:
    client = ssl.create_default_context(cafile=ca)
    try:
        tls_rehearsal.check_server(lambda context: certificate.load(context, pair), client, host)
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or error.reason or str(error)
        raise CertificateError(
            f"{pair.certificate}: not accepted at {host}: {why.rstrip('.')}; {remedy}"
        ) from None
