"""The one door to PKCS#11: what a wrong PIN, a missing token, a foreign key or many threads come to."""

import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pkcs11
import pytest

from tests.given.clock import HandClock
from tests.given.pkcs11_kept import SEGMENT_KEY, Kept, opens
from tests.given.softhsm import PIN, SoftHsm, pin_file
from vms_privacy.ids import SystemRandomness
from vms_privacy.keyring.pkcs11_roots import Pkcs11Roots
from vms_privacy.keyring.pkcs11_token import Pkcs11Token
from vms_privacy.keyring.port import KeyringUnavailable, Purpose, WrapIsDamaged
from vms_privacy.keyring.rules import read_manifest


@pytest.fixture
def kept(softhsm: SoftHsm, tmp_path: Path, clock: HandClock) -> Kept:
    return Kept(softhsm, tmp_path / "keyring", clock)


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
