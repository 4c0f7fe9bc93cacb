"""Signing in the keyring: rotation, unknown keys, and how often strangers can make us look."""

import json
from datetime import timedelta

import pytest

from auth.tokens.errors import TokenIsBad
from auth.tokens.signing import TokenSigner
from tests.given.clock import HandClock
from tests.given.seeded_keyring import SeededKeyring
from tests.vectors.generate_stream_token import KEY, base64url, public, thumbprint, with_header, with_payload

FIRST, SECOND = bytes(range(32)), bytes(range(32, 64))


@pytest.fixture
def keyring() -> SeededKeyring:
    return SeededKeyring(FIRST)


@pytest.fixture
def signer(keyring: SeededKeyring, clock: HandClock) -> TokenSigner:
    return TokenSigner(keyring, clock, "vms-privacy", "vms-privacy/stream")


def test_after_a_rotation_new_tokens_name_the_new_key_and_old_ones_are_still_read(
    signer: TokenSigner, keyring: SeededKeyring
) -> None:
    claims = signer.read(with_payload())
    before = signer.sign(claims)
    keyring.rotate(SECOND)
    after = signer.sign(claims)
    assert before != after
    assert signer.read(before) == signer.read(after) == claims


def test_a_token_of_a_key_made_elsewhere_meanwhile_is_read_after_a_look_at_the_keyring(
    keyring: SeededKeyring, clock: HandClock
) -> None:
    keyring.rotate(SECOND)
    here, there = (TokenSigner(keyring, clock, "vms-privacy", "vms-privacy/stream") for _ in range(2))
    claims = here.read(with_payload())
    keyring.rotate(bytes(range(64, 96)))
    token = there.sign(claims)
    with pytest.raises(TokenIsBad):
        here.read(token)
    clock.forward(timedelta(seconds=5))
    assert here.read(token) == claims


def test_strangers_with_unknown_keys_make_us_look_at_the_keyring_once_in_five_seconds(
    signer: TokenSigner, keyring: SeededKeyring, clock: HandClock
) -> None:
    signer.read(with_payload())
    looked = keyring.times_asked
    for number in range(50):
        with pytest.raises(TokenIsBad):
            signer.read(with_header(kid=thumbprint(bytes([number]) * 32)))
    assert keyring.times_asked == looked
    clock.forward(timedelta(seconds=5))
    for number in range(50):
        with pytest.raises(TokenIsBad):
            signer.read(with_header(kid=thumbprint(bytes([number]) * 32)))
    assert keyring.times_asked == looked + 1


def test_the_public_keys_are_those_of_the_keyring_and_hold_nothing_secret(
    signer: TokenSigner, keyring: SeededKeyring
) -> None:
    keyring.rotate(SECOND)
    (_, old) = signer.jwks()["keys"]
    assert old == {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
        "kid": thumbprint(public(KEY)),
        "x": base64url(public(KEY)),
    }
    assert base64url(FIRST) not in json.dumps(signer.jwks())


def test_a_token_for_one_audience_or_of_one_issuer_is_none_for_another(
    signer: TokenSigner, keyring: SeededKeyring, clock: HandClock
) -> None:
    claims = signer.read(with_payload())
    for issuer, audience in [("vms-privacy", "elsewhere"), ("elsewhere", "vms-privacy/stream")]:
        with pytest.raises(TokenIsBad):
            TokenSigner(keyring, clock, issuer, audience).read(signer.sign(claims))
