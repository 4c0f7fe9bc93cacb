"""The PKCS#11 keyring's own promises: the root stays inside, nothing older opens, every fault is told and closed."""

import shutil
from dataclasses import replace
from pathlib import Path

import pkcs11
import pytest

from tests.given.clock import HandClock
from tests.given.keyrings import KeyringPlace
from tests.given.pages import page_with
from tests.given.pkcs11_kept import SEGMENT_KEY, Kept, opens
from tests.given.softhsm import SoftHsm
from vms_privacy.ids import SystemRandomness
from vms_privacy.keyring.pkcs11_keyring import Pkcs11Keyring
from vms_privacy.keyring.pkcs11_roots import RootIsUsedUp
from vms_privacy.keyring.pkcs11_rules import MOST_USES, USES_AT_A_TIME, packed_uses, read_uses
from vms_privacy.keyring.pkcs11_token import Pkcs11Token
from vms_privacy.keyring.port import KeyIsDestroyed, KeyringUnavailable, Purpose
from vms_privacy.keyring.root_rotation import Step
from vms_privacy.keyring.rules import WhyRotate


@pytest.fixture
def kept(softhsm: SoftHsm, tmp_path: Path, clock: HandClock) -> Kept:
    return Kept(softhsm, tmp_path / "keyring", clock)


# The root stays inside


def test_a_root_was_never_outside_the_token_and_cannot_be_had_from_it(kept: Kept) -> None:
    session = pkcs11.lib(str(kept.token.library)).get_token(token_label=kept.token.label).open()
    (root,) = session.get_objects({pkcs11.Attribute.ID: kept.root_id()})
    for attribute in ("LOCAL", "SENSITIVE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE"):
        assert root[pkcs11.Attribute[attribute]] is True
    assert root[pkcs11.Attribute.EXTRACTABLE] is False
    with pytest.raises(pkcs11.exceptions.AttributeSensitive):
        root[pkcs11.Attribute.VALUE]


def test_many_bucket_keys_are_one_object_in_the_token(kept: Kept) -> None:
    for _ in range(20):
        kept.keyring.create_bucket_key()
    assert Pkcs11Token(kept.token).object_ids() == {kept.root_id()}


def test_after_a_root_rotation_no_older_copy_of_the_folder_opens_even_with_the_token(kept: Kept) -> None:
    destroyed, wrapped = kept.a_wrap()
    living, its_wrap = kept.a_wrap()
    old = kept.copy("old")
    kept.keyring.destroy_bucket_keys([destroyed])
    # Until then the copy opens: that is what is being waited for.
    assert opens(kept.place.at(old).open(kept.clock), destroyed, wrapped)
    kept.keyring.rotate_root()
    with pytest.raises(KeyringUnavailable):
        kept.place.at(old).open(kept.clock)
    # Told by today's manifest and roots that all is well, the old key file still does not open.
    for name in ("manifest", "roots", "purposes"):
        mixed, today = old / name, kept.folder / name
        shutil.rmtree(mixed) if mixed.is_dir() else mixed.unlink()
        shutil.copytree(today, mixed) if today.is_dir() else shutil.copy(today, mixed)
    mended = kept.place.at(old).open(kept.clock)
    assert destroyed in mended.bucket_keys()
    with pytest.raises(KeyringUnavailable):
        mended.unwrap_in_bucket(destroyed, wrapped, b"here")
    assert opens(kept.opened(), living, its_wrap)


def test_a_rotated_root_is_no_longer_in_the_token(kept: Kept) -> None:
    kept.keyring.rotate_root()
    assert Pkcs11Token(kept.token).object_ids() == {kept.root_id(2)}


def test_a_root_that_a_power_cut_brought_back_is_destroyed_on_opening(kept: Kept) -> None:
    lost = {path: path.read_bytes() for path in kept.objects.iterdir()}
    kept.keyring.rotate_root()
    for path, data in lost.items():
        if not path.exists():
            path.write_bytes(data)
    kept.look_anew()
    assert kept.root_id(1) in Pkcs11Token(kept.token).object_ids()
    kept.opened()
    assert Pkcs11Token(kept.token).object_ids() == {kept.root_id(2)}


def test_an_older_folder_never_destroys_a_newer_root(kept: Kept) -> None:
    old = kept.copy("old")
    bucket_key, wrapped = kept.a_wrap()
    kept.keyring.rotate_root()
    with pytest.raises(KeyringUnavailable):
        kept.place.at(old).open(kept.clock)
    assert opens(kept.opened(), bucket_key, wrapped)


def test_an_older_folder_never_replaces_a_newer_root(kept: Kept) -> None:
    """The newer folder is in the middle of a rotation, so the token still has the root of the older one."""
    old = kept.copy("old")
    bucket_key, wrapped = kept.a_wrap()
    for step in kept.keyring.root_rotation().steps():
        if step is Step.REWRAPPED:
            break
    older = kept.place.at(old).open(kept.clock)
    with pytest.raises(KeyringUnavailable, match="newer state"):
        older.rotate_root()
    assert opens(kept.opened(), bucket_key, wrapped)
    kept.opened().rotate_root()
    assert opens(kept.opened(), bucket_key, wrapped)


class ForgetfulToken(Pkcs11Token):
    """A token whose wraps nobody opens from some moment on."""

    is_well = True

    def wrap(self, object_id: bytes, nonce: bytes, value: bytes, associated: bytes) -> bytes:
        wrapped = super().wrap(object_id, nonce, value, associated)
        return wrapped if self.is_well else wrapped[:-1] + bytes([wrapped[-1] ^ 1])


def test_what_a_token_wraps_wrongly_replaces_nothing(kept: Kept) -> None:
    bucket_key, wrapped = kept.a_wrap()
    token = ForgetfulToken(kept.token)
    keyring = Pkcs11Keyring(kept.folder, token, kept.clock, SystemRandomness())
    steps = keyring.root_rotation().steps()
    while next(steps) is not Step.SWITCHED:
        pass
    token.is_well = False
    for act in (keyring.create_bucket_key, keyring.rotate_root, lambda: keyring.rotate(Purpose.TOKEN_SIGNING)):
        with pytest.raises(KeyringUnavailable, match="does not open what it has wrapped"):
            act()
    assert keyring.bucket_keys() == {bucket_key}
    assert opens(kept.opened(), bucket_key, wrapped)
    kept.opened().rotate_root()
    assert opens(kept.opened(), bucket_key, wrapped)


def test_a_rotation_in_another_process_is_noticed_at_once(kept: Kept) -> None:
    bucket_key, wrapped = kept.a_wrap()
    kept.place.rotate_elsewhere()
    kept.forget()
    kept.keyring.forget_old()
    assert opens(kept.keyring, bucket_key, wrapped)
    assert opens(kept.keyring, *kept.a_wrap())


def test_two_keyrings_share_a_token_and_know_nothing_of_each_other(kept: Kept) -> None:
    other = KeyringPlace(kept.folder.with_name("other"), kept.token)
    bucket_key, wrapped = kept.a_wrap()
    other.create(kept.clock).rotate_root()
    assert opens(kept.opened(), bucket_key, wrapped)
    shutil.rmtree(kept.folder / "roots")
    shutil.copytree(other.folder / "roots", kept.folder / "roots")
    shutil.copy(kept.folder / "roots/000002.root", kept.folder / "roots/000001.root")
    assert "damaged" in kept.refused().detail


# The folder


def test_any_changed_byte_of_a_card_is_found_on_opening(kept: Kept) -> None:
    path = kept.folder / "roots/000001.root"
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
        assert kept.refused().facts == {"role": "root 1"}
    path.write_bytes(whole)
    kept.opened()


@pytest.mark.parametrize("name", ["manifest", "lock", "roots/000001.root", "purposes/receipt-signing/000001.key"])
def test_a_missing_part_is_loud_and_never_made_anew(kept: Kept, name: str) -> None:
    (kept.folder / name).unlink()
    kept.refused()
    assert not (kept.folder / name).exists()


def test_a_damaged_bucket_key_is_unavailable_and_not_gone(kept: Kept) -> None:
    bucket_key, wrapped = kept.a_wrap()
    path = page_with(kept.folder, bucket_key)
    whole = path.read_bytes()
    for bad in (b"", whole[:-1], bytes(len(whole)), whole[:-1] + bytes([whole[-1] ^ 1]), whole + b"\0"):
        path.write_bytes(bad)
        with pytest.raises(KeyringUnavailable):
            kept.opened().unwrap_in_bucket(bucket_key, wrapped, b"here")


def test_a_creation_that_fails_half_way_leaves_no_keyring(softhsm: SoftHsm, tmp_path: Path, clock: HandClock) -> None:
    nowhere = replace(softhsm.new_token(), label="another")
    with pytest.raises(KeyringUnavailable):
        Pkcs11Keyring.create(tmp_path / "keyring", Pkcs11Token(nowhere), clock, SystemRandomness())
    assert not (tmp_path / "keyring").exists()


# Counting


def count(kept: Kept, version: int = 1) -> int:
    return read_uses((kept.folder / f"roots/{version:06d}.uses").read_bytes(), version)


def test_every_use_of_a_root_was_counted_before_it_happened(kept: Kept) -> None:
    # The known wrap and the five purposes.
    assert count(kept) == USES_AT_A_TIME
    kept.a_wrap()
    assert count(kept) == USES_AT_A_TIME * 2
    kept.a_wrap()
    assert count(kept) == USES_AT_A_TIME * 2
    kept.opened().create_bucket_key()
    assert count(kept) == USES_AT_A_TIME * 3


def test_a_root_that_is_used_up_wraps_nothing_more_opens_everything_and_is_mended_by_a_rotation(kept: Kept) -> None:
    bucket_key, wrapped = kept.a_wrap()
    (kept.folder / "roots/000001.uses").write_bytes(packed_uses(1, MOST_USES))
    keyring = kept.opened()
    with pytest.raises(RootIsUsedUp, match="must be rotated"):
        keyring.create_bucket_key()
    with pytest.raises(RootIsUsedUp):
        keyring.rotate(Purpose.TOKEN_SIGNING)
    assert opens(keyring, bucket_key, wrapped)
    assert keyring.why_rotate_root() is WhyRotate.USED_UP
    keyring.rotate_root()
    assert keyring.why_rotate_root() is None
    made = keyring.create_bucket_key()
    assert opens(keyring, made, keyring.wrap_in_bucket(made, SEGMENT_KEY, b"here"))


@pytest.mark.parametrize("content", [None, b"", bytes(52), packed_uses(2, 0)])
def test_a_count_that_cannot_be_read_counts_as_used_up(kept: Kept, content: bytes | None) -> None:
    path = kept.folder / "roots/000001.uses"
    path.unlink() if content is None else path.write_bytes(content)
    keyring = kept.opened()
    with pytest.raises(RootIsUsedUp, match="cannot be told"):
        keyring.create_bucket_key()
    keyring.rotate_root()
    keyring.create_bucket_key()


def test_a_destroyed_key_is_destroyed_with_the_token_too(kept: Kept) -> None:
    bucket_key, wrapped = kept.a_wrap()
    kept.keyring.destroy_bucket_keys([bucket_key])
    kept.look_anew()
    with pytest.raises(KeyIsDestroyed):
        kept.opened().unwrap_in_bucket(bucket_key, wrapped, b"here")
