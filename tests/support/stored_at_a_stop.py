"""What became of what a sender was answered 202 for, once ``down`` has ended a system."""

import subprocess

from tests.support.launched import HEALS_S, Launched
from tests.support.sender import Sender
from tests.support.waiting import until

WAITS = "still wait in the queue; the next start stores them"


def assert_stored_once(system: Launched, sender: Sender, down: "subprocess.CompletedProcess[str]") -> None:
    """All of it is stored once; or, on a machine too busy to store it in time, ``down`` said that the next
    start will store it, and it does."""

    def stored() -> list[int]:
        return [number for (number,) in system.rows(f"SELECT number FROM message WHERE run = '{sender.run}'")]

    if not sender.accepted <= set(stored()):
        assert WAITS in down.stdout
        system.up()
        until(lambda: sender.accepted <= set(stored()), HEALS_S, "what was accepted is not stored")
    found = stored()
    assert len(found) == len(set(found))
