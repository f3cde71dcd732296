"""What the notebook may not do."""

import json

from launcher.configuration import CHECKOUT
from launcher.programs import NOTEBOOK


def test_no_cell_gives_the_address_of_redis_as_an_argument() -> None:
    """It may hold a password, and every user of a machine sees the arguments of all processes."""
    cells = json.loads((CHECKOUT / NOTEBOOK).read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert any("RQ_REDIS_URL" in cell for cell in code)
    assert not any("--url" in cell for cell in code)
