"""What every keyring promises. One suite; each real implementation runs all of it."""

import base64
import hashlib
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.given.clock import HandClock
from tests.given.keyrings import a_place
from vms_privacy.ids import BucketKeyId
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, Keyring, Purpose, WrapIsDamaged
from vms_privacy.keyring.rules import handover

SEGMENT_KEY = bytes(range(32))
PLACE = b"operator, camera, segment"
SIGNING = (Purpose.TOKEN_SIGNING, Purpose.RECEIPT_SIGNING, Purpose.CHECKPOINT_SIGNING)


class RotatingKeyring(Keyring, Protocol):
    """What the suite asks for beyond the port: both implementations rotate a purpose by call."""

    def rotate(self, purpose: Purpose) -> int: ...


@dataclass(frozen=True)
class Kept:
    """A keyring under test, and the way to open the same one a second time."""

    keyring: RotatingKeyring
    reopen: Callable[[], RotatingKeyring]


@pytest.fixture(params=["file", "pkcs11"])
def kept(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> Kept:
    # Asked for here and not above: without SoftHSM the file keyring is tested all the same.
    softhsm = request.getfixturevalue("softhsm") if request.param == "pkcs11" else None
    place = a_place(request.param, tmp_path / "keyring", softhsm)
    return Kept(place.create(clock), lambda: place.open(clock))


@pytest.fixture
def keyring(kept: Kept) -> RotatingKeyring:
    return kept.keyring


def test_a_wrapped_segment_key_opens_again_also_after_a_restart(kept: Kept) -> None:
    bucket_key = kept.keyring.create_bucket_key()
    wrapped = kept.keyring.wrap_in_bucket(bucket_key, KeyBytes(SEGMENT_KEY), PLACE)
    assert SEGMENT_KEY not in wrapped
    for keyring in (kept.keyring, kept.reopen()):
        assert keyring.unwrap_in_bucket(bucket_key, wrapped, PLACE).reveal() == SEGMENT_KEY


def test_the_same_key_wrapped_twice_gives_different_bytes(keyring: RotatingKeyring) -> None:
    bucket_key = keyring.create_bucket_key()
    wraps = {keyring.wrap_in_bucket(bucket_key, KeyBytes(SEGMENT_KEY), PLACE) for _ in range(100)}
    assert len(wraps) == 100


def test_a_wrap_opens_only_in_its_place_and_its_bucket(keyring: RotatingKeyring) -> None:
    bucket_key, other = keyring.create_bucket_key(), keyring.create_bucket_key()
    wrapped = keyring.wrap_in_bucket(bucket_key, KeyBytes(SEGMENT_KEY), PLACE)
    with pytest.raises(WrapIsDamaged):
        keyring.unwrap_in_bucket(bucket_key, wrapped, PLACE + b"!")
    with pytest.raises(WrapIsDamaged):
        keyring.unwrap_in_bucket(other, wrapped, PLACE)


def test_a_wrap_with_any_byte_changed_or_missing_is_refused(keyring: RotatingKeyring) -> None:
    bucket_key = keyring.create_bucket_key()
    wrapped = keyring.wrap_in_bucket(bucket_key, KeyBytes(SEGMENT_KEY), PLACE)
    changed = [wrapped[:i] + bytes([wrapped[i] ^ 1]) + wrapped[i + 1 :] for i in range(len(wrapped))]
    for bad in (*changed, *(wrapped[:i] for i in range(len(wrapped))), wrapped + b"\0"):
        with pytest.raises(WrapIsDamaged):
            keyring.unwrap_in_bucket(bucket_key, bad, PLACE)


def test_a_destroyed_bucket_key_opens_and_wraps_nothing_any_more(kept: Kept) -> None:
    bucket_key = kept.keyring.create_bucket_key()
    wrapped = kept.keyring.wrap_in_bucket(bucket_key, KeyBytes(SEGMENT_KEY), PLACE)
    assert kept.keyring.destroy_bucket_keys([bucket_key])
    for keyring in (kept.keyring, kept.reopen()):
        with pytest.raises(KeyIsDestroyed):
            keyring.unwrap_in_bucket(bucket_key, wrapped, PLACE)
        with pytest.raises(KeyIsDestroyed):
            keyring.wrap_in_bucket(bucket_key, KeyBytes(SEGMENT_KEY), PLACE)
        assert bucket_key not in keyring.bucket_keys()


def test_a_key_remembered_elsewhere_is_unusable_once_it_is_destroyed(kept: Kept) -> None:
    bucket_key = kept.keyring.create_bucket_key()
    wrapped = kept.keyring.wrap_in_bucket(bucket_key, KeyBytes(SEGMENT_KEY), PLACE)
    elsewhere = kept.reopen()
    assert elsewhere.unwrap_in_bucket(bucket_key, wrapped, PLACE).reveal() == SEGMENT_KEY
    kept.keyring.destroy_bucket_keys([bucket_key])
    with pytest.raises(KeyIsDestroyed):
        elsewhere.unwrap_in_bucket(bucket_key, wrapped, PLACE)


def test_destroying_twice_is_calm_but_truthful(keyring: RotatingKeyring) -> None:
    bucket_key = keyring.create_bucket_key()
    assert keyring.destroy_bucket_keys([bucket_key])
    assert not keyring.destroy_bucket_keys([bucket_key])


def test_destroying_one_bucket_key_leaves_its_neighbours(keyring: RotatingKeyring) -> None:
    first, second = keyring.create_bucket_key(), keyring.create_bucket_key()
    wrapped = keyring.wrap_in_bucket(second, KeyBytes(SEGMENT_KEY), PLACE)
    keyring.destroy_bucket_keys([first])
    assert keyring.unwrap_in_bucket(second, wrapped, PLACE).reveal() == SEGMENT_KEY
    assert keyring.bucket_keys() == {second}


def test_many_bucket_keys_are_destroyed_at_once_and_it_is_told_which_were_there(kept: Kept) -> None:
    """More than there are pages, so that some share one and all pages are gone through."""
    keys = [kept.keyring.create_bucket_key() for _ in range(300)]
    unknown = BucketKeyId(uuid.UUID(int=7))
    doomed, living = keys[:280], keys[280:]
    wrapped = {one: kept.keyring.wrap_in_bucket(one, KeyBytes(SEGMENT_KEY), PLACE) for one in keys}
    assert kept.keyring.destroy_bucket_keys([*doomed, unknown]) == frozenset(doomed)
    assert kept.keyring.destroy_bucket_keys([]) == frozenset()
    for keyring in (kept.keyring, kept.reopen()):
        assert keyring.bucket_keys() == frozenset(living)
        for one in doomed:
            with pytest.raises(KeyIsDestroyed):
                keyring.unwrap_in_bucket(one, wrapped[one], PLACE)
        assert all(keyring.unwrap_in_bucket(one, wrapped[one], PLACE).reveal() == SEGMENT_KEY for one in living)


def test_an_unknown_bucket_key_fails_closed(keyring: RotatingKeyring) -> None:
    unknown = BucketKeyId(uuid.UUID(int=7))
    with pytest.raises(KeyIsDestroyed):
        keyring.wrap_in_bucket(unknown, KeyBytes(SEGMENT_KEY), PLACE)
    with pytest.raises(KeyIsDestroyed):
        keyring.unwrap_in_bucket(unknown, b"\x01" + bytes(72), PLACE)
    assert not keyring.destroy_bucket_keys([unknown])


def test_the_living_bucket_keys_are_listed(kept: Kept) -> None:
    assert kept.keyring.bucket_keys() == frozenset()
    made = {kept.keyring.create_bucket_key() for _ in range(5)}
    assert kept.keyring.bucket_keys() == kept.reopen().bucket_keys() == made


def test_a_sealed_credential_opens_only_in_its_place(kept: Kept) -> None:
    sealed = kept.keyring.seal(Purpose.CAMERA_CREDENTIAL, b"a secret", b"camera 1")
    assert b"a secret" not in sealed
    assert kept.reopen().open(Purpose.CAMERA_CREDENTIAL, sealed, b"camera 1") == b"a secret"
    with pytest.raises(WrapIsDamaged):
        kept.keyring.open(Purpose.CAMERA_CREDENTIAL, sealed, b"camera 2")


def test_a_sealed_credential_with_any_byte_changed_is_refused(keyring: RotatingKeyring) -> None:
    sealed = keyring.seal(Purpose.CAMERA_CREDENTIAL, b"a secret", b"camera 1")
    for i in range(len(sealed)):
        bad = sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :]
        with pytest.raises(WrapIsDamaged):
            keyring.open(Purpose.CAMERA_CREDENTIAL, bad, b"camera 1")
        with pytest.raises(WrapIsDamaged):
            keyring.open(Purpose.CAMERA_CREDENTIAL, sealed[:i], b"camera 1")


def test_a_credential_sealed_before_a_rotation_still_opens(kept: Kept) -> None:
    before = kept.keyring.seal(Purpose.CAMERA_CREDENTIAL, b"a secret", b"camera 1")
    kept.keyring.rotate(Purpose.CAMERA_CREDENTIAL)
    after = kept.keyring.seal(Purpose.CAMERA_CREDENTIAL, b"a secret", b"camera 1")
    for keyring in (kept.keyring, kept.reopen()):
        for sealed in (before, after):
            assert keyring.open(Purpose.CAMERA_CREDENTIAL, sealed, b"camera 1") == b"a secret"


@pytest.mark.parametrize("purpose", SIGNING)
def test_a_signature_stays_verifiable_after_rotations(kept: Kept, purpose: Purpose) -> None:
    signed = [kept.keyring.sign(purpose, b"message")]
    for _ in range(2):
        kept.keyring.rotate(purpose)
        signed.append(kept.keyring.sign(purpose, b"message"))
    for keyring in (kept.keyring, kept.reopen()):
        by_kid = {key.kid: key.raw for key in keyring.public_keys(purpose)}
        assert len(by_kid) == 3
        for kid, signature in signed:
            Ed25519PublicKey.from_public_bytes(by_kid[kid]).verify(signature, b"message")


@pytest.mark.parametrize("purpose", SIGNING)
def test_the_current_public_key_comes_first(keyring: RotatingKeyring, purpose: Purpose) -> None:
    before = keyring.public_keys(purpose)
    keyring.rotate(purpose)
    kid, _ = keyring.sign(purpose, b"message")
    assert keyring.public_keys(purpose)[0].kid == kid
    assert keyring.public_keys(purpose)[1:] == before


@pytest.mark.parametrize("purpose", SIGNING)
def test_each_signing_key_hands_over_to_the_next_and_its_dates_stay_known(
    kept: Kept, clock: HandClock, purpose: Purpose
) -> None:
    first = clock.now()
    for _ in range(2):
        clock.forward(timedelta(days=20))
        kept.keyring.rotate(purpose)
    for keyring in (kept.keyring, kept.reopen()):
        terms = keyring.signing_terms(purpose)
        assert [term.version for term in terms] == [1, 2, 3]
        assert [term.made_at for term in terms] == [first + timedelta(days=20 * at) for at in range(3)]
        assert [term.public for term in reversed(terms)] == list(keyring.public_keys(purpose))
        assert terms[0].handed_over is None
        for before, after in pairwise(terms):
            assert after.handed_over is not None
            assert after.made_at is not None
            said = handover(purpose, before.public.kid, after.public.kid, after.made_at)
            Ed25519PublicKey.from_public_bytes(before.public.raw).verify(after.handed_over, said)
            with pytest.raises(InvalidSignature):
                Ed25519PublicKey.from_public_bytes(after.public.raw).verify(after.handed_over, said)


def test_a_rotation_elsewhere_is_noticed_at_once(kept: Kept) -> None:
    elsewhere = kept.reopen()
    elsewhere.sign(Purpose.TOKEN_SIGNING, b"message")
    kept.keyring.rotate(Purpose.TOKEN_SIGNING)
    assert elsewhere.sign(Purpose.TOKEN_SIGNING, b"m") == kept.keyring.sign(Purpose.TOKEN_SIGNING, b"m")
    assert elsewhere.public_keys(Purpose.TOKEN_SIGNING) == kept.keyring.public_keys(Purpose.TOKEN_SIGNING)


def test_a_key_is_at_hand_once_it_was_used_until_it_rotates_or_is_forgotten(kept: Kept, clock: HandClock) -> None:
    keyring, purpose = kept.reopen(), Purpose.TOKEN_SIGNING
    keyring.sign(purpose, b"message")
    assert keyring.is_at_hand(purpose)
    kept.keyring.rotate(purpose)
    assert not keyring.is_at_hand(purpose)
    keyring.sign(purpose, b"message")
    clock.forward(timedelta(seconds=31))
    assert not keyring.is_at_hand(purpose)


def test_a_kid_is_the_thumbprint_of_rfc_7638(keyring: RotatingKeyring) -> None:
    key = keyring.public_keys(Purpose.TOKEN_SIGNING)[0]
    x = base64.urlsafe_b64encode(key.raw).decode().rstrip("=")
    digest = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest()
    assert key.kid == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_a_key_of_one_purpose_signs_for_no_other(keyring: RotatingKeyring) -> None:
    _, signature = keyring.sign(Purpose.TOKEN_SIGNING, b"message")
    others = [key for purpose in SIGNING[1:] for key in keyring.public_keys(purpose)]
    for key in others:
        with pytest.raises(InvalidSignature):
            Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, b"message")


def test_a_digest_is_the_same_until_its_key_rotates(kept: Kept) -> None:
    before = kept.keyring.digest(Purpose.PSEUDONYM, b"192.0.2.1")
    assert len(before) == 32
    assert kept.reopen().digest(Purpose.PSEUDONYM, b"192.0.2.1") == before
    assert kept.keyring.digest(Purpose.PSEUDONYM, b"192.0.2.2") != before
    kept.keyring.rotate(Purpose.PSEUDONYM)
    assert kept.keyring.digest(Purpose.PSEUDONYM, b"192.0.2.1") != before


def test_a_purpose_is_not_used_for_what_it_is_not(keyring: RotatingKeyring) -> None:
    with pytest.raises(ValueError, match="not made for this"):
        keyring.sign(Purpose.CAMERA_CREDENTIAL, b"")
    with pytest.raises(ValueError, match="not made for this"):
        keyring.public_keys(Purpose.PSEUDONYM)
    with pytest.raises(ValueError, match="not made for this"):
        keyring.seal(Purpose.TOKEN_SIGNING, b"", b"")
    with pytest.raises(ValueError, match="not made for this"):
        keyring.open(Purpose.RECEIPT_SIGNING, b"", b"")
    with pytest.raises(ValueError, match="not made for this"):
        keyring.digest(Purpose.ARCHIVE_BUCKET, b"")


def test_an_opened_key_does_not_show_itself(keyring: RotatingKeyring) -> None:
    bucket_key = keyring.create_bucket_key()
    wrapped = keyring.wrap_in_bucket(bucket_key, KeyBytes(SEGMENT_KEY), PLACE)
    opened = keyring.unwrap_in_bucket(bucket_key, wrapped, PLACE)
    assert repr(opened) == str(opened) == "KeyBytes(hidden)"


def test_many_threads_wrap_unwrap_and_destroy_at_once(keyring: RotatingKeyring) -> None:
    wrong: list[str] = []

    def one_camera(number: int) -> None:
        place = b"camera %d" % number
        for _ in range(5):
            bucket_key = keyring.create_bucket_key()
            wrapped = keyring.wrap_in_bucket(bucket_key, KeyBytes(SEGMENT_KEY), place)
            if keyring.unwrap_in_bucket(bucket_key, wrapped, place).reveal() != SEGMENT_KEY:
                wrong.append("another key came back")
            if not keyring.destroy_bucket_keys([bucket_key]):
                wrong.append("it was not there")
            try:
                keyring.unwrap_in_bucket(bucket_key, wrapped, place)
                wrong.append("it opened after it was destroyed")
            except KeyIsDestroyed:
                keyring.sign(Purpose.TOKEN_SIGNING, place)

    threads = [threading.Thread(target=one_camera, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert keyring.bucket_keys() == frozenset()
