"""The index of a recovered file, rebuilt from its boxes, is the index it would have had."""

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from archive.format.index import FragmentEntry, FragmentIndex, encode_trailer
from archive.format.rebuild import rebuild_index
from archive.format.sealed_file import SealedWriter, recover
from streams.media.boxes import box
from streams.media.packets import Fragment, Track
from tests.given.encoded import Encoded, encoded
from tests.given.fragmented import fragments_of, probed, stamps
from tests.given.randomness import CountedRandomness
from tests.given.sealed_vectors import reader_of
from tests.given.sealing import KEY
from vms_privacy.keyring.plaintext import KeyBytes


@dataclass(frozen=True)
class InMemory:
    """Plaintext that needs no opening."""

    data: bytes

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    @property
    def media_length(self) -> int:
        return len(self.data)


@dataclass(frozen=True)
class Recording:
    """What a recorder wrote, and the index it had in memory."""

    media: bytes
    index: FragmentIndex
    starts_at_us: int


def recorded(stream: Encoded, fragments: list[Fragment], padding: int = 0) -> Recording:
    """Init segment and fragments, each followed by a `free` box of `padding` bytes if there is one."""
    init = stream.epoch().init[frozenset(info.track for info in stream.tracks)]
    media, entries = io.BytesIO(), []
    media.write(init)
    for made in fragments:
        entries.append(
            FragmentEntry(
                made.track,
                made.captured_from_us,
                made.captured_until_us,
                media.tell(),
                len(made.data),
                made.starts_with_key,
                made.decode_time,
                made.duration,
            )
        )
        media.write(made.data)
        if padding:
            media.write(box(b"free", bytes(padding - 8)))
    return Recording(media.getvalue(), FragmentIndex(len(init), tuple(entries)), entries[0].captured_from_us)


def without_times(index: FragmentIndex) -> FragmentIndex:
    entries = (one._replace(captured_from_us=0, captured_until_us=0) for one in index.entries)
    return FragmentIndex(index.init_length, tuple(entries))


def assert_times_agree(rebuilt: FragmentIndex, written: FragmentIndex, within_us: int) -> None:
    for ours, theirs in zip(rebuilt.entries, written.entries, strict=True):
        assert abs(ours.captured_from_us - theirs.captured_from_us) <= within_us
        assert abs(ours.captured_until_us - theirs.captured_until_us) <= within_us


@pytest.mark.parametrize("padding", [0, 8, 5000])
@pytest.mark.parametrize(("audio", "bframes"), [(False, 0), (False, 2), (True, 0), (True, 2)])
def test_a_rebuilt_index_is_the_one_that_was_in_memory(audio: bool, bframes: int, padding: int) -> None:
    stream = encoded(4.0, audio=audio, bframes=bframes)
    written = recorded(stream, fragments_of(stream.epoch(), stream.packets), padding)
    rebuilt = rebuild_index(InMemory(written.media), written.starts_at_us)
    assert len(rebuilt.entries) >= 8
    assert without_times(rebuilt) == without_times(written.index)
    assert_times_agree(rebuilt, written.index, within_us=100_000)


def test_c7_only_fragments_that_are_there_to_the_last_byte_are_listed() -> None:
    """Cut at every place around every fragment's end, the index ends with the last whole one."""
    stream = encoded(4.0, audio=True)
    written = recorded(stream, fragments_of(stream.epoch(), stream.packets))
    for number, entry in enumerate(written.index.entries):
        for end in (entry.offset + 1, entry.offset + 9, entry.offset + 120, entry.end - 1, entry.end):
            rebuilt = rebuild_index(InMemory(written.media[:end]), written.starts_at_us)
            whole = number + (end == entry.end)
            assert without_times(rebuilt).entries == without_times(written.index).entries[:whole]


def test_a_crash_of_a_real_recording_leaves_a_readable_file(tmp_path: Path) -> None:
    """Sealed, torn, recovered, rebuilt: the fragments of the index are byte for byte those that were written."""
    stream = encoded(4.0, audio=True, noise=3000)
    fragments = fragments_of(stream.epoch(), stream.packets)
    written = recorded(stream, fragments)
    path = tmp_path / "file"
    with path.open("wb", buffering=0) as file:
        writer = SealedWriter(file, KeyBytes(KEY), 4096, CountedRandomness())
        writer.write(written.media)
    path.write_bytes(path.read_bytes()[:-777])
    with path.open("r+b") as file:
        done = recover(file, KeyBytes(KEY), writer.salt)
    reader = reader_of(path.read_bytes(), KEY, done.summary.salt, done.summary.last_tag)
    rebuilt = rebuild_index(reader, written.starts_at_us)
    assert len(fragments) - 3 <= len(rebuilt.entries) < len(fragments)
    assert reader.read(0, rebuilt.init_length) == written.media[: written.index.init_length]
    for entry, made in zip(rebuilt.entries, fragments, strict=False):
        assert reader.read(entry.offset, entry.length) == made.data


def test_a_trailer_that_was_never_finished_is_not_a_fragment(tmp_path: Path) -> None:
    """The process dies while it seals a trailer of several chunks: some of it is recovered, none of it is media."""
    stream = encoded(4.0)
    written = recorded(stream, fragments_of(stream.epoch(), stream.packets))
    file = io.BytesIO()
    writer = SealedWriter(file, KeyBytes(KEY), 4096, CountedRandomness())
    writer.write(written.media)
    filler = tuple(written.index.entries[-1]._replace(offset=written.index.end + at, length=1) for at in range(400))
    writer.write(bytes(400))
    writer.finish(FragmentIndex(written.index.init_length, written.index.entries + filler))
    path = tmp_path / "file"
    path.write_bytes(file.getvalue()[:-100])
    with path.open("r+b") as torn:
        done = recover(torn, KeyBytes(KEY))
    reader = reader_of(path.read_bytes(), KEY, done.summary.salt, done.summary.last_tag)
    assert reader.media_length > len(written.media) + 400
    rebuilt = rebuild_index(reader, written.starts_at_us)
    assert without_times(rebuilt) == without_times(written.index)


@pytest.mark.needs("ffprobe")
@pytest.mark.parametrize("padding", [0, 8, 5000])
def test_the_plaintext_of_a_finished_file_is_an_mp4_that_a_player_reads(padding: int, tmp_path: Path) -> None:
    """Init segment, fragments, padding and the trailer itself: ffprobe finds every packet and warns of nothing."""
    stream = encoded(4.0, audio=True, bframes=2)
    written = recorded(stream, fragments_of(stream.epoch(), stream.packets), padding)
    trailer = encode_trailer(written.index, len(written.media))
    (tmp_path / "plain.mp4").write_bytes(written.media + trailer)
    found = probed(tmp_path / "plain.mp4")
    assert sorted(found["video"]) == sorted(stamps(stream.packets))
    assert sorted(found["audio"]) == sorted(stamps(stream.packets, Track.AUDIO))


def test_a_second_track_that_is_unknown_ends_the_walk() -> None:
    stream = encoded(4.0, audio=True)
    fragments = fragments_of(stream.epoch(), stream.packets)
    video_only = stream.epoch().init[frozenset({Track.VIDEO})]
    media = video_only + b"".join(made.data for made in fragments)
    rebuilt = rebuild_index(InMemory(media), 0)
    before = [made.track for made in fragments].index(Track.AUDIO)
    assert rebuilt.init_length == len(video_only)
    assert [entry.track for entry in rebuilt.entries] == [Track.VIDEO] * before


PICTURES = encoded(4.0)
INIT = PICTURES.epoch().init[frozenset({Track.VIDEO})]
FIRST = fragments_of(PICTURES.epoch(), PICTURES.packets)[0].data
COUNT_AT = FIRST.index(b"trun") + 8


@pytest.mark.parametrize(
    ("media", "fragments", "why"),
    [
        (b"", 0, "nothing"),
        (b"\0\0\0", 0, "less than a box"),
        (INIT, 0, "an init segment alone"),
        (FIRST, 0, "no init segment, so no track is known"),
        (INIT + bytes(5000), 0, "boxes of no size"),
        (INIT + FIRST + b"\0\0\0\1mdat" + bytes(16), 1, "a box of 64 bits"),
        (INIT + FIRST + FIRST[FIRST.index(b"mdat") - 4 :], 1, "media without its table"),
        (INIT + FIRST + box(b"moof", bytes(20)) + FIRST, 1, "a table that says nothing"),
        (INIT + FIRST + box(b"uuid", bytes(16)) + FIRST, 1, "a box of somebody else"),
        (INIT + FIRST + box(b"free", b"") + box(b"styp", b"isom") + FIRST, 2, "boxes that are passed over"),
        (INIT + FIRST[: FIRST.index(b"mdat") - 4] + box(b"free", b"") + FIRST, 0, "media not right after its table"),
        (INIT.replace(b"vide", b"hint") + FIRST, 0, "a track that is neither video nor audio"),
        (INIT.replace(b"mdhd", b"xdhd") + FIRST, 0, "a track without a timescale"),
        (INIT.replace(b"trex", b"xrex") + FIRST, 0, "a track without defaults"),
        (
            INIT + FIRST[:COUNT_AT] + b"\0\1\0\0" + FIRST[COUNT_AT + 4 :] + FIRST,
            0,
            "a run of more samples than it lists",
        ),
        (INIT + FIRST.replace(b"tfdt", b"xfdt") + FIRST, 0, "a fragment without a decode time"),
        (INIT + FIRST.replace(b"trun", b"xrun") + FIRST, 0, "a fragment without a run"),
        (INIT + struct.pack(">I4s", 5 * 1024 * 1024 + 8, b"moof") + bytes(5 * 1024 * 1024), 0, "a table of 5 MiB"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_not_ours_ends_the_walk_without_an_error(media: bytes, fragments: int, why: str) -> None:
    assert len(rebuild_index(InMemory(media), 0).entries) == fragments


def old_box(kind: bytes, flags: int, *fields: int) -> bytes:
    return box(kind, struct.pack(f">{len(fields) + 1}I", flags, *fields))


@pytest.mark.parametrize(
    ("tfhd", "trun", "duration", "is_key"),
    [
        (old_box(b"tfhd", 0x20000, 1), old_box(b"trun", 0, 3), 0, True),
        (old_box(b"tfhd", 0x20028, 1, 40, 0x10000), old_box(b"trun", 1, 3, 8), 120, False),
        (old_box(b"tfhd", 0x20028, 1, 40, 0x10000), old_box(b"trun", 5, 3, 8, 0), 120, True),
        (old_box(b"tfhd", 0x20020, 1, 0), old_box(b"trun", 0x500, 2, 7, 0x10000, 9, 0), 16, False),
        (old_box(b"tfhd", 0x20020, 1, 0), old_box(b"trun", 0x504, 2, 0, 7, 0x10000, 9, 0), 16, True),
        (old_box(b"tfhd", 0x2000B, 1, 0, 0, 7, 40), old_box(b"trun", 0x200, 2, 500, 600), 80, True),
    ],
    ids=["trex", "tfhd", "first-sample-flags", "trun", "first-sample-flags-before-trun", "sizes-alone"],
)
def test_defaults_are_taken_from_where_the_standard_says(tfhd: bytes, trun: bytes, duration: int, is_key: bool) -> None:
    """ISO/IEC 14496-12, 8.8.7 and 8.8.8: trun before tfhd before trex; first-sample-flags before both."""
    moof = box(b"moof", box(b"traf", tfhd, old_box(b"tfdt", 0, 900), trun))
    (entry,) = rebuild_index(InMemory(INIT + moof + box(b"mdat", bytes(10))), 5).entries
    assert (entry.decode_time, entry.duration, entry.starts_with_key) == (900, duration, is_key)
    assert entry.captured_from_us == 5
