"""Events that are written to a stream's socket, and what its own greenlet does when the socket is full."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import gevent
import pytest
from gevent import socket as cooperative

from tests.support.snapshots import snapshot
from web.broadcaster import Broadcaster
from web.direct_streams import DirectStream, DirectStreams
from web.stream_event import Form, StreamEvent

PLAIN = Form()
Pair = tuple[cooperative.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """The server's end, as gevent has it, and the client's."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    connection = cooperative.socket(fileno=ours.detach())
    connection.settimeout(5)
    theirs.settimeout(5)
    with connection, theirs:
        yield connection, theirs


def streaming(
    broadcaster: Broadcaster, connection: cooperative.socket, sent: list[bytes], form: Form = PLAIN
) -> gevent.Greenlet:
    """A stream as the server runs it, past its first event; what goes by the server is in ``sent``."""
    stream = gevent.spawn(lambda: sent.extend(broadcaster.stream(None, form, connection)))
    gevent.sleep(0)
    return stream


def test_an_event_is_written_as_a_chunk_without_the_streams_greenlet(pair: Pair) -> None:
    connection, client = pair
    broadcaster = Broadcaster(snapshot(7))
    sent: list[bytes] = []
    stream = streaming(broadcaster, connection, sent)
    assert len(sent) == 2, "the comment and the first event go by the server"
    broadcaster.publish(snapshot(8))
    data = client.recv(65_536)
    head, _, rest = data.partition(b"\r\n")
    assert int(head, 16) == len(rest) - 2
    assert b"id: 8\n" in rest
    assert data.endswith(b"\r\n")
    gevent.sleep(0)
    assert len(sent) == 2
    stream.kill()
    assert broadcaster.open_streams.here == 0


def test_a_compressed_event_is_written_as_what_differs_from_the_event_before(pair: Pair) -> None:
    connection, client = pair
    broadcaster = Broadcaster(snapshot(1))
    sizes = []
    for form in (PLAIN, Form(compressed=True)):
        stream = streaming(broadcaster, connection, [], form)
        broadcaster.publish(snapshot(broadcaster.newest.id + 1))
        client.recv(65_536)
        broadcaster.publish(snapshot(broadcaster.newest.id + 1))
        sizes.append(len(client.recv(65_536)))
        stream.kill()
    assert sizes[1] < sizes[0] / 5


def test_a_client_that_reads_slowly_gets_whole_events_and_then_the_newest(pair: Pair) -> None:
    connection, client = pair
    broadcaster = Broadcaster(snapshot(1))
    sent: list[bytes] = []
    streaming(broadcaster, connection, sent)
    for number in range(2, 60):  # the socket is full long before
        broadcaster.publish(snapshot(number))
        gevent.sleep(0)
    client.setblocking(False)
    received = b""
    while b"id: 59\n" not in b"".join(sent[2:]):
        with suppress(BlockingIOError):
            received += client.recv(65_536)
        gevent.sleep(0)
    with suppress(BlockingIOError):
        while more := client.recv(65_536):
            received += more
    written = []
    while received:
        head, _, received = received.partition(b"\r\n")
        written.append(id_of(received[: int(head, 16)]))
        received = received[int(head, 16) + 2 :]
    assert written == list(range(2, len(written) + 2)), "each as a whole, none twice"
    later = [id_of(event) for event in sent[2:]]
    assert later == sorted({*later})
    assert later[0] > written[-1]
    assert later[-1] == 59


def id_of(event: bytes) -> int:
    return int(event.partition(b"id: ")[2].partition(b"\n")[0])


def test_a_stream_ends_when_its_client_has_left(pair: Pair) -> None:
    connection, client = pair
    broadcaster = Broadcaster(snapshot(1))
    stream = streaming(broadcaster, connection, [])
    client.close()
    broadcaster.publish(snapshot(2))
    stream.join(5)
    assert broadcaster.open_streams.here == 0


def test_a_stream_ends_when_the_service_stops(pair: Pair) -> None:
    broadcaster = Broadcaster(snapshot(1))
    stream = streaming(broadcaster, pair[0], [])
    broadcaster.close()
    stream.join(5)
    assert broadcaster.open_streams.here == 0


def test_without_an_event_there_is_a_heartbeat_by_the_server_and_with_one_there_is_none(pair: Pair) -> None:
    broadcaster = Broadcaster(snapshot(1))
    events = broadcaster.follow(None, 0.05, DirectStream(pair[0], PLAIN))
    assert next(events)
    gevent.spawn_later(0.01, broadcaster.publish, snapshot(2))
    began_s = time.monotonic()
    assert next(events) is None
    assert time.monotonic() - began_s >= 0.1, "the first wait had an event"


def test_an_event_that_its_own_greenlet_sent_first_is_not_written_again(pair: Pair) -> None:
    streams, stream = DirectStreams(), DirectStream(pair[0], PLAIN)
    waiting = gevent.spawn(streams.wait, stream, 3_600)
    gevent.sleep(0)
    stream.seen = 7
    assert streams.write(StreamEvent(1, 7, {}, {})) == 0
    assert streams.write(StreamEvent(1, 8, {}, {})) == 1
    waiting.kill()


def test_what_a_socket_does_not_take_at_once_the_streams_greenlet_sends(pair: Pair) -> None:
    connection, client = pair
    streams, stream = DirectStreams(), DirectStream(connection, PLAIN)
    event = StreamEvent(1, 1, {"text": "x" * 1_000_000}, {})
    data = event.chunk(PLAIN)

    def run() -> None:
        streams.wait(stream, 3_600)
        stream.finish()

    waiting = gevent.spawn(run)
    gevent.sleep(0)
    assert streams.write(event) == 0
    assert stream.seen == 1
    client.setblocking(False)
    received = b""
    deadline_s = time.monotonic() + 10
    while len(received) < len(data) and time.monotonic() < deadline_s:
        with suppress(BlockingIOError):
            received += client.recv(65_536)
        gevent.sleep(0)
    assert received == data
    waiting.join(5)
    assert waiting.successful()
