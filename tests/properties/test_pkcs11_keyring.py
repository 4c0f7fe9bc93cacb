"""Invariants of what lies beside a token's roots, of their counts, and of the whole under any order of acts."""

import uuid
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from tests.given.keyrings import KeyringPlace, a_place
from tests.given.softhsm import SoftHsm
from tests.properties.test_keyring import AnyOrderOfActs
from vms_privacy.ids import SystemRandomness
from vms_privacy.keyring.pkcs11_roots import Pkcs11Roots
from vms_privacy.keyring.pkcs11_rules import (
    KNOWN_SIZE,
    MOST_USES,
    NEARLY_USED_UP,
    Allotted,
    RootCard,
    UsedUp,
    allot,
    associated_of,
    brought_back,
    is_nearly_used_up,
    object_id,
    packed_uses,
    read_card,
    read_uses,
    version_in,
)
from vms_privacy.keyring.pkcs11_token import Pkcs11Token
from vms_privacy.keyring.port import WrapIsDamaged
from vms_privacy.keyring.rules import BadKeyFile

versions = st.integers(1, 2**32 - 1)
known_wraps = st.binary(min_size=KNOWN_SIZE, max_size=KNOWN_SIZE)
counts = st.integers(0, 2**63 - 1)


@given(version=versions, owner=st.uuids(), known=known_wraps)
def test_a_card_reads_back_as_it_was_written(version: int, owner: uuid.UUID, known: bytes) -> None:
    card = RootCard(version, owner, known)
    assert read_card(card.packed(), version, owner) == card


@given(version=versions, owner=st.uuids(), known=known_wraps, other=versions, stranger=st.uuids())
def test_a_card_is_of_one_root_of_one_keyring(
    version: int, owner: uuid.UUID, known: bytes, other: int, stranger: uuid.UUID
) -> None:
    packed = RootCard(version, owner, known).packed()
    for asked in {(other, owner), (version, stranger)} - {(version, owner)}:
        with pytest.raises(BadKeyFile):
            read_card(packed, *asked)


@given(data=st.binary(max_size=160))
def test_any_bytes_are_a_named_fault(data: bytes) -> None:
    with pytest.raises(BadKeyFile):
        read_card(data, 1, uuid.UUID(int=1))
    with pytest.raises(BadKeyFile):
        read_uses(data, 1)


@given(version=versions, counted=counts, at=st.integers(0), flip=st.integers(1, 255))
def test_a_count_reads_back_as_it_was_written_and_any_changed_byte_is_found(
    version: int, counted: int, at: int, flip: int
) -> None:
    packed = packed_uses(version, counted)
    assert read_uses(packed, version) == counted
    at %= len(packed)
    with pytest.raises(BadKeyFile):
        read_uses(packed[:at] + bytes([packed[at] ^ flip]) + packed[at + 1 :], version)


@given(owner=st.uuids(), stranger=st.uuids(), version=versions)
def test_an_objects_id_leads_back_to_its_root_and_to_no_other_keyrings(
    owner: uuid.UUID, stranger: uuid.UUID, version: int
) -> None:
    assert version_in(object_id(owner, version), owner) == version
    if owner != stranger:
        assert version_in(object_id(owner, version), stranger) is None


@given(there=st.frozensets(versions, max_size=8), needed=st.frozensets(versions, min_size=1, max_size=3))
def test_only_roots_older_than_all_that_are_needed_are_taken_for_brought_back(
    there: frozenset[int], needed: frozenset[int]
) -> None:
    found = set(brought_back(there, min(needed)))
    assert not found & needed
    assert all(version < min(needed) for version in found)
    assert {version for version in there if version < min(needed)} == found


@given(counted=counts | st.none())
def test_no_root_ever_wraps_more_than_one_key_may(counted: int | None) -> None:
    """NIST SP 800-38D, 8.3: 2^32 with random nonces; ours ends at a sixteenth of it."""
    assert MOST_USES * 16 <= 2**32
    verdict = allot(counted)
    if isinstance(verdict, Allotted):
        assert counted == verdict.first < verdict.end <= MOST_USES
    else:
        assert verdict.why
        assert is_nearly_used_up(counted)


def test_uses_are_handed_out_once_each_until_there_are_none() -> None:
    # The last stretch of a root's life, and the last uses before it.
    counted, seen = MOST_USES - 100_000, 0
    while isinstance(verdict := allot(counted), Allotted):
        assert verdict.first == counted
        seen += verdict.end - verdict.first
        counted = verdict.end
    assert isinstance(verdict, UsedUp)
    assert 0 < seen <= 100_000
    assert NEARLY_USED_UP < counted <= MOST_USES


@given(
    one=st.tuples(st.uuids(), versions, st.binary(max_size=9)),
    other=st.tuples(st.uuids(), versions, st.binary(max_size=9)),
)
def test_two_places_share_associated_data_only_if_they_are_one(
    one: tuple[uuid.UUID, int, bytes], other: tuple[uuid.UUID, int, bytes]
) -> None:
    assert (associated_of(*one) == associated_of(*other)) == (one == other)


def test_a_wrap_of_a_token_opens_only_with_its_associated_data(softhsm: SoftHsm, tmp_path: Path) -> None:
    owner = uuid.UUID(int=7)
    roots = Pkcs11Roots(tmp_path, lambda: owner, Pkcs11Token(softhsm.new_token()), SystemRandomness())
    for version in (1, 2):
        roots.make(version)

    @settings(max_examples=40)
    @given(value=st.binary(min_size=1, max_size=64), place=st.binary(max_size=20), other=st.binary(max_size=20))
    def opens_only_there(value: bytes, place: bytes, other: bytes) -> None:
        wrapped = roots.wrap(1, value, place)
        assert roots.unwrap(1, wrapped, place) == value
        for version, asked in {(1, other), (2, place)} - {(1, place)}:
            with pytest.raises(WrapIsDamaged):
                roots.unwrap(version, wrapped, asked)

    opens_only_there()


class AnyOrderWithAToken(AnyOrderOfActs):
    """The same acts in any order, with the roots in a token."""

    softhsm: ClassVar[SoftHsm]

    def place_in(self, folder: Path) -> KeyringPlace:
        return a_place("pkcs11", folder / "keyring", self.softhsm)


def test_in_any_order_of_acts_the_living_open_and_the_destroyed_never(softhsm: SoftHsm) -> None:
    AnyOrderWithAToken.softhsm = softhsm
    run_state_machine_as_test(
        AnyOrderWithAToken, settings=settings(max_examples=10, stateful_step_count=15, deadline=None)
    )
