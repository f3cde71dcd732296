import pytest

from launcher import packages


@pytest.mark.parametrize(
    ("configuration", "environ"),
    [
        ("", {}),
        (":env:.disable-pip-version-check='1'\nglobal.timeout='60'\n", {}),
        (
            "global.index-url='https://registry.example/simple'\n",
            {"UV_DEFAULT_INDEX": "https://registry.example/simple"},
        ),
        (":env:.find-links='/a /b'\n", {"UV_FIND_LINKS": "/a,/b"}),
        (
            "global.extra-index-url='\\nhttps://a.example\\nhttps://b.example'\n",
            {"UV_INDEX": "https://a.example https://b.example"},
        ),
        (":env:.cert='/ca.pem'\nglobal.cert='/ca.pem'\n", {"SSL_CERT_FILE": "/ca.pem"}),
    ],
)
def test_what_pip_is_configured_with_uv_is_configured_with_too(
    configuration: str, environ: dict[str, str]
) -> None:
    assert packages.environment(configuration) == environ


@pytest.mark.parametrize(
    "configuration",
    [
        "global.trusted-host='registry.example'\n",
        "global.proxy='http://proxy.example:3128'\n",
        "global.no-index='true'\n",
        ":env:.index-url='https://a.example'\nglobal.index-url='https://b.example'\n",
    ],
)
def test_what_uv_has_no_setting_for_is_left_to_pip(configuration: str) -> None:
    assert packages.environment(configuration) is None
