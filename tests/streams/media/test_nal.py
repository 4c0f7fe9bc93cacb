"""NAL units are cut, framed and escaped as ISO/IEC 14496-10 and -15 say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.media import nal

SPS, PPS = bytes.fromhex("6742c01fda014016e8"), bytes.fromhex("68ce0fc8")


def test_start_codes_of_three_and_four_bytes_are_cut() -> None:
    assert nal.split_annexb(b"\x00\x00\x00\x01\x09\xf0\x00\x00\x01\x65ab\x00\x00\x00\x01\x41c") == [
        b"\x09\xf0",
        b"\x65ab",
        b"\x41c",
    ]


@pytest.mark.parametrize("data", [b"", b"\x00\x00", b"\x00\x00\x01", b"abc"])
def test_bytes_without_a_unit_hold_none(data: bytes) -> None:
    assert nal.split_annexb(data) == []


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6))
def test_units_with_lengths_are_read_back(units: list[bytes]) -> None:
    assert [bytes(unit) for unit in nal.split_lengths(nal.with_lengths(units))] == units


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x00\x00\x05ab", b"\x00\x00\x00\x00", b"\x00\x00\x00\x01a\x00\x00"])
def test_lengths_that_do_not_add_up_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="do not add up"):
        list(nal.split_lengths(data))


@given(st.binary(max_size=100))
def test_no_start_code_survives_escaping(payload: bytes) -> None:
    escaped = nal.escape(payload + b"\x80")
    assert not any(code in escaped for code in (b"\x00\x00\x00", b"\x00\x00\x01", b"\x00\x00\x02"))
    assert nal.needs_escape(payload) or escaped == payload + b"\x80"


def test_parameter_sets_are_read_back() -> None:
    sets = nal.read_avcc(nal.make_avcc([SPS], [PPS, PPS]))
    assert sets == nal.ParameterSets((SPS,), (PPS, PPS), 4)


def test_a_high_profile_tells_its_picture_format() -> None:
    high = b"\x67\x64" + SPS[2:]
    assert nal.make_avcc([high], [PPS])[-4:] == b"\xfd\xf8\xf8\x00"
    assert nal.read_avcc(nal.make_avcc([high], [PPS])).sps == (high,)


@given(cut=st.integers(0, 40))
def test_parameter_sets_cut_short_are_refused(cut: int) -> None:
    whole = nal.make_avcc([SPS], [PPS])
    if cut < len(whole):
        with pytest.raises(ValueError, match="avcC"):
            nal.read_avcc(whole[:cut])


def test_user_data_holds_identifier_and_payload_in_clear() -> None:
    unit = nal.user_data(bytes(range(1, 17)), b"payload")
    assert unit == bytes((6, 5, 23)) + bytes(range(1, 17)) + b"payload\x80"


def test_user_data_has_a_size_of_one_byte() -> None:
    with pytest.raises(ValueError, match="255"):
        nal.user_data(bytes(16), bytes(239))


OTHER = bytes((5, 3)) + b"abc"


@pytest.mark.parametrize("before", [b"", OTHER, bytes((5, 255, 1)) + b"x" * 256, bytes((255, 2, 0))])
def test_a_recovery_point_is_found_behind_other_messages(before: bytes) -> None:
    assert nal.is_recovery_point(b"\x06" + nal.escape(before + bytes((6, 1, 0x84)) + b"\x80"))


@pytest.mark.parametrize(
    "messages",
    [b"", OTHER, bytes((6, 1, 0x44)), bytes((6, 0)), bytes((5, 200)), bytes((255, 255)), bytes((5, 3, 6, 1, 0x84))],
)
def test_anything_else_is_no_recovery_point(messages: bytes) -> None:
    assert not nal.is_recovery_point(b"\x06" + messages + b"\x80")


@given(st.binary(max_size=60))
def test_no_sei_is_too_odd_to_be_asked(unit: bytes) -> None:
    assert nal.is_recovery_point(b"\x06" + unit) in {True, False}


@given(st.binary(max_size=100))
def test_what_was_escaped_is_unescaped(payload: bytes) -> None:
    assert nal.unescape(nal.escape(payload)) == payload
