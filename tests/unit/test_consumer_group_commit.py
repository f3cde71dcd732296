"""Group commit: calls that wait while one batch is committed form the next."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from consumer.group_commit import BatchAborted, GroupCommit

PATIENCE_S = 10.0


class Gate:
    """A flush that the test lets through, batch by batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.open = threading.Semaphore(0)

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.entered.release()
        assert self.open.acquire(timeout=PATIENCE_S)
        return [item * 10 for item in items]


def group_commit(flush: Callable[[Sequence[int]], Sequence[int]]) -> GroupCommit[int, int]:
    return GroupCommit(flush, weight_of=lambda item: item, limit=10)


def submit_while_one_is_busy(
    gate: Gate, items: Sequence[int]
) -> tuple[GroupCommit[int, int], list[Future[int]]]:
    """Submit the first item, wait until its flush runs, then submit the others, which must wait."""
    under_test = group_commit(gate)
    pool = ThreadPoolExecutor(len(items))
    futures = [pool.submit(under_test.submit, items[0], PATIENCE_S)]
    assert gate.entered.acquire(timeout=PATIENCE_S)
    for waiting, item in enumerate(items[1:], start=1):
        futures.append(pool.submit(under_test.submit, item, PATIENCE_S))
        until_waiting(under_test, waiting)
    return under_test, futures


def until_waiting(under_test: GroupCommit[int, int], count: int) -> None:
    tick = threading.Event()
    for _ in range(int(PATIENCE_S / 0.001)):
        if under_test.waiting == count:
            return
        tick.wait(0.001)
    raise AssertionError("nobody waits")


def test_a_single_call_is_done_at_once() -> None:
    assert group_commit(lambda items: [item + 1 for item in items]).submit(4, PATIENCE_S) == 5


def test_calls_that_wait_together_are_done_together_in_their_order() -> None:
    gate = Gate()
    _, futures = submit_while_one_is_busy(gate, [1, 2, 3, 4])
    gate.open.release(2)
    assert [future.result(PATIENCE_S) for future in futures] == [10, 20, 30, 40]
    assert gate.batches == [[1], [2, 3, 4]]


def test_a_batch_is_no_heavier_than_the_limit() -> None:
    gate = Gate()
    _, futures = submit_while_one_is_busy(gate, [1, 6, 4, 1])
    gate.open.release(3)
    assert [future.result(PATIENCE_S) for future in futures] == [10, 60, 40, 10]
    assert gate.batches == [[1], [6, 4], [1]]


def test_an_item_over_the_limit_goes_alone() -> None:
    gate = Gate()
    _, futures = submit_while_one_is_busy(gate, [1, 50, 2])
    gate.open.release(3)
    assert [future.result(PATIENCE_S) for future in futures] == [10, 500, 20]
    assert gate.batches == [[1], [50], [2]]


def test_everyone_in_a_batch_gets_its_error_and_the_next_batch_is_done() -> None:
    def fail(items: Sequence[int]) -> list[int]:
        raise ValueError("flush")

    failing = group_commit(fail)
    for _ in range(2):
        with pytest.raises(ValueError, match="flush"):
            failing.submit(1, PATIENCE_S)


def test_a_flush_that_loses_a_result_is_an_error_not_a_hang() -> None:
    with pytest.raises(ValueError, match="zip"):
        group_commit(lambda items: []).submit(1, PATIENCE_S)


def test_a_call_that_waits_too_long_is_cancelled_and_left_out() -> None:
    gate = Gate()
    under_test, futures = submit_while_one_is_busy(gate, [1])
    with pytest.raises(TimeoutError):
        under_test.submit(2, 0.01)
    gate.open.release(2)
    assert futures[0].result(PATIENCE_S) == 10
    assert under_test.submit(3, PATIENCE_S) == 30
    assert gate.batches == [[1], [3]]


def test_many_threads_each_get_their_own_result() -> None:
    under_test = group_commit(lambda items: [item * 10 for item in items])
    with ThreadPoolExecutor(32) as pool:
        results = list(
            pool.map(lambda item: under_test.submit(item, PATIENCE_S), [n % 7 for n in range(3_000)])
        )
    assert results == [n % 7 * 10 for n in range(3_000)]
    assert not under_test.running


def test_an_item_whose_time_has_passed_is_not_begun() -> None:
    done: list[Sequence[int]] = []

    def flush(items: Sequence[int]) -> Sequence[int]:
        done.append(items)
        return items

    with pytest.raises(TimeoutError):
        group_commit(flush).submit(1, 0.0)
    assert done == []


def test_an_item_whose_time_passes_while_it_waits_is_left_out_of_its_batch() -> None:
    gate = Gate()
    now_s = 0.0
    under_test: GroupCommit[int, int] = GroupCommit(
        gate, weight_of=lambda item: item, limit=10, monotonic_s=lambda: now_s
    )
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(under_test.submit, 1, 2 * PATIENCE_S)]
        assert gate.entered.acquire(timeout=PATIENCE_S)
        for waiting, (item, timeout_s) in enumerate(
            [(2, 2 * PATIENCE_S), (3, PATIENCE_S), (4, 2 * PATIENCE_S)], 1
        ):
            futures.append(pool.submit(under_test.submit, item, timeout_s))
            until_waiting(under_test, waiting)
        now_s = PATIENCE_S  # as when the process was frozen for so long
        gate.open.release(2)
        assert [futures[index].result(PATIENCE_S) for index in (0, 1, 3)] == [10, 20, 40]
        with pytest.raises(TimeoutError):
            futures[2].result(PATIENCE_S)
    assert gate.batches == [[1], [2, 4]]


def test_a_first_item_whose_time_has_passed_still_runs_the_batch_of_the_others() -> None:
    gate = Gate()
    now_s = 0.0
    under_test: GroupCommit[int, int] = GroupCommit(
        gate, weight_of=lambda item: item, limit=10, monotonic_s=lambda: now_s
    )
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(under_test.submit, 1, 2 * PATIENCE_S)]
        assert gate.entered.acquire(timeout=PATIENCE_S)
        for waiting, (item, timeout_s) in enumerate([(2, PATIENCE_S), (3, 2 * PATIENCE_S)], 1):
            futures.append(pool.submit(under_test.submit, item, timeout_s))
            until_waiting(under_test, waiting)
        now_s = PATIENCE_S
        gate.open.release(2)
        assert [futures[index].result(PATIENCE_S) for index in (0, 2)] == [10, 30]
        with pytest.raises(TimeoutError):
            futures[1].result(PATIENCE_S)
    assert gate.batches == [[1], [3]]


class Cut(BaseException):
    """Stands for what ends a thread, such as SystemExit."""


def test_a_thread_that_is_ended_releases_the_next_batch_and_its_followers_get_an_answer() -> None:
    entered, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def cut(items: Sequence[int]) -> Sequence[int]:
        if items == [1]:
            entered.release()
            assert go_on.acquire(timeout=PATIENCE_S)
        if 2 in items:
            raise Cut
        return items

    under_test = group_commit(cut)
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(under_test.submit, 1, PATIENCE_S)]
        assert entered.acquire(timeout=PATIENCE_S)
        for waiting, item in enumerate((2, 3), 1):
            futures.append(pool.submit(under_test.submit, item, PATIENCE_S))
            until_waiting(under_test, waiting)
        go_on.release()
        assert futures[0].result(PATIENCE_S) == 1
        with pytest.raises(Cut):
            futures[1].result(PATIENCE_S)
        with pytest.raises(BatchAborted, match="Cut"):
            futures[2].result(PATIENCE_S)
    assert under_test.submit(4, PATIENCE_S) == 4
