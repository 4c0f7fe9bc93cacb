"""Sealed files for every media, every cut and every changed bit. The page is docs/formats/sealed-file-v1.md."""

import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from archive.format import rules
from archive.format.errors import Appended, DamagedChunk, DamagedTrailer, NotWritten, SealedFileRefused, Truncated
from archive.format.index import FragmentEntry, FragmentIndex, decode_trailer, encode_trailer, read_footer
from archive.format.rules import CHUNK_SIZES, HEAD, TAG, Closing, Header
from archive.format.sealed_file import FileState, Recovered, SealedReader, SealedSummary, SealedWriter, recover
from streams.media.packets import Track
from tests.given.randomness import CountedRandomness
from tests.given.sealed_vectors import reader_of
from tests.given.sealing import KEY, FullAfter, open_again, sealed
from tests.vectors import independent_reader
from tests.vectors.sealed_by_hand import flipped, stream
from vms_privacy.keyring.plaintext import KeyBytes

STEP = 4096 + TAG
chunk_sizes = st.sampled_from(CHUNK_SIZES)
lengths = st.integers(0, 20_000) | st.sampled_from([4052, 4096, 8192 - 44, 8192, 12_288 - 44, 12_288])


@st.composite
def indexes(draw: st.DrawFn, media_length: int) -> FragmentIndex:
    """Any index that lies within the media, with gaps."""
    cuts = sorted(draw(st.sets(st.integers(0, media_length), max_size=9)))
    init, *rest = cuts or [0]
    entries = tuple(
        FragmentEntry(
            track=draw(st.sampled_from(Track)),
            captured_from_us=(start := draw(st.integers(0, 2**62))),
            captured_until_us=start + draw(st.integers(0, 2**32)),
            offset=begin,
            length=end - begin,
            starts_with_key=draw(st.booleans()),
            decode_time=draw(st.integers(0, 2**64 - 1)),
            duration=draw(st.integers(0, 2**32 - 1)),
        )
        for begin, end in zip(rest[::2], rest[1::2], strict=False)
    )
    return FragmentIndex(init, entries)


def recovered(data: bytes, key: bytes = KEY) -> tuple[bytes, Recovered]:
    """Recover bytes in a file of their own; return the file afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        with path.open("r+b") as file:
            done = recover(file, KeyBytes(key))
        return path.read_bytes(), done


@given(length=lengths, chunk_size=chunk_sizes, data=st.data())
def test_what_was_sealed_is_opened_whole_with_its_index(length: int, chunk_size: int, data: st.DataObject) -> None:
    media, index = stream("media", length), data.draw(indexes(length))
    file, summary = sealed(media, index, chunk_size)
    reader = open_again(file, summary)
    assert (reader.state, reader.media_length, reader.index()) == (FileState.FINISHED, length, index)
    assert reader.read(0, length) == media
    opened = independent_reader.Opened(file, KEY, summary.salt, summary.last_tag)
    assert b"".join(opened.media()) == media
    assert [fragment.offset for fragment in opened.fragments] == [entry.offset for entry in index.entries]


@given(length=lengths, offset=st.integers(0, 25_000), wanted=st.integers(0, 25_000))
def test_any_piece_is_that_piece_of_the_whole(length: int, offset: int, wanted: int) -> None:
    media = stream("media", length)
    assert open_again(*sealed(media)).read(offset, wanted) == media[offset : offset + wanted]


@given(length=lengths, cuts=st.lists(st.integers(0, 20_000), max_size=12))
def test_how_the_media_was_handed_over_changes_no_byte(length: int, cuts: list[int]) -> None:
    media, file = stream("media", length), FullAfter(1 << 30)
    writer = SealedWriter(file, KeyBytes(KEY), 4096, CountedRandomness("seal"))
    places = [0, *sorted(cut for cut in cuts if cut < length), length]
    for start, end in pairwise(places):
        writer.write(media[start:end])
    summary = writer.finish(FragmentIndex())
    assert (file.getvalue(), summary) == sealed(media)


def _damaged_chunks(reader: SealedReader) -> list[int]:
    """The chunks of media that a reader does not release."""
    found = []
    for number in range(-(-reader.media_length // reader.chunk_size)):
        try:
            reader.read(number * reader.chunk_size, reader.chunk_size)
        except DamagedChunk as refusal:
            found.append(refusal.chunk)
    return found


@given(length=lengths, place=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_no_changed_bit_ever_changes_a_released_byte(length: int, place: int, bit: int) -> None:
    """One flipped bit, anywhere: the file is refused, or what is released is what was sealed."""
    media = stream("media", length)
    file, summary = sealed(media)
    changed = flipped(file, place % len(file), bit)
    try:
        reader = reader_of(changed, KEY, summary.salt, summary.last_tag)
        damaged = _damaged_chunks(reader)
        pieces = {at: reader.read(at, 4096) for at in range(0, length, 4096) if at // 4096 not in damaged}
    except SealedFileRefused:
        return
    assert damaged, "a flipped bit is never overlooked"
    assert all(media[at : at + 4096] == piece for at, piece in pieces.items())


@given(length=lengths, keep=st.integers(0, 10**9))
def test_a_closed_file_that_was_cut_never_opens(length: int, keep: int) -> None:
    file, summary = sealed(stream("media", length))
    with pytest.raises(SealedFileRefused):
        reader_of(file[: keep % len(file)], KEY, summary.salt, summary.last_tag)


@given(length=lengths, more=st.binary(min_size=1, max_size=5000))
def test_a_closed_file_that_was_appended_to_never_opens(length: int, more: bytes) -> None:
    file, summary = sealed(stream("media", length))
    for end in (more, more + summary.last_tag):
        with pytest.raises(SealedFileRefused):
            reader_of(file + end, KEY, summary.salt, summary.last_tag)


@given(order=st.permutations(range(6)))
def test_chunks_in_any_other_order_are_not_released(order: list[int]) -> None:
    assume(order != sorted(order))
    media = stream("media", 6 * 4096 + 100)
    file, summary = sealed(media)
    parts = [file[HEAD + number * STEP : HEAD + (number + 1) * STEP] for number in order]
    changed = file[:HEAD] + b"".join(parts) + file[HEAD + 6 * STEP :]
    reader = reader_of(changed, KEY, summary.salt, summary.last_tag)
    assert _damaged_chunks(reader) == [at for at, number in enumerate(order) if at != number]


@given(length=st.integers(0, 20_000), keep=st.integers(HEAD, 10**9))
def test_c2_recovery_keeps_every_whole_chunk_and_nothing_that_was_not_sealed(length: int, keep: int) -> None:
    media = stream("media", length)
    file, _ = sealed(media)
    torn = file[: max(HEAD, keep % len(file))]
    after, done = recovered(torn)
    kept = (len(torn) - HEAD) // STEP
    assert (done.closing, done.changed) == (Closing.RECOVERED, True)
    assert done.cut == (len(torn) - HEAD) % STEP
    assert after[: HEAD + kept * STEP] == torn[: HEAD + kept * STEP]
    assert len(after) == HEAD + kept * STEP + TAG == done.summary.size
    reader = reader_of(after, KEY, done.summary.salt, done.summary.last_tag)
    assert reader.state is FileState.RECOVERED
    assert reader.read(0, kept * 4096)[:length] == media[: kept * 4096]
    assert after == independent_reader.recover(torn, KEY)


@given(length=st.integers(0, 20_000), keep=st.integers(HEAD, 10**9))
def test_c4_recovering_twice_is_recovering_once(length: int, keep: int) -> None:
    file, _ = sealed(stream("media", length))
    once, first = recovered(file[: max(HEAD, keep % (len(file) + 1))])
    twice, second = recovered(once)
    assert twice == once
    assert (second.changed, second.cut, second.summary, second.closing) == (False, 0, first.summary, first.closing)


@given(length=st.integers(0, 20_000), keep=st.integers(HEAD, 10**9), again=st.integers(0, 10**9))
def test_c6_recovery_that_was_interrupted_anywhere_is_finished_by_the_next(length: int, keep: int, again: int) -> None:
    """Between the cut and the last byte of the closing chunk, any number of bytes may have reached the disk."""
    file, _ = sealed(stream("media", length))
    torn = file[: max(HEAD, keep % len(file))]
    whole, _ = recovered(torn)
    interrupted = whole[: len(whole) - TAG + again % TAG]
    assert recovered(interrupted)[0] == whole


@given(length=st.integers(0, 20_000), keep=st.integers(HEAD, 10**9), more=st.binary(min_size=1, max_size=9000))
def test_c5_what_follows_a_recovered_file_is_refused_and_left_alone(length: int, keep: int, more: bytes) -> None:
    file, _ = sealed(stream("media", length))
    whole, done = recovered(file[: max(HEAD, keep % len(file))])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(whole + more)
        with path.open("r+b") as left, pytest.raises(Appended):
            recover(left, KeyBytes(KEY))
        assert path.read_bytes() == whole + more
    with pytest.raises(SealedFileRefused):
        reader_of(whole + more, KEY, done.summary.salt, done.summary.last_tag)


@given(room=st.integers(0, 30_000), cuts=st.lists(st.integers(0, 20_000), max_size=5))
def test_w1_wherever_the_disk_is_full_no_nonce_is_used_for_two_plaintexts(room: int, cuts: list[int]) -> None:
    """What reached the disk is a beginning of what an untroubled writer makes: chunk for chunk the same."""
    media, file = stream("media", 20_000), FullAfter(room)
    has_failed = write_until_it_fails(file, media, sorted(cuts), room)
    whole, _ = sealed(media)
    assert whole.startswith(file.getvalue())
    assert has_failed == (file.getvalue() != whole)


def write_until_it_fails(file: FullAfter, media: bytes, cuts: list[int], room: int) -> bool:
    """Write in pieces and finish; after the first piece there is more room, which must not help a failed writer."""
    writer = SealedWriter(file, KeyBytes(KEY), 4096, CountedRandomness("seal"))
    try:
        for start, end in pairwise([0, *cuts, len(media)]):
            writer.write(media[start:end])
            file.make_room(room + 5000)
        writer.finish(FragmentIndex())
    except NotWritten:
        return True
    return False


# The rules.


@given(plain=st.integers(1, 2**50), chunk_size=chunk_sizes)
def test_r3_a_length_tells_its_final_chunk_and_every_plaintext_has_one_length(plain: int, chunk_size: int) -> None:
    assume(-(-plain // chunk_size) <= 2**32)
    size = rules.finished_size(plain, chunk_size)
    final = rules.final_chunk(size, chunk_size)
    assert final.closing is Closing.LAST
    assert final.index * chunk_size + final.length - TAG == plain
    if plain < chunk_size * 2**32:
        assert rules.finished_size(plain + 1, chunk_size) > size
    chunks, rest = divmod(plain, chunk_size)
    if not rest:
        ended = rules.offset_of(chunks, chunk_size) + TAG
        assert rules.final_chunk(ended, chunk_size) == rules.FinalChunk(chunks, TAG, Closing.RECOVERED)


@given(size=st.integers(0, 2**40), chunk_size=chunk_sizes)
def test_every_length_is_finished_recovered_or_impossible_and_never_two_of_them(size: int, chunk_size: int) -> None:
    try:
        final = rules.final_chunk(size, chunk_size)
    except Truncated:
        assert size <= HEAD or 0 < (size - HEAD) % (chunk_size + TAG) < TAG
        return
    assert rules.offset_of(final.index, chunk_size) + final.length == size
    assert (final.length == TAG) == (final.closing is Closing.RECOVERED)


uses = st.tuples(st.integers(0, 2**32 - 2), st.sampled_from(Closing))


@given(first=uses, second=uses, prefix=st.binary(min_size=7, max_size=7))
def test_two_chunks_never_share_a_nonce(first: tuple[int, Closing], second: tuple[int, Closing], prefix: bytes) -> None:
    same = rules.nonce_for(prefix, *first) == rules.nonce_for(prefix, *second)
    assert same == (first == second)
    assert len(rules.nonce_for(prefix, *first)) == 12


@given(head=st.binary(max_size=100) | st.binary(max_size=92).map(lambda rest: rules.MAGIC + rest))
def test_any_bytes_are_a_header_or_a_refusal_and_what_is_read_is_written_alike(head: bytes) -> None:
    try:
        header = rules.parse_header(head)
    except SealedFileRefused:
        return
    assert header.encode() == head[:48]


@given(chunk_size=chunk_sizes, salt=st.binary(min_size=32, max_size=32))
def test_a_header_is_read_as_it_was_written(chunk_size: int, salt: bytes) -> None:
    header = Header(chunk_size, salt)
    assert rules.parse_header(header.encode() + bytes(32)) == header


@given(rate=st.integers(0, 2**40))
def test_w4_a_chunk_holds_at_most_half_a_second_or_is_the_smallest(rate: int) -> None:
    size = rules.chunk_size_for(rate)
    assert size in CHUNK_SIZES
    assert size * 2 <= rate or rate < 8192
    assert size == 4096 or size * 16 <= rate


@given(open_bytes=st.integers(0, 65_536), chunk_size=chunk_sizes)
def test_w5_padding_always_ends_with_the_chunk_and_fits_a_box(open_bytes: int, chunk_size: int) -> None:
    assume(open_bytes < chunk_size)
    size = rules.padding_for(open_bytes, chunk_size)
    assert (open_bytes + size) % chunk_size == 0
    assert size == 0 or 8 <= size < chunk_size + 8


@given(unsynced=st.integers(0, 2**40), seconds=st.floats(0, 1e9), more=st.integers(0, 2**40))
def test_waiting_or_writing_more_never_makes_a_sync_less_due(unsynced: int, seconds: float, more: int) -> None:
    if rules.sync_is_due(unsynced, seconds):
        assert rules.sync_is_due(unsynced + more, seconds)
        assert rules.sync_is_due(unsynced, seconds + 1)


@given(offset=st.integers(0, 2**40), length=st.integers(0, 2**20), chunk_size=chunk_sizes)
def test_the_chunks_of_a_range_hold_it_and_no_chunk_is_there_for_nothing(
    offset: int, length: int, chunk_size: int
) -> None:
    chunks = rules.chunks_of(offset, length, chunk_size)
    if not length:
        assert len(chunks) == 0
        return
    assert chunks.start * chunk_size <= offset < (chunks.start + 1) * chunk_size
    assert (chunks.stop - 1) * chunk_size < offset + length <= chunks.stop * chunk_size


@given(data=st.data(), media_length=st.integers(0, 2**32 - 1))
def test_a_trailer_is_read_as_it_was_written(data: st.DataObject, media_length: int) -> None:
    index = data.draw(indexes(media_length))
    trailer = encode_trailer(index, media_length)
    assert read_footer(trailer[-12:], media_length + len(trailer)) == (media_length, len(trailer))
    assert decode_trailer(trailer, media_length) == index


@given(data=st.data(), media_length=st.integers(0, 5000), place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_r5_a_changed_trailer_is_refused_or_says_something_else_in_the_one_encoding(
    data: st.DataObject, media_length: int, place: int, bit: int
) -> None:
    """What parses encodes to the very bytes that were read: there is no second way to say the same."""
    trailer = encode_trailer(data.draw(indexes(media_length)), media_length)
    changed = flipped(trailer, place % len(trailer), bit)
    try:
        length, size = read_footer(changed[-12:], media_length + len(changed))
        index = decode_trailer(changed[-size:], length)
    except DamagedTrailer:
        return
    assert encode_trailer(index, length) == changed


def test_a_summary_says_what_the_file_is() -> None:
    file, summary = sealed(stream("media", 10_000))
    assert summary == SealedSummary(len(file), file[16:48], file[-16:])
