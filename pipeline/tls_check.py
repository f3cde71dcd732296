"""Checks the files of a service's TLS before it starts. Standard library only.

Every function raises CertificateError with one line.
"""

from pathlib import Path
from urllib.parse import parse_qs

from pipeline import certificate
from pipeline.certificate import KeyPair, NamedFile
from pipeline.queue.sentinel_url import TLS_FILES
from pipeline.settings import Settings


def gateway(settings: Settings) -> None:
    _served(settings)
    if settings.grpc_tls:
        certificate.credentials(settings.grpc_tls, "client")


def consumer(settings: Settings) -> None:
    if settings.grpc_tls:
        certificate.credentials(settings.grpc_tls, "server")
    _queue(settings)


def worker(settings: Settings) -> None:
    _queue(settings)
    _store(settings)


def web(settings: Settings) -> None:
    _served(settings)
    worker(settings)


def producer(settings: Settings) -> None:
    if settings.tls_ca:
        certificate.check_ca(NamedFile("FIZZBUZZ_TLS_CA", settings.tls_ca))


def every_service(settings: Settings) -> None:
    """What all of them need, for one that starts them all."""
    for check in (gateway, consumer, web, producer):
        check(settings)


def _served(settings: Settings) -> None:
    if settings.tls:
        certificate.check_pair(settings.tls, "server")


def _store(settings: Settings) -> None:
    if settings.influx_ca:
        certificate.check_ca(NamedFile("INFLUXDB_CA", settings.influx_ca))


def _queue(settings: Settings) -> None:
    """The files in the options of REDIS_URL, as redis-py calls them."""
    options = parse_qs(settings.redis_url.partition("?")[2])
    files = {
        name: NamedFile(f"REDIS_URL: {name}", Path(values[-1]))
        for name, values in options.items()
        if name in TLS_FILES
    }
    if "ssl_ca_certs" in files:
        certificate.check_ca(files["ssl_ca_certs"])
    if "ssl_certfile" in files:
        key = files.get("ssl_keyfile", files["ssl_certfile"])
        certificate.check_pair(KeyPair(files["ssl_certfile"], key), "client")
