import subprocess
import sys
from pathlib import Path

from launcher.configuration import CHECKOUT
from launcher.layout import Layout
from launcher.local import lifecycle, process_lock
from launcher.local.process_lock import SUPERVISOR

PROGRAM = """
import sys
from pathlib import Path
from launcher.local import process_lock
process_lock.record_start(process_lock.acquire(Path(sys.argv[1]), inherit=True))
print("held", flush=True)
sys.stdin.read()
"""


def start_supervisor(home: Layout) -> "subprocess.Popen[str]":
    """Stands in for Supervisor: it ends with status 0 when its input is closed."""
    home.run.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(process_lock.path_of(home.run, SUPERVISOR))],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_supervisor_ends_by_itself_before_anything_is_killed(tmp_path: Path) -> None:
    home = Layout(tmp_path)
    with start_supervisor(home) as process:
        asked = 0

        def end() -> bool:
            nonlocal asked
            asked += 1
            if asked == 3:  # it takes its time
                assert process.stdin
                process.stdin.close()
            return process.poll() is None

        lifecycle.stop_gracefully(home, lambda: 0, lambda name: False, end)
        assert process.wait(5) == 0


def test_what_does_not_end_when_it_is_asked_is_killed(tmp_path: Path) -> None:
    home = Layout(tmp_path)
    with start_supervisor(home) as process:
        lifecycle.stop_gracefully(home, lambda: 0, lambda name: False, lambda: False)
        assert process.wait(5) == -9
