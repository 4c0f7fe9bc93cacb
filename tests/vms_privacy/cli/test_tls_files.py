"""Files for TLS that cannot be used are wrong settings, said before anything else starts."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.given.tls import make_certificate
from tests.vms_privacy.cli.typed import say
from vms_privacy.cli.serving import refuse_unless_tls_loads
from vms_privacy.settings import Settings

Capture = pytest.CaptureFixture[str]


def _missing(file: Path) -> None:
    file.unlink()


def _no_pem(file: Path) -> None:
    file.write_text("nothing of the kind\n")


def _a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("variable", ["VMS_TLS_CERTIFICATE", "VMS_TLS_KEY"])
@pytest.mark.parametrize("spoil", [_missing, _no_pem, _a_folder])
def test_a_file_for_tls_that_cannot_be_used_is_named_with_its_variable(
    variable: str, spoil: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    certificate, key = make_certificate(tmp_path)
    files = {"VMS_TLS_CERTIFICATE": certificate, "VMS_TLS_KEY": key}
    for name, file in files.items():
        monkeypatch.setenv(name, str(file))
    spoil(files[variable])
    said = say(capsys, "serve", "--json")
    # There is no installation either: that would have been found out next.
    assert (said.code, said.document["code"]) == (2, "settings-are-wrong"), said
    assert said.document["detail"].startswith(f"{variable}: {files[variable]} ")


def test_a_key_that_is_not_the_certificates_or_needs_a_password_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    certificate, key = make_certificate(tmp_path)
    refuse_unless_tls_loads(Settings(tls_certificate=certificate, tls_key=key))
    monkeypatch.setenv("VMS_TLS_CERTIFICATE", str(certificate))
    monkeypatch.setenv("VMS_TLS_KEY", str(key))
    (tmp_path / "other").mkdir()
    _, other = make_certificate(tmp_path / "other")
    plain = key.read_bytes()
    key.write_bytes(other.read_bytes())
    assert "is not the key of the certificate" in say(capsys, "serve", "--json").document["detail"]
    held = load_pem_private_key(plain, None)
    key.write_bytes(held.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hunter2")))
    assert "without a password" in say(capsys, "serve", "--json").document["detail"]
