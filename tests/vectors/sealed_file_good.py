"""Vectors of files that open, finished and growing, and of growing files that are damaged."""

from collections.abc import Iterator
from dataclasses import replace

from tests.vectors.sealed_by_hand import LAST, Entry, Sealed, stream, trailer_of
from tests.vectors.sealed_file_vector import Vector, finished, good, grown, vector


def finished_files() -> Iterator[Vector]:
    for name, plain, why in (
        ("finished_empty_media", 44, "no media: one chunk that holds the trailer alone"),
        ("finished_one_below_a_chunk", 4095, "the final chunk is one byte short of full"),
        ("finished_exactly_a_chunk", 4096, "the only chunk is full and closes the file"),
        ("finished_one_above_a_chunk", 4097, "the final chunk holds one byte, the last of the footer"),
        ("finished_exactly_two_chunks", 8192, "a full chunk closes the file after another"),
    ):
        yield good(name, finished(name, plain - 44), "F4 F5 F6 R3", why)
    for exponent in (12, 13, 14, 15, 16):
        name = f"finished_chunks_of_{1 << exponent}"
        length = (1 << exponent) + 777
        why = "a file with chunks of this size, four fragments and an init segment"
        yield good(name, finished(name, length, 4, 700, exponent), "F1 F7 F8 R4", why, 4, 700)
    name = "finished_footer_over_two_chunks"
    yield good(name, finished(name, 8192 + 5 - 88, 1), "R4 R5 R6", "the footer begins in the last chunk but one", 1)
    name = "finished_trailer_over_three_chunks"
    yield good(name, finished(name, 6000, 200, 1200), "R4 R5 R6", "200 fragments need more than two chunks", 200, 1200)
    name = "finished_with_padding"
    media = stream(name, 1000) + (3096).to_bytes(4, "big") + b"free" + bytes(3088) + stream(name, 500)
    listed = [Entry(100, 900), Entry(4096, 500, captured_from_us=Entry(0, 1).captured_until_us)]
    sealed = Sealed.begun(name).finished(media, trailer_of(len(media), 100, listed))
    yield good(name, sealed, "F8 W5", "a free box fills the first chunk, so the entries leave a gap", 2, 100)


def growing_files() -> Iterator[Vector]:
    name = "growing_no_chunk"
    yield vector(name, "growing", Sealed.begun(name), "R8", "a head and nothing else is a growing file without media")
    name = "growing_two_chunks"
    sealed = grown(name, 2)
    made = vector(name, "growing", sealed, "R8", "two whole chunks are read, although nothing closes the file")
    yield replace(made, released=sealed.plain)
    name = "growing_torn_chunk"
    sealed = grown(name, 3)
    made = vector(name, "growing", sealed, "R8", "what follows the last whole chunk is not looked at")
    yield replace(made, released=sealed.plain[:8192], data=sealed.data[:-100])
    name = "growing_swapped_chunks"
    sealed = grown(name, 3)
    first, second, third = sealed.chunks
    made = vector(name, "growing", sealed.with_chunks([first, third, second]), "R2 R8", "the index is in the nonce")
    yield replace(made, expect="damaged-chunk", chunk=1, released=sealed.plain[:4096])
    name = "growing_dropped_chunk"
    sealed = grown(name, 3)
    made = vector(
        name, "growing", sealed.with_chunks([*sealed.chunks[:1], sealed.chunks[2]]), "R2 R8", "chunk 1 is gone"
    )
    yield replace(made, expect="damaged-chunk", chunk=1, released=sealed.plain[:4096])
    name = "growing_repeated_chunk"
    sealed = grown(name, 2)
    made = vector(name, "growing", sealed.with_chunks([sealed.chunks[0]] * 2), "R2 R8", "chunk 0 stands twice")
    yield replace(made, expect="damaged-chunk", chunk=1, released=sealed.plain[:4096])
    name = "growing_closing_chunk_inside"
    sealed = grown(name, 1)
    closing = sealed.keys.chunk(1, LAST, stream(name + "/1", 4096))
    made = vector(name, "growing", sealed.with_chunks([*sealed.chunks, closing]), "F4 R2 R8", "a full chunk under last")
    yield replace(made, expect="damaged-chunk", chunk=1, released=sealed.plain)
