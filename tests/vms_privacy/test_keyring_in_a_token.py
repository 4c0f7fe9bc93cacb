"""An installation whose roots are in a token: made once, opened with the token, and not without."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.given.softhsm import SoftHsm
from vms_privacy.app import Assembly
from vms_privacy.install import initialise
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.pkcs11_keyring import Pkcs11Keyring
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyringUnavailable, Purpose
from vms_privacy.settings import Settings

SEGMENT_KEY = KeyBytes(bytes(range(32)))


@pytest.fixture
def told(softhsm: SoftHsm, tmp_path: Path) -> dict[str, Any]:
    """Settings of an installation with a token of its own."""
    place = softhsm.new_token()
    return {
        "data_dir": tmp_path / "data",
        "keyring_kind": "pkcs11",
        "pkcs11_library": place.library,
        "pkcs11_token": place.label,
        "pkcs11_pin_file": place.pin_file,
    }


def test_init_makes_the_root_in_the_token_and_the_service_uses_it(told: dict[str, Any]) -> None:
    settings = Settings(**told)
    initialise(settings)
    made, again = Assembly(settings), Assembly(settings)
    assert isinstance(made.keyring, Pkcs11Keyring)
    bucket_key = made.keyring.create_bucket_key()
    wrapped = made.keyring.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here")
    assert again.keyring.unwrap_in_bucket(bucket_key, wrapped, b"here").reveal() == SEGMENT_KEY.reveal()
    assert again.keyring.sign(Purpose.RECEIPT_SIGNING, b"m") == made.keyring.sign(Purpose.RECEIPT_SIGNING, b"m")


def test_the_job_that_rotates_the_root_works_on_a_token(told: dict[str, Any]) -> None:
    settings = Settings(**told)
    initialise(settings)
    parts = Assembly(settings)
    bucket_key = parts.keyring.create_bucket_key()
    done = parts.root_care.round()
    assert done is None
    # As after a crash: what was begun is gone on with, whatever its age.
    next(parts.keyring.root_rotation().steps())
    finished = parts.root_care.round()
    assert finished is not None
    assert (finished.version, finished.destroyed) == (2, 1)
    assert parts.keyring.bucket_keys() == {bucket_key}


def test_a_keyring_made_with_a_token_does_not_open_as_one_of_files_nor_the_other_way_round(
    told: dict[str, Any], tmp_path: Path
) -> None:
    initialise(Settings(**told))
    with pytest.raises(KeyringUnavailable):
        _ = Assembly(Settings(data_dir=told["data_dir"])).keyring
    initialise(Settings(data_dir=tmp_path / "files"))
    assert isinstance(Assembly(Settings(data_dir=tmp_path / "files")).keyring, FileKeyring)
    with pytest.raises(KeyringUnavailable):
        _ = Assembly(Settings(**told | {"data_dir": tmp_path / "files"})).keyring


@pytest.mark.parametrize("name", ["pkcs11_library", "pkcs11_token", "pkcs11_pin_file"])
def test_a_token_that_is_not_told_whole_does_not_start(told: dict[str, Any], name: str) -> None:
    with pytest.raises(ValidationError, match=f"VMS_{name.upper()}"):
        Settings(**told | {name: None})


def test_no_pin_is_in_the_settings(told: dict[str, Any]) -> None:
    pin = told["pkcs11_pin_file"].read_text().strip()
    assert pin not in repr(Settings(**told))


def test_a_process_with_a_token_ends_as_it_should(told: dict[str, Any]) -> None:
    """A library that is still loaded when a process ends must not take it down."""
    initialise(Settings(**told))
    given = ", ".join(f"{name}={str(value)!r}" for name, value in told.items())
    code = (
        "from vms_privacy.app import Assembly; from vms_privacy.settings import Settings; "
        f"print(len(Assembly(Settings({given})).keyring.bucket_keys()))"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "0\n", "")
