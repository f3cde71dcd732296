import pytest

from pipeline.redact import without_credentials
from pipeline.store import StoreUnavailable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:geheim@db:8086/x away", "http://db:8086/x away"),
        ("'https://:geheim@[::1]:8086'", "'https://[::1]:8086'"),
        ("http://user:ge@heim@db and redis://geheim@q", "http://db and redis://q"),
        (
            "redis+sentinel://u:geheim@a,b/x?sentinel_username=u&sentinel_password=geheim",
            "redis+sentinel://a,b/x",
        ),
        ("http://db:8086/@x, a@b.example", "http://db:8086/@x, a@b.example"),
    ],
)
def test_a_url_is_shown_without_who_signs_in_and_how(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


def test_why_a_store_is_unavailable_holds_no_password() -> None:
    assert str(StoreUnavailable("InfluxDB at http://u:geheim@db: 401")) == "InfluxDB at http://db: 401"
