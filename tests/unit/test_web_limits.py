"""A process holds as many streams as it may open files, and keeps some for everything else."""

import resource

import pytest

from tests.support.many_files import many_files
from web.limits import MAX_STREAMS, SPARE_FILES, max_streams


@pytest.mark.parametrize("files", [SPARE_FILES + 50, SPARE_FILES + MAX_STREAMS])
def test_streams_leave_the_files_that_page_database_and_queue_need(files: int) -> None:
    with many_files():
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, most), most))
        streams = max_streams()
        assert 1 <= streams <= MAX_STREAMS
        assert streams + SPARE_FILES <= resource.getrlimit(resource.RLIMIT_NOFILE)[0]
