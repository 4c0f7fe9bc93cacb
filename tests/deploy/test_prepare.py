"""`deploy/prepare.sh` makes folders and secrets, each for one user alone, and never over those that are there."""

import os
import ssl
import stat
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.given.tools import missing
from tests.guards.sources import ROOT

SERVICE: Final = 10001
DATABASE: Final = 10002
STORE: Final = 10003
pytestmark = pytest.mark.needs("openssl")


def _prepare(place: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(ROOT / "deploy/prepare.sh"), str(place)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    if os.geteuid() != 0:
        missing("the rights of root, to give files to the containers' users")
    made = tmp_path / "place"
    assert _prepare(made).returncode == 0
    return made


def _told(place: Path, name: str) -> str:
    return (place / "secrets" / name).read_text().strip()


def test_every_folder_and_every_secret_is_one_users_alone(place: Path) -> None:
    folders = {path.name: path.stat() for path in place.iterdir()}
    owners = {name: found.st_uid for name, found in folders.items()}
    assert owners == {"data": SERVICE, "keys": SERVICE, "database": DATABASE, "store": STORE, "secrets": 0}
    assert {stat.S_IMODE(found.st_mode) for found in folders.values()} == {0o700}
    secrets = {path.name: path.stat() for path in (place / "secrets").iterdir()}
    assert stat.S_IMODE(secrets.pop("trusted-certificates").st_mode) == 0o644
    assert {stat.S_IMODE(found.st_mode) for found in secrets.values()} == {0o600}
    assert {name for name, found in secrets.items() if found.st_uid == SERVICE} == {
        "pgpass-service", "pgpass-setup", "s3-access-key", "s3-secret-key",
    }  # fmt: skip


def test_nothing_is_prepared_twice_and_nothing_secret_is_said(place: Path) -> None:
    before = {path.name: path.read_bytes() for path in (place / "secrets").iterdir()}
    again = _prepare(place)
    assert again.returncode == 1
    assert "nothing was changed" in again.stderr
    assert {path.name: path.read_bytes() for path in (place / "secrets").iterdir()} == before
    said = _prepare(place.with_name("other"))
    assert said.stderr == ""
    assert len(said.stdout.splitlines()) == 1


def test_no_two_secrets_are_the_same_but_those_that_two_sides_share(place: Path) -> None:
    names = ["database-admin-password", "database-owner-password", "database-service-password"]
    names += ["store-admin-access-key", "store-admin-secret-key", "s3-access-key", "s3-secret-key"]
    told = [_told(place, name) for name in names]
    assert len(set(told)) == len(told)
    assert min(len(one) for one in told) >= 20
    for part in ("access", "secret"):
        assert _told(place, f"s3-{part}-key") == _told(place, f"store-service-{part}-key")


def test_the_running_service_is_not_told_the_password_of_the_tables_owner(place: Path) -> None:
    owner, service = (_told(place, f"database-{role}-password") for role in ("owner", "service"))
    running, setup = _told(place, "pgpass-service"), _told(place, "pgpass-setup")
    assert running == f"database:5432:privacy:privacy_service:{service}"
    assert setup.splitlines() == [f"database:5432:privacy:privacy_owner:{owner}", running]
    assert owner not in running


def test_the_certificates_are_those_of_the_two_hosts_and_fit_their_keys(place: Path) -> None:
    trusted = ssl.create_default_context(cafile=str(place / "secrets/trusted-certificates"))
    names = {dict(part[0] for part in one["subject"])["commonName"] for one in trusted.get_ca_certs()}  # type: ignore[misc]
    assert names == {"database", "store"}
    for host in names:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place / f"secrets/{host}-certificate", place / f"secrets/{host}-key")
