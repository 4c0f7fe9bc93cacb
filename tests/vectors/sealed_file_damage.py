"""Vectors of damaged chunks and of trailers that lie."""

from collections.abc import Iterator
from dataclasses import replace

from tests.vectors.sealed_by_hand import LAST, Entry, Sealed, flipped, stream, trailer_of
from tests.vectors.sealed_file_vector import Vector, finished, vector


def damaged_chunks() -> Iterator[Vector]:
    step = 4096 + 16

    def changed(name: str, at: int, chunk: int, released: int, rule: str, why: str) -> Vector:
        sealed = finished(name, 12_000, 3)
        made = vector(name, "damaged-chunk", sealed, rule, why)
        return replace(made, data=flipped(sealed.data, at), chunk=chunk, released=sealed.plain[:released])

    yield changed("chunk_bit", 80 + step + 100, 1, 4096, "R2 R10", "one bit of the ciphertext of chunk 1")
    yield changed("chunk_tag_bit", 80 + 2 * step - 1, 1, 4096, "R2 R10", "one bit of the tag of chunk 1")
    yield changed("chunk_first_bit", 80, 0, 0, "R2 R10", "one bit of chunk 0: nothing is released")
    yield changed("chunk_final_bit", -17, 2, 0, "R2", "one bit of the final chunk, before its tag")
    name = "chunk_last_tag_bit"
    made = vector(name, "stale", finished(name, 12_000, 3), "R7", "one bit of the last tag")
    yield replace(made, data=flipped(made.data, -1))
    name = "chunk_trailer_bit"
    sealed = finished(name, 6000, 200)
    made = vector(name, "damaged-chunk", sealed, "R2 R5", "one bit of a chunk that holds a part of the trailer")
    yield replace(made, data=flipped(sealed.data, 80 + 2 * step + 9), chunk=2)
    name = "chunk_swapped"
    sealed = finished(name, 16_000, 3)
    order = [sealed.chunks[number] for number in (0, 2, 1, 3)]
    made = vector(name, "damaged-chunk", sealed.with_chunks(order), "R2", "chunks 1 and 2 have changed places")
    yield replace(made, chunk=1, released=sealed.plain[:4096])
    name = "chunk_dropped"
    sealed = finished(name, 16_000, 3)
    rest = sealed.with_chunks(sealed.chunks[:1] + sealed.chunks[2:])
    made = vector(name, "damaged-chunk", rest, "R2", "chunk 1 is gone, so the final chunk has the wrong index")
    yield replace(made, chunk=2)
    name = "chunk_closes_inside"
    sealed = finished(name, 9000, 3)
    early = sealed.keys.chunk(1, LAST, sealed.plain[4096:8192])
    made = vector(
        name, "damaged-chunk", sealed.with_chunks([sealed.chunks[0], early, sealed.chunks[2]]), "F4 R2", "two"
    )
    yield replace(made, chunk=1, released=sealed.plain[:4096], why="chunk 1 of 3 is sealed under last")
    name = "chunk_of_another_place"
    sealed, other = finished(name, 9000, 3), finished("another segment", 9000, 3)
    made = vector(
        name, "damaged-chunk", sealed.with_chunks([other.chunks[0], *sealed.chunks[1:]]), "R2", "other file's"
    )
    yield replace(made, chunk=0, why="chunk 0 comes from the file of another segment")


def lying_trailers() -> Iterator[Vector]:
    media, init = 1000, 100
    one = Entry(init, 400)

    def lying(name: str, trailer: bytes, why: str, rule: str = "R5") -> Vector:
        sealed = Sealed.begun(name).finished(stream(name, media), trailer)
        return vector(name, "damaged-trailer", sealed, rule, why)

    def entry(name: str, why: str, *entries: Entry) -> Vector:
        return lying(name, trailer_of(media, init, entries), why, "F8 R5")

    right = trailer_of(media, init, [one])
    yield lying("trailer_too_short", stream("short", 10)[:10], "the last twelve bytes are not a footer")
    name = "trailer_no_room"
    yield vector(name, "damaged-trailer", Sealed.begun(name).finished(b"", bytes(43)), "F7 R5", "43 bytes of plaintext")
    yield lying("trailer_box_size", (87).to_bytes(4, "big") + right[4:], "the two sizes differ")
    yield lying("trailer_box_type", right[:4] + b"free" + right[8:], "a box of another type")
    yield lying("trailer_user_type", flipped(right, 8), "a uuid box of somebody else")
    yield lying("trailer_count", right[:28] + (2).to_bytes(4, "big") + right[32:], "more entries said than there are")
    yield lying("trailer_media_length", flipped(right, -5), "media and trailer are not the plaintext", "F7 R5")
    yield lying("trailer_footer_size", flipped(right, -1, 2), "a size that is not 44 times something", "F7 R5")
    yield lying("trailer_init_above_media", trailer_of(media, media + 1, []), "init ends after the media", "F7 R5")
    yield entry("trailer_track_3", "there is no track 3", replace(one, track=3))
    yield entry("trailer_flags_2", "an unknown flag", replace(one, flags=2))
    yield entry("trailer_reserved", "a reserved byte is not zero", replace(one, reserved=1))
    yield entry("trailer_empty_fragment", "a fragment without a byte", replace(one, length=0))
    yield entry("trailer_begins_in_init", "the first fragment begins inside the init segment", replace(one, offset=99))
    yield entry("trailer_overlap", "the second fragment begins inside the first", one, replace(one, offset=499))
    yield entry("trailer_out_of_order", "the fragments are not in the order of offsets", replace(one, offset=500), one)
    yield entry("trailer_beyond_media", "the fragment ends after the media", replace(one, length=901))
    yield entry("trailer_time_backwards", "captured until is before captured from", replace(one, captured_until_us=5))
    name, late = "trailer_time_too_large", 2**63
    yield entry(name, "a time outside 63 bits", replace(one, captured_from_us=late, captured_until_us=late))
