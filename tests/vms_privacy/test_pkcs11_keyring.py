"""The PKCS#11 keyring's own promises: the root stays inside, nothing older opens, every fault is told and closed."""

import shutil
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pkcs11
import pytest

from tests.given.clock import HandClock
from tests.given.keyrings import KeyringPlace
from tests.given.softhsm import PIN, SoftHsm, pin_file
from vms_privacy.ids import BucketKeyId, SystemRandomness
from vms_privacy.keyring.folder_keyring import FolderKeyring
from vms_privacy.keyring.pkcs11_keyring import Pkcs11Keyring
from vms_privacy.keyring.pkcs11_roots import Pkcs11Roots, RootIsUsedUp
from vms_privacy.keyring.pkcs11_rules import MOST_USES, USES_AT_A_TIME, object_id, packed_uses, read_uses
from vms_privacy.keyring.pkcs11_token import Pkcs11Token
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, KeyringUnavailable, Purpose, WrapIsDamaged
from vms_privacy.keyring.rules import WhyRotate, read_manifest

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


@pytest.fixture
def kept(softhsm: SoftHsm, tmp_path: Path, clock: HandClock) -> Kept:
    return Kept(softhsm, tmp_path / "keyring", clock)


def opens(keyring: FolderKeyring, bucket_key: BucketKeyId, wrapped: bytes) -> bool:
    return keyring.unwrap_in_bucket(bucket_key, wrapped, b"here").reveal() == SEGMENT_KEY.reveal()


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
    kept.keyring.destroy_bucket_key(destroyed)
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


# PIN, token and library


def test_a_wrong_pin_is_tried_once_and_shows_nowhere(softhsm: SoftHsm, tmp_path: Path) -> None:
    place = softhsm.new_token()
    wrong = replace(place, pin_file=pin_file(tmp_path / "pin", "another-pin-that-nobody-prints"))
    token = Pkcs11Token(wrong)
    for words in ("PinIncorrect", "refused this PIN before"):
        with pytest.raises(KeyringUnavailable, match=words) as caught:
            token.object_ids()
        assert caught.value.facts == {"role": "PIN file"}
        told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        assert "that-nobody-prints" not in "".join(told.format()) + repr(token) + repr(vars(token))
    pin_file(wrong.pin_file, PIN)
    assert token.object_ids() == frozenset()


@pytest.mark.parametrize("fault", ["missing", "others may read", "a link", "no text"])
def test_a_pin_file_that_is_not_as_it_should_be_is_refused(softhsm: SoftHsm, tmp_path: Path, fault: str) -> None:
    place = softhsm.new_token()
    path = pin_file(tmp_path / "pin", PIN)
    if fault == "missing":
        path.unlink()
    elif fault == "others may read":
        path.chmod(0o640)
    elif fault == "a link":
        path.replace(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.write_bytes(b"\xff\xfe")
    with pytest.raises(KeyringUnavailable) as caught:
        Pkcs11Token(replace(place, pin_file=path)).object_ids()
    assert caught.value.facts == {"role": "PIN file"}
    assert str(tmp_path) not in caught.value.detail


@pytest.mark.parametrize("library", ["missing", "no library", "another library"])
def test_a_wrong_library_is_refused_without_its_path(softhsm: SoftHsm, tmp_path: Path, library: str) -> None:
    path = tmp_path / "module.so"
    if library == "no library":
        path.write_bytes(b"\x7fELF and nothing more")
    elif library == "another library":
        # A real one, which knows nothing of PKCS#11.
        path = Path(pkcs11._pkcs11.__file__)
    with pytest.raises(KeyringUnavailable) as caught:
        Pkcs11Token(replace(softhsm.new_token(), library=path)).object_ids()
    assert str(path) not in caught.value.detail
    assert caught.value.facts == {"role": "token"}


def test_a_token_that_is_not_there_is_refused(softhsm: SoftHsm) -> None:
    with pytest.raises(KeyringUnavailable, match="NoSuchToken"):
        Pkcs11Token(replace(softhsm.new_token(), label="another")).object_ids()


def test_a_token_taken_out_is_unavailable_and_one_put_back_is_found(kept: Kept) -> None:
    bucket_key, wrapped = kept.a_wrap()
    away = kept.unplugged()
    kept.forget()
    asks: tuple[Callable[[], object], ...] = (
        lambda: kept.keyring.unwrap_in_bucket(bucket_key, wrapped, b"here"),
        lambda: kept.keyring.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here"),
        kept.keyring.create_bucket_key,
        kept.keyring.rotate_root,
        lambda: kept.keyring.sign(Purpose.TOKEN_SIGNING, b""),
        kept.opened,
    )
    kept.look_anew()
    for ask in asks:
        with pytest.raises(KeyringUnavailable):
            ask()
    away.rename(kept.objects)
    assert opens(kept.keyring, bucket_key, wrapped)
    assert opens(kept.opened(), bucket_key, wrapped)
    kept.keyring.rotate_root()
    assert opens(kept.opened(), bucket_key, wrapped)


def test_a_new_start_of_the_library_ends_no_other_tokens_work(softhsm: SoftHsm, tmp_path: Path) -> None:
    """Handles are given again after a new start: each must be taken for its own token's, and no other's."""
    one, two = (Kept(softhsm, tmp_path / name, HandClock()) for name in ("one", "two"))
    wraps = {kept: kept.a_wrap() for kept in (one, two)}
    for faulty in (one, two):
        faulty.look_anew()
        for kept, (bucket_key, wrapped) in wraps.items():
            kept.forget()
            assert opens(kept.keyring, bucket_key, wrapped)
            assert kept.root_id() in Pkcs11Token(kept.token).object_ids()


def test_a_root_that_was_destroyed_in_the_token_is_unavailable_and_never_made_anew(kept: Kept) -> None:
    bucket_key, wrapped = kept.a_wrap()
    Pkcs11Token(kept.token).destroy_key(kept.root_id())
    kept.forget()
    with pytest.raises(KeyringUnavailable):
        kept.keyring.unwrap_in_bucket(bucket_key, wrapped, b"here")
    assert kept.refused().facts == {"role": "root 1"}
    assert Pkcs11Token(kept.token).object_ids() == frozenset()


def test_another_key_in_the_place_of_a_root_is_unavailable_and_no_damage_is_told(kept: Kept) -> None:
    bucket_key, wrapped = kept.a_wrap()
    Pkcs11Token(kept.token).make_key(kept.root_id(), "not the root")
    kept.forget()
    with pytest.raises(KeyringUnavailable):
        kept.keyring.unwrap_in_bucket(bucket_key, wrapped, b"here")
    assert kept.refused().facts == {"role": "root 1"}


def test_a_root_that_somebody_brought_from_outside_is_refused(kept: Kept) -> None:
    Pkcs11Token(kept.token).destroy_key(kept.root_id())
    session = pkcs11.lib(str(kept.token.library)).get_token(token_label=kept.token.label).open(rw=True)
    session.create_object(
        {
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
            pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.AES,
            pkcs11.Attribute.ID: kept.root_id(),
            pkcs11.Attribute.TOKEN: True,
            pkcs11.Attribute.SENSITIVE: True,
            pkcs11.Attribute.ENCRYPT: True,
            pkcs11.Attribute.DECRYPT: True,
            pkcs11.Attribute.VALUE: bytes(32),
        }
    )
    assert "outside" in kept.refused().detail


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
    path = kept.folder / "buckets" / f"{bucket_key}.key"
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
    kept.keyring.destroy_bucket_key(bucket_key)
    kept.look_anew()
    with pytest.raises(KeyIsDestroyed):
        kept.opened().unwrap_in_bucket(bucket_key, wrapped, b"here")


# Threads


def test_many_threads_with_sessions_of_their_own_use_one_token(kept: Kept) -> None:
    """Without one lock round all calls the library ends the whole process with a segmentation fault."""
    keyring_id = read_manifest((kept.folder / "manifest").read_bytes()).keyring_id
    wrong: list[str] = []

    def work(number: int) -> None:
        roots = Pkcs11Roots(kept.folder / "roots", lambda: keyring_id, Pkcs11Token(kept.token), SystemRandomness())
        value = bytes([number]) * 32
        for at in range(125):
            place = b"%d %d" % (number, at)
            wrapped = roots.wrap(1, value, place)
            if roots.unwrap(1, wrapped, place) != value:
                wrong.append("another value came back")
            try:
                roots.unwrap(1, wrapped, place + b"!")
                wrong.append("it opened in another place")
            except WrapIsDamaged:
                roots.require(1)

    # Each time round: wrapped and looked at, opened, refused, and the known wrap opened.
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
