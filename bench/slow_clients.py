"""Clients whose bodies never end: ``python -m bench.slow_clients PORT [--count 300] [--for 20]``.

Run it beside ``./start.sh load --rate 100`` to see what they cost the others. Each sends the head of a POST,
then a byte twice a second; when it is cut off, it begins again at once.
"""

import argparse
import asyncio
import time
from collections import Counter

HEAD = (
    b"POST /messages HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
)
BYTE_S = 0.5


def main() -> None:
    """Send for the given time, then print how the requests were answered."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("port", type=int)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--for", type=float, default=20.0, dest="for_s")
    wanted = parser.parse_args()
    print(dict(asyncio.run(run(wanted.port, wanted.count, wanted.for_s))))


async def run(port: int, count: int, for_s: float) -> Counter[str]:
    """How often each status came; ``refused`` for a connection that was refused or reset."""
    answers: Counter[str] = Counter()
    end_s = time.monotonic() + for_s
    await asyncio.gather(*(_client(port, end_s, answers) for _ in range(count)))
    return answers


async def _client(port: int, end_s: float, answers: Counter[str]) -> None:
    while time.monotonic() < end_s:
        try:
            answers[await _request(port, end_s)] += 1
        except OSError:
            answers["refused"] += 1
            await asyncio.sleep(BYTE_S)


async def _request(port: int, end_s: float) -> str:
    """One request; its status, or ``unfinished`` where the time was over first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(HEAD)
        answer = asyncio.ensure_future(reader.readline())
        while time.monotonic() < end_s:
            await asyncio.wait([answer], timeout=BYTE_S)
            if answer.done():
                return answer.result().decode("latin-1").partition(" ")[2].strip() or "closed"
            writer.write(b" ")
        answer.cancel()
        return "unfinished"
    finally:
        writer.close()


if __name__ == "__main__":
    main()
