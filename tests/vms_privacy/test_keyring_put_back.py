"""A keyring put back from what a copy holds: both kinds, under a new root, whole or not at all."""

import uuid
from pathlib import Path

import pytest

from tests.given.clock import HandClock
from tests.given.keyrings import KeyringPlace, a_place
from tests.given.softhsm import SoftHsm
from vms_privacy.ids import SystemRandomness
from vms_privacy.keyring.backup_rules import BackupHead, root_after
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.folder_keyring import FolderKeyring, PutBack
from vms_privacy.keyring.pkcs11_keyring import Pkcs11Keyring
from vms_privacy.keyring.pkcs11_token import Pkcs11Token
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import Purpose

SEGMENT_KEY = KeyBytes(bytes(range(32)))
SIGNING = (Purpose.TOKEN_SIGNING, Purpose.RECEIPT_SIGNING, Purpose.CHECKPOINT_SIGNING)


@pytest.fixture(params=["file", "pkcs11"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> KeyringPlace:
    softhsm = request.getfixturevalue("softhsm") if request.param == "pkcs11" else None
    return a_place(request.param, tmp_path / "keyring", softhsm)


def put_back(place: KeyringPlace, clock: HandClock, kept: PutBack) -> FolderKeyring:
    if place.token is None:
        return FileKeyring.create(place.folder, clock, SystemRandomness(), put_back=kept)
    return Pkcs11Keyring.create(place.folder, Pkcs11Token(place.token), clock, SystemRandomness(), put_back=kept)


def test_what_is_put_back_opens_and_signs_anew(place: KeyringPlace, clock: HandClock, tmp_path: Path) -> None:
    keyring = place.create(clock)
    wraps = {}
    for _ in range(5):
        bucket_key = keyring.create_bucket_key()
        wraps[bucket_key] = keyring.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here")
    sealed = [keyring.seal(Purpose.CAMERA_CREDENTIAL, b"a secret", b"camera")]
    keyring.rotate(Purpose.CAMERA_CREDENTIAL)
    sealed.append(keyring.seal(Purpose.CAMERA_CREDENTIAL, b"a secret", b"camera"))
    for purpose in SIGNING:
        keyring.rotate(purpose)
    before = {purpose: {key.kid for key in keyring.public_keys(purpose)} for purpose in SIGNING}
    pseudonym = keyring.digest(Purpose.PSEUDONYM, b"192.0.2.1")
    contents = keyring.contents()
    place.folder.rename(tmp_path / "lost")
    again = put_back(place, clock, PutBack(contents, 5))
    for opened in (again, place.open(clock)):
        assert opened.bucket_keys() == set(wraps)
        for bucket_key, wrapped in wraps.items():
            assert opened.unwrap_in_bucket(bucket_key, wrapped, b"here").reveal() == SEGMENT_KEY.reveal()
        assert {opened.open(Purpose.CAMERA_CREDENTIAL, one, b"camera") for one in sealed} == {b"a secret"}
        assert opened.root_version == 5
    for purpose in SIGNING:
        after = {key.kid for key in again.public_keys(purpose)}
        assert before[purpose] < after
        assert again.sign(purpose, b"message")[0] in after - before[purpose]
    assert again.digest(Purpose.PSEUDONYM, b"192.0.2.1") != pseudonym
    assert again.rotate_root().version == 6


def test_a_keyring_in_a_token_is_put_back_under_a_root_the_token_never_had(
    softhsm: SoftHsm, tmp_path: Path, clock: HandClock
) -> None:
    place = a_place("pkcs11", tmp_path / "keyring", softhsm)
    keyring = place.create(clock)
    contents = keyring.contents()
    assert place.token is not None
    token = Pkcs11Token(place.token)
    (old,) = token.object_ids()
    place.folder.rename(tmp_path / "lost")
    put_back(place, clock, PutBack(contents, 3))
    # The root of the lost folder is destroyed with the first opening: nothing needs it any more.
    (new,) = token.object_ids()
    assert (old[:16], old != new) == (new[:16], True)


def test_a_copy_from_files_can_be_put_back_into_a_token(softhsm: SoftHsm, tmp_path: Path, clock: HandClock) -> None:
    keyring = a_place("file", tmp_path / "files", None).create(clock)
    bucket_key = keyring.create_bucket_key()
    wrapped = keyring.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here")
    again = put_back(a_place("pkcs11", tmp_path / "token", softhsm), clock, PutBack(keyring.contents(), 2))
    assert again.unwrap_in_bucket(bucket_key, wrapped, b"here").reveal() == SEGMENT_KEY.reveal()


@pytest.mark.parametrize(
    ("root", "retired", "expected"), [(1, set(), 2), (1, {1}, 3), (5, {1, 2}, 6), (2, {2, 7}, 9), (3, {3, 4}, 6)]
)
def test_the_new_root_has_a_version_that_none_ever_had(root: int, retired: set[int], expected: int) -> None:
    head = BackupHead(uuid.UUID(int=1), uuid.UUID(int=2), root, 0, 0, 1, "x")
    new = root_after(head, frozenset(retired))
    assert new == expected
    assert new > max([root, *(one + 1 for one in retired)])
