"""Starting wrong does not start: an address that strangers reach needs TLS; a value out of its limits is named."""

import ssl
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.given.tls import make_certificate
from vms_privacy.serve import tls_context
from vms_privacy.settings import Settings, manual


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_an_address_of_this_machine_needs_nothing(host: str) -> None:
    assert Settings(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.10", "cameras.example.org"])
def test_an_address_that_strangers_reach_needs_tls_or_a_proxy(host: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="VMS_TLS_CERTIFICATE"):
        Settings(host=host)
    assert Settings(host=host, behind_proxy=True).host == host
    assert Settings(host=host, tls_certificate=tmp_path / "c.pem", tls_key=tmp_path / "k.pem").host == host


def test_a_certificate_without_its_key_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="come together"):
        Settings(tls_certificate=tmp_path / "c.pem")


@pytest.mark.parametrize(
    ("name", "value"),
    [("sweep_every", "PT0S"), ("ring", "PT1H"), ("port", 70000), ("camera_networks", "not-a-network"), ("hots", "x")],
)
def test_a_value_out_of_its_limits_does_not_start_and_is_named(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings(**{name: value})  # type: ignore[arg-type]


def test_tls_is_1_2_or_1_3_with_forward_secrecy(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = tls_context(str(certificate), str(key))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    # TLS 1.3 knows nothing else; below it every cipher agrees on a key that is thrown away.
    older = [cipher for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"]
    assert older
    assert all("ECDHE" in cipher["name"] for cipher in older)


def test_every_setting_has_a_line_in_the_manual() -> None:
    page = manual()
    for name in Settings.model_fields:
        assert f"| `VMS_{name.upper()}` |" in page
    assert not any(line.endswith("|  |") for line in page.splitlines())
