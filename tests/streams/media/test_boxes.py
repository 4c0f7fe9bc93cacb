import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.media.boxes import Box, DamagedBox, box, boxes_in, find, full_box, pack_u32, u32, u64


def test_a_box_is_its_length_its_kind_and_its_parts() -> None:
    assert box(b"free", b"ab", b"c") == b"\x00\x00\x00\x0bfreeabc"
    assert full_box(b"tfdt", 1, 0x020304, b"x") == b"\x00\x00\x00\x0dtfdt\x01\x02\x03\x04x"


def test_boxes_are_found_one_behind_the_other() -> None:
    data = box(b"aaaa", b"1") + box(b"bbbb") + box(b"cccc", b"333")
    assert [(one.kind, data[one.body : one.end]) for one in boxes_in(data)] == [
        (b"aaaa", b"1"),
        (b"bbbb", b""),
        (b"cccc", b"333"),
    ]


def test_a_long_length_and_an_open_end_are_read() -> None:
    large = b"\x00\x00\x00\x01mdat" + (18).to_bytes(8, "big") + b"xy"
    assert list(boxes_in(large)) == [Box(b"mdat", 0, 16, 18)]
    assert list(boxes_in(b"\x00\x00\x00\x00mdatxyz")) == [Box(b"mdat", 0, 8, 11)]


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x08moo",
        b"\x00\x00\x00\x09moov",
        b"\x00\x00\x00\x07moov",
        b"\x00\x00\x00\x01moov\x00\x00",
        b"\x00\x00\x00\x01moov\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\x00\x00\x01moov\x00\x00\x00\x00\x00\x00\x00\x0f",
    ],
)
def test_a_length_that_lies_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedBox):
        list(boxes_in(data))


def test_a_path_leads_into_boxes_or_is_refused() -> None:
    data = box(b"moov", box(b"trak", box(b"tkhd", b"first")), box(b"trak", box(b"mdia", b"second")))
    found = find(data, b"moov", b"trak", b"tkhd")
    assert data[found.body : found.end] == b"first"
    assert find(data, b"trak", within=find(data, b"moov")).kind == b"trak"
    with pytest.raises(DamagedBox):
        find(data, b"moov", b"mvex")
    with pytest.raises(DamagedBox):
        find(data)


def test_a_field_that_is_cut_off_is_refused() -> None:
    assert u32(pack_u32(7), 0) == 7
    assert u64(b"\x00" * 7 + b"\x09", 0) == 9
    with pytest.raises(DamagedBox):
        u32(b"\x00\x00\x00", 0)
    with pytest.raises(DamagedBox):
        u64(b"\x00" * 7, 0)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_within_their_bounds_or_refused(data: bytes) -> None:
    try:
        found = list(boxes_in(data))
    except DamagedBox:
        return
    assert sum(one.end - one.start for one in found) == len(data)
