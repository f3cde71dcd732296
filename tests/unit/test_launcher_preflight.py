"""What a start says of addresses that can't be right, before anything is touched."""

from pathlib import Path

import pytest

from launcher import configuration
from launcher.errors import USAGE, UserError
from launcher.local import preflight


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"REDIS_URL": "redis://a..b:6379"}, "REDIS_URL .*: its host is not a valid name"),
        ({"REDIS_URL": "redis+sentinel://a..b:26379/primary"}, "REDIS_URL .*: its host is not a valid name"),
        (
            {"FIZZBUZZ_STORE": "influxdb", "INFLUXDB_URL": "https://a..b", "INFLUXDB_TOKEN": "t" * 16},
            "INFLUXDB_URL .*: no InfluxDB answers there",
        ),
    ],
)
def test_a_host_that_is_no_name_is_one_line(tmp_path: Path, given: dict[str, str], said: str) -> None:
    wanted = configuration.load({"FIZZBUZZ_HOME": str(tmp_path), **given})
    with pytest.raises(UserError, match=f"^{said}$") as raised:
        preflight.check(wanted, None)
    assert raised.value.status == USAGE
