"""What the vectors cannot show of sealed-file-v1: writing, failing disks, kills, growing files."""

import io
from pathlib import Path

import pytest

from archive.format import rules
from archive.format.errors import DamagedTrailer, NotWritten, SealedFileRefused, Truncated
from archive.format.index import FragmentIndex, decode_trailer, encode_trailer, trailer_length
from archive.format.rules import Closing
from archive.format.sealed_file import FileState, SealedReader, SealedWriter, recover
from tests.given.full_disk import a_full_disk
from tests.given.randomness import CountedRandomness
from tests.given.sealed_vectors import reader_of
from tests.given.sealing import KEY, FullAfter, TakesLittle, entry, open_again, sealed
from tests.vectors.sealed_by_hand import stream
from vms_privacy.ids import SystemRandomness
from vms_privacy.keyring.plaintext import KeyBytes


def writer_to(file: io.BytesIO, chunk_size: int = 4096) -> SealedWriter:
    return SealedWriter(file, KeyBytes(KEY), chunk_size, CountedRandomness("seal"))


def test_f1_the_header_tells_the_chunk_size_and_nothing_else() -> None:
    """Two recordings of other length, content and time, under one salt, have one header."""
    headers = set()
    for media, index in ((b"", FragmentIndex()), (stream("a", 5000), FragmentIndex(0, (entry(0, 4000, 7),)))):
        data, _ = sealed(media, index)
        headers.add(data[: rules.HEADER])
    assert len(headers) == 1
    assert headers.pop()[16:] == CountedRandomness("seal").octets(32), "the rest is the salt"


def test_f2_each_file_has_a_salt_of_its_own() -> None:
    made = [sealed(b"media", randomness=SystemRandomness())[1].salt for _ in range(50)]
    assert len(set(made)) == 50
    assert {len(salt) for salt in made} == {32}


def test_two_files_of_one_media_share_no_byte_string_of_a_block() -> None:
    media = bytes(20_000)
    first, _ = sealed(media, randomness=SystemRandomness())
    second, _ = sealed(media, randomness=SystemRandomness())
    blocks = [{data[at : at + 16] for at in range(rules.HEAD, len(data) - 16, 16)} for data in (first, second)]
    assert not blocks[0] & blocks[1]
    assert all(len(found) > 1000 for found in blocks), "and within a file no block repeats"


def test_f9_a_trailer_has_an_end() -> None:
    most = 381_299
    assert trailer_length(most) <= 16 * 1024 * 1024 < trailer_length(most + 1)
    entries = tuple(entry(at, 1) for at in range(most + 1))
    assert FragmentIndex(0, entries[:most]).end == most
    with pytest.raises(ValueError, match="more fragments"):
        FragmentIndex(0, entries)
    with pytest.raises(DamagedTrailer):
        decode_trailer(encode_trailer(FragmentIndex(), 0)[:-4] + b"\0\0\0\0" * 12, 0)


def test_the_salt_is_known_before_the_first_byte_is_written() -> None:
    file = io.BytesIO()
    writer = writer_to(file)
    assert len(writer.salt) == 32
    writer.write(bytes(4095))
    assert file.getvalue() == b""
    assert (writer.sealed_size, writer.plain_length, writer.unsynced) == (0, 4095, 0)


def test_w3_every_byte_comes_in_order_also_where_the_system_takes_little() -> None:
    slow, fast = TakesLittle(), io.BytesIO()
    for file in (slow, fast):
        writer = writer_to(file)
        for number in range(15):
            writer.write(stream(f"w3/{number}", 3333))
        writer.finish(FragmentIndex())
    assert slow.getvalue() == fast.getvalue()


def test_w4_a_chunk_holds_at_most_half_a_second_where_the_rate_allows() -> None:
    for rate in (8192, 10_000, 65_536, 250_000, 1_000_000, 50_000_000):
        assert rules.chunk_size_for(rate) <= rate / 2
    assert rules.chunk_size_for(0) == 4096
    assert rules.chunk_size_for(250_000) == 8192, "2 Mbit/s"
    assert rules.chunk_size_for(10**9) == 65_536


@pytest.mark.parametrize("length", [1, 4087, 4088, 4089, 4095, 4096, 4097, 9000])
def test_w5_a_filled_chunk_leaves_no_byte_of_media_behind(length: int) -> None:
    file = io.BytesIO()
    writer = writer_to(file)
    media = stream("w5", length)
    writer.write(media)
    writer.fill_chunk()
    assert writer.plain_length % 4096 == 0
    assert writer.sealed_size == len(file.getvalue()) == rules.offset_of(writer.plain_length // 4096, 4096)
    writer.fill_chunk()
    assert writer.sealed_size == len(file.getvalue()), "filling a full chunk adds nothing"
    plain = reader_of(file.getvalue(), KEY, writer.salt, None).read(0, 1 << 20)
    padding = plain[length:]
    assert plain[:length] == media
    if padding:
        assert padding[:8] == len(padding).to_bytes(4, "big") + b"free"
        assert not any(padding[8:])


def test_w6_a_finished_file_takes_nothing_more() -> None:
    file = io.BytesIO()
    writer = writer_to(file)
    writer.write(b"media")
    writer.finish(FragmentIndex())
    data = file.getvalue()
    for act in (lambda: writer.write(b"more"), lambda: writer.finish(FragmentIndex())):
        with pytest.raises(RuntimeError, match="W6"):
            act()
    assert file.getvalue() == data


def test_an_index_beyond_the_media_is_refused_and_costs_nothing() -> None:
    file = io.BytesIO()
    writer = writer_to(file)
    writer.write(bytes(100))
    with pytest.raises(ValueError, match="beyond the media"):
        writer.finish(FragmentIndex(0, (entry(50, 51),)))
    summary = writer.finish(FragmentIndex(0, (entry(50, 50),)))
    assert open_again(file.getvalue(), summary).index().entries == (entry(50, 50),)


@pytest.mark.parametrize("room", [0, 50, 80, 5000, 80 + 4112, 12_000])
def test_w1_after_a_failed_write_nothing_is_sealed_any_more(room: int, tmp_path: Path) -> None:
    """The disk is full in the middle of a chunk and has room again: the writer stays silent, recovery closes."""
    file = FullAfter(room)
    writer = writer_to(file)
    with pytest.raises(NotWritten):
        writer.write(stream("w1", 20_000))
    file.make_room(1 << 20)
    for act in (
        lambda: writer.write(b"more"),
        writer.fill_chunk,
        lambda: writer.finish(FragmentIndex()),
        writer.sync,
    ):
        with pytest.raises(NotWritten):
            act()
    assert len(file.getvalue()) == room
    if room < rules.HEAD:
        return
    path = tmp_path / "file"
    path.write_bytes(file.getvalue())
    with path.open("r+b", buffering=0) as left:
        done = recover(left, KeyBytes(KEY), writer.salt)
    reader = reader_of(path.read_bytes(), KEY, done.summary.salt, done.summary.last_tag)
    assert stream("w1", 20_000).startswith(reader.read(0, 1 << 20))


def test_a_full_disk_is_a_refusal_and_the_file_is_recovered(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb", buffering=0) as file:
        writer = SealedWriter(file, KeyBytes(KEY), 4096, CountedRandomness("seal"))
        writer.write(stream("full", 8192))
        with a_full_disk(room=10_000), pytest.raises(NotWritten, match="did not take"):
            writer.write(stream("full", 8192))
    assert path.stat().st_size == 10_000
    with path.open("r+b") as file:
        done = recover(file, KeyBytes(KEY), writer.salt)
    assert (done.cut, done.changed, done.closing) == (10_000 - 80 - 2 * 4112, True, Closing.RECOVERED)


def test_a_recovery_that_finds_no_room_is_tried_again(tmp_path: Path) -> None:
    """C6: the cut comes first and is durable, so the second attempt finds a file that can be recovered."""
    path = tmp_path / "file"
    with path.open("wb", buffering=0) as file:
        writer = SealedWriter(file, KeyBytes(KEY), 4096, CountedRandomness("seal"))
        writer.write(stream("twice", 8192))
    with path.open("r+b", buffering=0) as file, a_full_disk(room=80 + 2 * 4112 + 5), pytest.raises(NotWritten):
        recover(file, KeyBytes(KEY), writer.salt)
    assert path.stat().st_size == 80 + 2 * 4112 + 5
    with path.open("r+b", buffering=0) as file:
        done = recover(file, KeyBytes(KEY), writer.salt)
        again = recover(file, KeyBytes(KEY), writer.salt)
    assert (done.cut, done.changed) == (5, True)
    assert (again.cut, again.changed, again.summary) == (0, False, done.summary)


def test_sync_makes_durable_and_counts_anew(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb", buffering=0) as file:
        writer = SealedWriter(file, KeyBytes(KEY), 4096, CountedRandomness("seal"))
        writer.write(bytes(10_000))
        assert writer.unsynced == 80 + 2 * 4112
        writer.sync()
        assert writer.unsynced == 0
        writer.finish(FragmentIndex())
        writer.sync()
        assert writer.unsynced == 0


def test_a_sync_that_fails_ends_the_writer() -> None:
    """A failed sync may have dropped pages: going on would seal after a hole."""
    writer = writer_to(io.BytesIO())
    writer.write(bytes(10_000))
    with pytest.raises(NotWritten, match="durable"):
        writer.sync()
    with pytest.raises(NotWritten, match="earlier"):
        writer.write(b"more")


@pytest.mark.parametrize(
    ("unsynced", "seconds", "due"),
    [
        (0, 100.0, False),
        (1, 4.9, False),
        (1, 5.0, True),
        (4 * 1024 * 1024, 0.0, True),
        (4 * 1024 * 1024 - 1, 0.0, False),
    ],
)
def test_a_growing_file_is_made_durable_every_5_s_or_4_mib(unsynced: int, seconds: float, due: bool) -> None:
    assert rules.sync_is_due(unsynced, seconds) is due


def test_r8_a_growing_file_is_read_up_to_its_last_whole_chunk() -> None:
    file = io.BytesIO()
    writer = writer_to(file)
    media = b""
    for number in range(40):
        part = stream(f"r8/{number}", 700)
        media += part
        writer.write(part)
        if not writer.sealed_size:
            continue
        reader = reader_of(file.getvalue()[: writer.sealed_size], KEY, writer.salt, None)
        assert reader.state is FileState.GROWING
        assert reader.read(0, 1 << 20) == media[: len(media) // 4096 * 4096]
        with pytest.raises(ValueError, match="no trailer"):
            reader.index()


def test_r8_finishing_does_not_let_a_growing_reader_see_the_trailer() -> None:
    file = io.BytesIO()
    writer = writer_to(file)
    media = stream("grows", 10_000)
    writer.write(media)
    size = writer.sealed_size
    writer.finish(FragmentIndex(0, tuple(entry(at, 1) for at in range(300))))
    assert writer.sealed_size == size, "the trailer's chunks are not media"
    data = file.getvalue()
    reader = SealedReader(lambda at, length: data[at : at + length], size, KeyBytes(KEY), writer.salt)
    assert reader.read(0, 1 << 20) == media[:8192]


def test_r4_a_seek_fetches_little() -> None:
    """Head, final chunk, trailer and the chunks asked for, each run of chunks in one fetch."""
    media = stream("seek", 600_000)
    listed = FragmentIndex(0, tuple(entry(at * 5000, 5000, at) for at in range(120)))
    data, summary = sealed(media, listed, 8192)
    fetched: list[tuple[int, int]] = []

    def read_at(offset: int, length: int) -> bytes:
        fetched.append((offset, length))
        return data[offset : offset + length]

    reader = SealedReader(read_at, len(data), KeyBytes(KEY), summary.salt, summary.last_tag)
    wanted = reader.index().entries[60]
    assert reader.read(wanted.offset, wanted.length) == media[wanted.offset : wanted.end]
    assert len(fetched) <= 5
    assert sum(length for _, length in fetched) <= 5 * 8208 + 80


def test_a_file_that_becomes_shorter_while_it_is_read_is_truncated() -> None:
    data, summary = sealed(stream("short", 20_000))
    left = [len(data)]
    reader = SealedReader(
        lambda at, length: data[: left[0]][at : at + length], len(data), KeyBytes(KEY), summary.salt, summary.last_tag
    )
    assert reader.read(0, 10) == stream("short", 10)
    left[0] = 5000
    with pytest.raises(Truncated):
        reader.read(8192, 10)
    assert reader.read(0, 10) == stream("short", 10)


def test_a_key_of_another_size_is_not_a_segment_key() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SealedWriter(io.BytesIO(), KeyBytes(bytes(16)), 4096, CountedRandomness())
    with pytest.raises(ValueError, match="sealed-file-v1"):
        SealedWriter(io.BytesIO(), KeyBytes(KEY), 5000, CountedRandomness())


@pytest.mark.parametrize(
    "change",
    [
        {"captured_from_us": -1},
        {"captured_until_us": 5},
        {"captured_until_us": 2**63},
        {"offset": -1},
        {"length": 0},
        {"length": 2**32},
        {"decode_time": -1},
        {"decode_time": 2**64},
        {"duration": 2**32},
    ],
)
def test_an_entry_that_no_trailer_can_hold_is_in_no_index(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="fragment"):
        FragmentIndex(0, (entry(0, 10)._replace(**change),))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="init segment"):
        FragmentIndex(2**32)


def test_a_range_before_the_beginning_is_a_mistake() -> None:
    reader = open_again(*sealed(bytes(100)))
    for offset, length in ((-1, 5), (0, -1)):
        with pytest.raises(ValueError, match="range of plaintext"):
            reader.read(offset, length)


def test_a_growing_file_without_a_whole_head_has_nothing_to_read() -> None:
    with pytest.raises(Truncated):
        rules.whole_chunks(79, 4096)
    assert rules.whole_chunks(80, 4096) == 0


def test_nothing_a_refusal_says_is_of_the_key_or_the_media() -> None:
    media = b"canary" * 3000
    data, summary = sealed(media)
    told = []
    for changed in (data[:-1], data + b"x", data[:100] + b"x" + data[101:], b"x" + data[1:]):
        with pytest.raises(SealedFileRefused) as refused:
            reader_of(changed, KEY, summary.salt, summary.last_tag).read(0, 1 << 20)
        told.append(f"{refused.value!r} {refused.value.__cause__!r} {refused.value.__context__!r}")
    assert not any("canary" in text or KEY.hex() in text or repr(KEY) in text for text in told)
