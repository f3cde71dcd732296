"""What TLS costs: the same measured without and with it."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench import pace, streams
from bench.figure import Benchmark, Figure, Values
from bench.system import running, shares
from bench.wrk import post
from tests.support.certificates import Certificates

CONNECTIONS = 64
STREAMS = 5_000

Settings = Mapping[str, str]


def _measure(checkout: Path) -> Values:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        made = Certificates(Path(folder))
        https, grpc = made.https(), made.grpc()
        return {
            **_paced(checkout, "plain", {}),
            **_paced(checkout, "both", {**https, **grpc}),
            **_accepted(checkout, "plain", {}),
            **_accepted(checkout, "https", https),
            **_accepted(checkout, "grpc", grpc),
            **_streamed("plain", {}, None),
            **_streamed("https", https, made.ca),
        }


def _paced(checkout: Path, name: str, settings: Settings) -> Values:
    found = pace.measure(checkout, settings)
    wanted = ("transmission", "transmission:p99", "cpu", "memory")
    return {f"{name}:{one}": found[one] for one in wanted}


def _accepted(checkout: Path, name: str, settings: Settings) -> Values:
    with running(checkout, FIZZBUZZ_RATE="0", **settings) as system:
        began_s, used = time.monotonic(), system.cpu_s()
        sent = post(system.gateway_url, CONNECTIONS)
        usage = shares(used, system.cpu_s(), time.monotonic() - began_s, name)
    rate = sent["rate"]
    us = usage[f"cpu:{name}:gateway"] / rate * 1e6
    return {f"{name}:rate": rate, f"{name}:p99": sent["p99"], **usage, f"{name}:us": us}


def _streamed(name: str, settings: Settings, ca: Path | None) -> Values:
    p99, share, usage = streams.measure(STREAMS, ca, **settings)
    return {f"{name}:streams": p99, f"{name}:share": share, f"{name}:web": 100 * usage}


BENCHMARK = Benchmark(
    "page and API by https, gateway and consumer by mutual TLS, and the same without",
    {
        "plain:transmission": Figure("ten a second, sent → arrival, mean", "ms"),
        "both:transmission": Figure("the same with https and mutual TLS", "ms"),
        "plain:transmission:p99": Figure("ten a second, sent → arrival, p99", "ms"),
        "both:transmission:p99": Figure("the same with https and mutual TLS", "ms"),
        "plain:cpu": Figure("ten a second, processor time of all, of one core", "%"),
        "both:cpu": Figure("the same with https and mutual TLS", "%"),
        "plain:memory": Figure("ten a second, memory of all processes (PSS)", "MB"),
        "both:memory": Figure("the same with https and mutual TLS", "MB"),
        "plain:rate": Figure("64 connections (wrk), accepted", "/s"),
        "https:rate": Figure("the same by https", "/s"),
        "grpc:rate": Figure("the same by http, mutual TLS to the consumer", "/s"),
        "plain:us": Figure("64 connections, processor time of the gateway for a request", "µs"),
        "https:us": Figure("the same by https", "µs"),
        "grpc:us": Figure("the same by http, mutual TLS to the consumer", "µs"),
        "plain:streams": Figure("5,000 streams, p99 after the reading began", "ms"),
        "https:streams": Figure("the same by https", "ms"),
        "https:share": Figure("5,000 streams by https, events that arrived", "%"),
        "plain:web": Figure("5,000 streams, processor time of the service, of one core", "%"),
        "https:web": Figure("the same by https", "%"),
    },
    _measure,
    beside=False,
)
