"""Compressed streams: whatever a stream has missed, what its client unpacks is what the others get."""

import socket
import zlib
from contextlib import suppress
from functools import partialmethod

import gevent
import pytest
from gevent import socket as cooperative

from tests.support.snapshots import snapshot
from web.broadcaster import COMPRESSED_PREAMBLE, HEARTBEAT, PREAMBLE, Broadcaster
from web.stream_event import Form

FORMS = [Form(detailed=detailed, compressed=True) for detailed in (False, True)]
GZIP_WBITS = 31


class Client:
    """Unpacks a stream of events as it comes."""

    def __init__(self) -> None:
        self._unpack = zlib.decompressobj(GZIP_WBITS)

    def read(self, data: bytes) -> bytes:
        return self._unpack.decompress(data)


def plain(form: Form) -> Form:
    return form._replace(compressed=False)


@pytest.mark.parametrize("form", FORMS)
def test_all_of_an_event_can_be_unpacked_as_soon_as_it_has_come(form: Form) -> None:
    broadcaster, client = Broadcaster(snapshot(1)), Client()
    stream, other = broadcaster.stream(None, form), broadcaster.stream(None, plain(form))
    for _ in range(3 if form.detailed else 2):
        assert client.read(next(stream)) == next(other)
    for number in range(2, 6):
        broadcaster.publish(snapshot(number))
        assert client.read(next(stream)) == next(other)


@pytest.mark.parametrize("form", FORMS)
def test_an_event_after_the_one_before_it_takes_a_third_at_most(form: Form) -> None:
    broadcaster = Broadcaster(snapshot(1))
    stream, other = broadcaster.stream(None, form), broadcaster.stream(None, plain(form))
    for _ in range(3 if form.detailed else 2):
        next(stream), next(other)
    broadcaster.publish(snapshot(2))
    assert len(next(stream)) < len(next(other)) / 3


def test_streams_share_one_compressed_event() -> None:
    broadcaster = Broadcaster(snapshot(1))
    streams = [broadcaster.stream(None, FORMS[0]) for _ in range(2)]
    for stream in streams:
        next(stream), next(stream)
    broadcaster.publish(snapshot(2))
    first, second = map(next, streams)
    assert first is second


def test_a_stream_that_skipped_events_or_caught_up_can_be_unpacked() -> None:
    broadcaster = Broadcaster(snapshot(1))
    for number in range(2, 6):
        broadcaster.publish(snapshot(number))
    client, stream = Client(), broadcaster.stream(2, FORMS[0])
    text = b"".join(client.read(next(stream)) for _ in range(4))
    assert ids(text) == [3, 4, 5]
    for number in range(6, 20):
        broadcaster.publish(snapshot(number))
    assert ids(client.read(next(stream))) == [19]


def test_an_event_after_a_heartbeat_can_be_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Broadcaster, "follow", partialmethod(Broadcaster.follow, heartbeat_s=0.001))
    broadcaster, client = Broadcaster(snapshot(1)), Client()
    stream = broadcaster.stream(None, FORMS[0])
    first = [client.read(next(stream)) for _ in range(3)]
    assert first[2] == HEARTBEAT
    broadcaster.publish(snapshot(2))
    assert ids(client.read(next(stream))) == [2]


def test_a_compressed_stream_begins_with_as_much_as_another() -> None:
    assert Client().read(COMPRESSED_PREAMBLE) == PREAMBLE
    assert len(COMPRESSED_PREAMBLE) > len(PREAMBLE)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_to_a_socket_and_what_goes_by_the_server_fit_together(form: Form) -> None:
    """The socket is full again and again, so the stream goes from one way to the other."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    theirs.settimeout(5)
    broadcaster, received = Broadcaster(snapshot(1)), bytearray()
    with cooperative.socket(fileno=ours.detach()) as connection, theirs:
        connection.settimeout(5)

        def serve() -> None:
            for data in broadcaster.stream(None, form, connection):
                connection.sendall(b"%x\r\n%b\r\n" % (len(data), data))

        stream = gevent.spawn(serve)
        for number in range(2, 600):
            gevent.sleep(0)
            broadcaster.publish(snapshot(number))
            if number % 50 == 0:
                drain(theirs, received)
        while ids(unpacked(bytes(received)))[-1:] != [599]:
            drain(theirs, received)
        stream.kill()
    got = ids(unpacked(bytes(received)))
    assert got == sorted({*got})
    assert 10 < len(got) < 590, "some were skipped"


def drain(client: socket.socket, received: bytearray) -> None:
    """Read all that is there."""
    client.setblocking(False)
    with suppress(BlockingIOError):
        while more := client.recv(65_536):
            received += more
            gevent.sleep(0)
    gevent.sleep(0)


def unpacked(received: bytes) -> bytes:
    client, text = Client(), b""
    while b"\r\n" in received:
        head, _, received = received.partition(b"\r\n")
        size = int(head, 16)
        if len(received) < size + 2:
            break
        text += client.read(received[:size])
        received = received[size + 2 :]
    return text


def ids(text: bytes) -> list[int]:
    return [int(line[4:]) for line in text.splitlines() if line.startswith(b"id: ")]
