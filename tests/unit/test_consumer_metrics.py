"""The histogram that counts many values at once, beside prometheus_client's own."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from consumer.metrics import BatchHistogram
from pipeline.buckets import BUCKETS_S

VALUES = (0.0, 0.0005, 0.00050001, 0.003, 0.1, 5.0, 5.01, 3_600.0)


def test_it_exports_what_the_librarys_own_exports() -> None:
    own, librarys = CollectorRegistry(), CollectorRegistry()
    batch = BatchHistogram("taken_seconds", "How long.", BUCKETS_S)
    own.register(batch)
    one_by_one = Histogram("taken_seconds", "How long.", buckets=BUCKETS_S, registry=librarys)
    for values in (VALUES, (), VALUES[2:5]):
        batch.observe_all(values)
        for value in values:
            one_by_one.observe(value)
        expected = [line for line in generate_latest(librarys).splitlines() if b"_created" not in line]
        assert generate_latest(own).splitlines() == expected
