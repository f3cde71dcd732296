"""The gRPC connections to the consumer, which follow certificates that are renewed on disk."""

import asyncio
import logging
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from pipeline import certificate, grpc_keepalive
from pipeline.certificate import Credentials, MutualTls
from pipeline.renewed_files import RenewedFiles
from proto import fizzbuzz_pb2_grpc as pb_grpc

TRY_S = 1.0
"""How long one attempt to connect with renewed certificates may take."""

REFUSALS = 3
"""So many failed attempts in a row are reported: a busy consumer may miss one."""

RETIRE_S = 10.0
"""A replaced channel is closed after this: its calls have ended, since a request has less time."""

_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A consumer that is replaced has another address, which may not be known yet when a connection ends. By
    # default it is asked for again 30 s later, and nothing was accepted for as long.
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ("grpc.enable_retries", 0),  # the sender retries
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    *grpc_keepalive.CLIENT,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stubs:
    """A channel, and what is called over it."""

    channel: grpc.aio.Channel
    consumer: pb_grpc.ConsumerStub
    health: health_pb2_grpc.HealthStub


class ConsumerChannel:
    """The channel to ``address`` that new calls use. For the thread of one event loop.

    Raises:
        CertificateError: a certificate can't be used.
    """

    def __init__(self, address: str, tls: MutualTls | None) -> None:
        self._address = address
        self._files = RenewedFiles(tls.paths, lambda: certificate.credentials(tls, "client")) if tls else None
        self.stubs = self._open()
        """Calls that begin use these."""
        self._renewed: Stubs | None = None
        self._refusals = 0
        self._retiring: set[asyncio.Task[None]] = set()

    async def renew(self) -> None:
        """Replace the channel once a consumer accepts renewed certificates. To be called every second."""
        if self._files and self._files.refresh():
            await self._drop_renewed()
            self._renewed, self._refusals = self._open(), 0
        if self._renewed and await self._accepts(self._renewed):
            self._retire(self.stubs)
            self.stubs, self._renewed = self._renewed, None

    async def close(self) -> None:
        """Close every connection; calls that have not ended are cancelled."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._drop_renewed()
        await self.stubs.channel.close()

    def _open(self) -> Stubs:
        channel = (
            grpc.aio.secure_channel(self._address, _credentials(self._files.value), options=_OPTIONS)
            if self._files
            else grpc.aio.insecure_channel(self._address, options=_OPTIONS)
        )
        return Stubs(channel, pb_grpc.ConsumerStub(channel), health_pb2_grpc.HealthStub(channel))

    async def _accepts(self, stubs: Stubs) -> bool:
        try:
            await stubs.health.Check(health_pb2.HealthCheckRequest(), timeout=TRY_S)  # type: ignore[attr-defined]  # not in its stubs
        except grpc.aio.AioRpcError as error:
            self._refusals += 1
            if self._refusals == REFUSALS:
                log.error(
                    "the renewed certificate is not used yet, no consumer accepts it: %s", error.details()
                )
            return False
        return True

    def _retire(self, stubs: Stubs) -> None:
        task = asyncio.get_running_loop().create_task(_close_later(stubs.channel))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _drop_renewed(self) -> None:
        renewed, self._renewed = self._renewed, None
        if renewed:
            await renewed.channel.close()


def _credentials(files: Credentials) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(files.ca, files.key, files.certificate)


async def _close_later(channel: grpc.aio.Channel) -> None:
    try:
        await asyncio.sleep(RETIRE_S)
    finally:
        await channel.close()
