"""Events as the HTML standard frames them."""

import json

import pytest

from tests.support.snapshots import snapshot
from web.app import last_event_id
from web.broadcaster import PREAMBLE, Broadcaster
from web.stream_event import Form, frame


def test_an_event_has_its_name_id_retry_and_data() -> None:
    assert frame("stats", b"{}", event_id=7) == b"event: stats\nid: 7\nretry: 1000\ndata: {}\n\n"


def test_an_event_without_an_id_leaves_the_last_one() -> None:
    assert frame("detail", b"{}") == b"event: detail\ndata: {}\n\n"


@pytest.mark.parametrize("data", [b"a\nevent: forged", b"a\revent: forged"])
def test_data_can_not_forge_another_event(data: bytes) -> None:
    with pytest.raises(ValueError, match="one line"):
        frame("stats", data)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("17", 17),
        ("0", 0),
        ("", None),
        (None, None),
        ("-1", None),
        ("x", None),
        ("1" * 5_000, None),
        ("٣", None),
    ],
)
def test_a_last_event_id_is_a_number_or_nothing(text: str | None, number: int | None) -> None:
    assert last_event_id(text) == number


def test_a_stream_begins_with_a_comment_that_fills_a_proxys_buffer() -> None:
    first = next(Broadcaster(snapshot()).stream(None, Form()))
    assert first == PREAMBLE
    assert first.startswith(b":")
    assert first.count(b"\n") == 2
    assert len(first) > 2_048


def test_only_a_detailed_stream_has_more_than_stats() -> None:
    plain = Broadcaster(snapshot(7)).stream(None, Form())
    detailed = Broadcaster(snapshot(7)).stream(None, Form(detailed=True))
    chunks = [b"".join(next(each) for _ in range(count)) for each, count in ((plain, 2), (detailed, 3))]
    names = [
        [line for line in chunk.decode().splitlines() if line.startswith(("event", "id"))] for chunk in chunks
    ]
    assert names == [
        ["event: stats", "id: 7"],
        ["event: history", "event: detail", "event: stats", "id: 7"],
    ]


def test_a_detailed_stream_begins_with_the_points_of_the_last_minutes() -> None:
    each = Broadcaster(snapshot(7))
    each.publish(snapshot(8))
    stream = each.stream(None, Form(detailed=True))
    history, events = [next(stream) for _ in range(3)][1:]
    points = json.loads(history.partition(b"data: ")[2])["points"]
    assert len(points) == 2
    assert json.loads(events.partition(b"data: ")[2].partition(b"\n")[0])["point"] == points[-1]
