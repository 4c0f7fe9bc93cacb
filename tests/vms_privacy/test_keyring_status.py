"""What a keyring tells about its keys: true at every step of a rotation, alike for both, and without a secret."""

import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.given.clock import HandClock
from tests.given.keyrings import KeyringPlace, a_place
from tests.properties.test_keyring import manifests
from vms_privacy.keyring.pkcs11_rules import USES_AT_A_TIME
from vms_privacy.keyring.port import KeyringUnavailable, Purpose
from vms_privacy.keyring.root_rotation import Step
from vms_privacy.keyring.rules import ROOT_LIFE, Manifest
from vms_privacy.keyring.status import KeyState, root_states, version_state


@pytest.fixture(params=["file", "pkcs11"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> KeyringPlace:
    softhsm = request.getfixturevalue("softhsm") if request.param == "pkcs11" else None
    return a_place(request.param, tmp_path / "keyring", softhsm)


def test_a_keyring_tells_its_root_its_purposes_and_how_many_bucket_keys_it_has(
    place: KeyringPlace, clock: HandClock
) -> None:
    keyring, made_at = place.create(clock), clock.now()
    clock.forward(timedelta(days=2))
    for _ in range(3):
        keyring.create_bucket_key()
    keyring.rotate(Purpose.CAMERA_CREDENTIAL)
    keyring.rotate(Purpose.TOKEN_SIGNING)
    status = keyring.status()
    assert (status.root_version, status.root_age, status.bucket_keys) == (1, timedelta(days=2), 3)
    assert status.root_until == made_at + ROOT_LIFE
    (root,) = status.roots
    assert (root.version, root.state, root.made_at) == (1, KeyState.ACTIVE, made_at)
    told = {
        purpose: [(key.version, key.state, key.made_at) for key in keys] for purpose, keys in status.purposes.items()
    }
    # An old sealing key still opens; of an old signing key the private half is gone.
    assert told[Purpose.CAMERA_CREDENTIAL] == [
        (1, KeyState.DEACTIVATED, made_at),
        (2, KeyState.ACTIVE, clock.now()),
    ]
    assert told[Purpose.TOKEN_SIGNING] == [(2, KeyState.ACTIVE, clock.now())]
    assert set(told) == set(Purpose) - {Purpose.ARCHIVE_BUCKET}


def test_uses_are_told_where_a_count_matters(place: KeyringPlace, clock: HandClock) -> None:
    keyring = place.create(clock)
    (root,) = keyring.status().roots
    assert root.uses == (None if place.token is None else USES_AT_A_TIME)


def test_a_rotation_shows_step_by_step(place: KeyringPlace, clock: HandClock) -> None:
    keyring = place.create(clock)
    keyring.create_bucket_key()
    seen = {}
    for step in keyring.root_rotation().steps():
        seen[step] = {root.version: root.state for root in keyring.status().roots}
    old, new = 1, 2
    assert seen[Step.ANNOUNCED] == {old: KeyState.ACTIVE, new: KeyState.PRE_ACTIVATION}
    assert seen[Step.SWITCHED] == seen[Step.REWRAPPED] == {old: KeyState.DEACTIVATED, new: KeyState.ACTIVE}
    assert seen[Step.DROPPED] == {old: KeyState.DESTROYED, new: KeyState.ACTIVE}
    assert seen[Step.DESTROYED] == {new: KeyState.ACTIVE}


def test_a_keyring_that_is_gone_tells_so(place: KeyringPlace, clock: HandClock) -> None:
    keyring = place.create(clock)
    place.folder.rename(place.folder.with_name("away"))
    with pytest.raises(KeyringUnavailable):
        keyring.status()


@given(manifest=manifests)
def test_exactly_the_root_in_use_is_active_and_only_what_may_still_open_is_deactivated(manifest: Manifest) -> None:
    states = root_states(manifest)
    assert [version for version, state in states.items() if state is KeyState.ACTIVE] == [manifest.current]
    assert {version for version, state in states.items() if state is KeyState.DEACTIVATED} == set(manifest.retiring)
    assert {version for version, state in states.items() if state is KeyState.DESTROYED} == set(manifest.condemned)
    settled = replace(manifest, making=None, retiring=(), condemned=())
    assert root_states(settled) == {manifest.current: KeyState.ACTIVE}


@given(version=st.integers(1, 9), current=st.integers(1, 9))
def test_one_version_of_a_purpose_is_active(version: int, current: int) -> None:
    assert (version_state(version, current) is KeyState.ACTIVE) == (version == current)


def test_no_secret_is_told(place: KeyringPlace, clock: HandClock) -> None:
    keyring = place.create(clock)
    bucket_key = keyring.create_bucket_key()
    shown = repr(keyring.status())
    assert str(bucket_key) not in shown
    assert str(place.folder) not in shown
    assert uuid.UUID(int=bucket_key.int).hex not in shown
