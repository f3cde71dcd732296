"""A process holds as many streams as it may open files, and keeps some for everything else."""

import subprocess
import sys

import pytest

from launcher.configuration import CHECKOUT
from web.open_streams import MAX_STREAMS, SPARE_FILES

FEW, SOME, MANY = 100, 1_000, MAX_STREAMS + SPARE_FILES


@pytest.mark.parametrize(("files", "streams"), [(FEW, 1), (SOME, SOME - SPARE_FILES), (MANY, MAX_STREAMS)])
def test_streams_leave_the_files_that_page_database_and_queue_need(files: int, streams: int) -> None:
    ask = "import web.open_streams; print(web.open_streams.max_streams())"
    limited = ["sh", "-c", f'ulimit -n {files} && exec "$@"', "sh", sys.executable, "-c", ask]
    done = subprocess.run(limited, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(streams), done.stderr
