"""Places of wraps, hours of buckets, reach of permits, names of blobs: for every value."""

import dataclasses
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.blobs.rules import checked, is_name, name_of
from archive.keys.rules import (
    HOUR_US,
    MayNotDecrypt,
    WrapIsForeign,
    WrappedKey,
    associated_data,
    hour_of,
    permit_for_recovery,
    permit_from,
    refuse_unless_covered,
    split_wrap,
    wrap_header,
)
from auth.principal import Granted, Principal, PrincipalKind, Right
from auth.tokens.rules import Purpose
from vms_privacy.ids import BucketKeyId, CameraId, GrantId, OperatorId, PersonId, SegmentId

few_ids = st.integers(0, 3).map(lambda number: uuid.UUID(int=number))
generations = st.integers(1, 2**32 - 1) | st.integers(1, 3)
places = st.builds(
    WrappedKey,
    few_ids.map(OperatorId),
    few_ids.map(CameraId),
    few_ids.map(SegmentId),
    few_ids.map(BucketKeyId),
    st.just(b""),
)
people = st.builds(
    Principal, st.sampled_from(PrincipalKind), st.none() | few_ids.map(PersonId), st.none() | few_ids.map(OperatorId)
)
grants = st.builds(
    Granted,
    people,
    st.sampled_from(Right),
    few_ids.map(OperatorId),
    st.none() | few_ids.map(CameraId),
    few_ids.map(GrantId),
    st.just(1),
)
OPENS = {(Right.ARCHIVE, Purpose.ARCHIVE_VIEW), (Right.EXPORT, Purpose.EXPORT), (Right.EXPORT, Purpose.EVIDENCE)}


@given(first=places, second=places, one=generations, other=generations)
def test_two_places_never_have_the_same_associated_data(
    first: WrappedKey, second: WrappedKey, one: int, other: int
) -> None:
    same = associated_data(first, one) == associated_data(second, other)
    assert same == ((first, one) == (second, other))


@given(generation=generations, inner=st.binary(min_size=1, max_size=100))
def test_a_wrap_is_split_as_it_was_joined(generation: int, inner: bytes) -> None:
    assert split_wrap(wrap_header(generation) + inner) == (generation, inner)


@given(wrapped=st.binary(max_size=20))
def test_any_bytes_are_a_wrap_or_a_refusal(wrapped: bytes) -> None:
    try:
        generation, inner = split_wrap(wrapped)
    except WrapIsForeign:
        return
    assert wrap_header(generation) + inner == wrapped


@given(moment=st.integers(0, 2**60), later=st.integers(0, 2 * HOUR_US))
def test_an_hour_is_an_hour_and_time_never_goes_back_to_an_older_bucket(moment: int, later: int) -> None:
    assert hour_of(moment) * HOUR_US <= moment < (hour_of(moment) + 1) * HOUR_US
    assert hour_of(moment + later) >= hour_of(moment)


@given(granted=grants, purpose=st.sampled_from(Purpose))
def test_only_a_named_person_with_the_right_that_fits_the_purpose_may_decrypt_one_camera(
    granted: Granted, purpose: Purpose
) -> None:
    may = (
        granted.principal.person_id is not None and granted.camera_id is not None and (granted.right, purpose) in OPENS
    )
    if not may:
        with pytest.raises(MayNotDecrypt):
            permit_from(granted, purpose)
        return
    permit = permit_from(granted, purpose)
    assert (permit.operator_id, permit.camera_id) == (granted.operator_id, granted.camera_id)


@given(place=places, other=places)
def test_a_permit_never_reaches_another_camera_or_segment(place: WrappedKey, other: WrappedKey) -> None:
    permit = permit_for_recovery(place.operator_id, place.camera_id, place.segment_id)
    wider = dataclasses.replace(permit, segment_id=None)
    same_camera = (place.operator_id, place.camera_id) == (other.operator_id, other.camera_id)
    for made, covers in ((permit, same_camera and place.segment_id == other.segment_id), (wider, same_camera)):
        if covers:
            refuse_unless_covered(made, other)
        else:
            with pytest.raises(MayNotDecrypt):
                refuse_unless_covered(made, other)


@given(octets=st.binary(min_size=16, max_size=16), other=st.binary(min_size=16, max_size=16))
def test_every_name_is_a_name_and_different_bytes_have_different_names(octets: bytes, other: bytes) -> None:
    assert is_name(name_of(octets))
    assert (name_of(octets) == name_of(other)) == (octets == other)


@given(text=st.text(max_size=30) | st.from_regex(r"[A-Za-z0-9_\-./\\\n\0]{20,24}"))
def test_no_name_that_a_store_takes_can_leave_its_folder(text: str) -> None:
    if not is_name(text):
        with pytest.raises(ValueError, match="22 characters"):
            checked(text)
        return
    assert checked(text) == text
    assert not {"/", "\\", ".", "\0", "\n"} & set(text)
    assert len(text.encode()) == 22
