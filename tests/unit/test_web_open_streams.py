"""One limit of streams for all processes of the service."""

from tests.support.snapshots import snapshot
from web.broadcaster import Broadcaster
from web.open_streams import OpenStreams
from web.stream_event import Form


def test_streams_of_all_processes_count_and_those_of_a_process_that_ended_no_longer() -> None:
    streams = OpenStreams(processes=2, max_streams=3)
    streams.begin(0)
    streams.opened()
    streams.begin(1)
    streams.opened()
    assert not streams.full
    streams.opened()
    assert streams.full
    assert streams.here == 2
    streams.begin(1)  # its successor
    assert streams.here == 0
    assert not streams.full


def test_a_stream_counts_from_its_first_bytes_to_its_end() -> None:
    streams = OpenStreams()
    broadcaster = Broadcaster(snapshot(), streams)
    stream = broadcaster.stream(None, Form())
    assert streams.here == 0
    next(stream)
    assert streams.here == 1
    stream.close()  # type: ignore[attr-defined] # a generator
    assert streams.here == 0
