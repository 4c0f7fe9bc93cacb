"""A keyring in a token of its own, with hands on what lies behind: SoftHSM's files, and the keyring's."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.given.clock import HandClock
from tests.given.keyrings import KeyringPlace
from tests.given.softhsm import SoftHsm
from vms_privacy.ids import BucketKeyId
from vms_privacy.keyring.folder_keyring import FolderKeyring
from vms_privacy.keyring.pkcs11_rules import object_id
from vms_privacy.keyring.pkcs11_token import Pkcs11Token
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyringUnavailable
from vms_privacy.keyring.rules import read_manifest

SEGMENT_KEY = KeyBytes(bytes(range(32)))


class Kept:
    """A keyring with its token, and where SoftHSM keeps that token's objects."""

    def __init__(self, softhsm: SoftHsm, folder: Path, clock: HandClock) -> None:
        before = softhsm.folders()
        self.token = softhsm.new_token()
        (self.objects,) = softhsm.folders() - before
        self.place, self.clock = KeyringPlace(folder, self.token), clock
        self.keyring = self.place.create(clock)
        self.folder = folder

    def opened(self) -> FolderKeyring:
        return self.place.open(self.clock)

    def refused(self) -> KeyringUnavailable:
        with pytest.raises(KeyringUnavailable) as caught:
            self.opened()
        return caught.value

    def a_wrap(self) -> tuple[BucketKeyId, bytes]:
        bucket_key = self.keyring.create_bucket_key()
        return bucket_key, self.keyring.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here")

    def root_id(self, version: int = 1) -> bytes:
        return object_id(read_manifest((self.folder / "manifest").read_bytes()).keyring_id, version)

    def copy(self, name: str) -> Path:
        return Path(shutil.copytree(self.folder, self.folder.with_name(name)))

    def forget(self) -> None:
        """Let time pass until no opened key is remembered."""
        self.clock.forward(timedelta(seconds=31))

    def look_anew(self) -> None:
        """Have the library start anew, by asking for what is not there: it reads a token's folder only then."""
        with pytest.raises(KeyringUnavailable):
            Pkcs11Token(replace(self.token, label="no such token")).object_ids()

    def unplugged(self) -> Path:
        """Take the token away; the library has to look again to find it back."""
        return self.objects.rename(self.objects.parents[1] / f"unplugged-{self.token.label}")


def opens(keyring: FolderKeyring, bucket_key: BucketKeyId, wrapped: bytes) -> bool:
    return keyring.unwrap_in_bucket(bucket_key, wrapped, b"here").reveal() == SEGMENT_KEY.reveal()
