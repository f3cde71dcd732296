"""What kubernetes mode makes of certificates."""

import json
from pathlib import Path

import pytest

from launcher.errors import UserError
from launcher.kubernetes import overlay, tls_secrets
from launcher.kubernetes.cluster import Cluster
from launcher.kubernetes.system import KubernetesSystem
from tests.support.certificates import Certificates
from tests.support.kubernetes_mode import BUILT, configured, fake, fake_kubectl, rendered

PROBES = ("startup", "liveness", "readiness")


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake ``kubectl``: it writes its arguments and its input into files."""
    return fake_kubectl(tmp_path, monkeypatch)


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "certificates")


def test_without_certificates_nothing_is_encrypted(tmp_path: Path) -> None:
    text = rendered(overlay.write(configured(tmp_path), BUILT, "me"))
    assert "TLS" not in text
    assert "HTTPS" not in text


def test_with_certificates_their_secrets_are_mounted_and_probes_are_by_https(
    tmp_path: Path, made: Certificates
) -> None:
    wanted = configured(tmp_path / "home", **made.https(), **made.grpc())
    yaml = pytest.importorskip("yaml")
    text = rendered(overlay.write(wanted, BUILT, "me"))
    assert str(made.folder) not in text
    mounted = {}
    for one in yaml.safe_load_all(text):
        if one["kind"] == "Deployment":
            spec = one["spec"]["template"]["spec"]
            (container,) = spec["containers"]
            secrets = {volume.get("secret", {}).get("secretName") for volume in spec["volumes"]}
            schemes = {container[f"{name}Probe"]["httpGet"].get("scheme") for name in PROBES}
            mounted[one["metadata"]["name"]] = secrets & {"http-tls", "grpc-tls"}, schemes
    assert mounted == {
        "gateway": ({"http-tls", "grpc-tls"}, {"HTTPS"}),
        "web": ({"http-tls"}, {"HTTPS"}),
        "producer": ({"http-tls"}, {None}),
        "consumer": ({"grpc-tls"}, {None}),
        "worker": (set(), {None}),
    }


def test_the_producer_is_given_the_ca_without_the_key(tmp_path: Path, made: Certificates) -> None:
    yaml = pytest.importorskip("yaml")
    text = rendered(overlay.write(configured(tmp_path / "home", **made.https()), BUILT, "me"))
    (spec,) = (
        one["spec"]["template"]["spec"]
        for one in yaml.safe_load_all(text)
        if (one["kind"], one["metadata"]["name"]) == ("Deployment", "producer")
    )
    (secret,) = (v["secret"] for v in spec["volumes"] if v["name"] == "http-ca")
    assert secret["items"] == [{"key": "ca.crt", "path": "ca.crt"}]


def test_secrets_of_certificates_are_as_cert_manager_writes_them(
    tmp_path: Path, made: Certificates, kubectl: Path
) -> None:
    fake(kubectl, f"cat > {kubectl.parent}/given")
    wanted = configured(tmp_path / "home", **made.https(), **made.grpc())
    found = tls_secrets.secrets(wanted.settings)
    Cluster("", "test").store_secrets({**found, "api-token": {"api_token": "a"}})
    items = json.loads((kubectl.parent / "given").read_text())["items"]
    assert {one["metadata"]["name"]: (one["type"], set(one["data"])) for one in items} == {
        **dict.fromkeys(("http-tls", "grpc-tls"), ("kubernetes.io/tls", {"tls.crt", "tls.key", "ca.crt"})),
        "api-token": ("Opaque", {"api_token"}),
    }
    assert found["http-tls"] == {
        "tls.crt": made.crt().read_text(),
        "tls.key": made.key().read_text(),
        "ca.crt": made.ca.read_text(),
    }


def test_wrong_certificates_are_one_line_before_the_cluster_is_asked(
    tmp_path: Path, made: Certificates, kubectl: Path
) -> None:
    fake(kubectl, f"touch {kubectl.parent}/asked")
    made.make("expired", days=0)
    stranger = Certificates(tmp_path / "stranger")
    crt, grpc = f"FIZZBUZZ_TLS_CERT={made.crt()}", f"FIZZBUZZ_GRPC_TLS_CERT={made.crt()}"
    good = {**made.https(), **made.grpc(), "INFLUXDB_PASSWORD": "long enough"}
    wrong = {
        f"FIZZBUZZ_TLS_CERT={made.crt('expired')}: it expired at ": made.https("expired"),
        "FIZZBUZZ_TLS_CERT needs FIZZBUZZ_TLS_CA too": {"FIZZBUZZ_TLS_CA": ""},
        f"{crt}: not accepted at gateway: ": {"FIZZBUZZ_TLS_CA": str(stranger.ca)},
        f"{grpc}: not accepted at consumer: ": {"FIZZBUZZ_GRPC_TLS_CA": str(stranger.ca)},
    }
    for number, (line, changed) in enumerate(wrong.items()):
        wanted = configured(tmp_path / str(number), **{**good, **changed})
        with pytest.raises(UserError) as error:
            KubernetesSystem(wanted).prepare(None)
        assert str(error.value).startswith(line)
        assert "\n" not in str(error.value)
    assert not (kubectl.parent / "asked").exists()
