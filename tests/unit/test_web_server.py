"""The processes of the web service: which of them a new one is."""

from types import SimpleNamespace

from pipeline.settings import read
from web.server import Server


def test_a_new_process_has_the_lowest_free_number_and_no_streams_of_the_one_that_had_it_before() -> None:
    server = Server(read({"FIZZBUZZ_WEB_PROCESSES": "2"}, "web"), [])
    arbiter = SimpleNamespace(app=server, WORKERS={})

    def fork(pid: int) -> int:
        worker = SimpleNamespace()
        server.cfg.pre_fork(arbiter, worker)
        arbiter.WORKERS[pid] = worker
        return int(worker.number)

    numbers = []
    for pid in (10, 11):
        numbers.append(fork(pid))
        server.open_streams.opened()  # as the process does, which has inherited its number
        assert server.open_streams.here == 1
    assert numbers == [0, 1]
    del arbiter.WORKERS[10]
    assert fork(12) == 0
    assert server.open_streams.here == 0
