"""Vectors of heads and ends that are refused before a byte is released."""

from collections.abc import Iterator
from dataclasses import replace

from tests.vectors.sealed_by_hand import (
    LAST,
    RECOVERED,
    Keys,
    Sealed,
    flipped,
    header_of,
    key_of,
    salt_of,
    stream,
    trailer_of,
)
from tests.vectors.sealed_file_vector import Vector, finished, grown, vector


def damaged_heads() -> Iterator[Vector]:
    def changed(name: str, expect: str, at: int, bit: int, rule: str, why: str) -> Vector:
        sealed = finished(name, 100)
        return replace(vector(name, expect, sealed, rule, why), data=flipped(sealed.data, at, bit))

    yield changed("head_magic_bit", "not-sealed", 0, 7, "R9", "the top bit of the first byte is lost, as in 7-bit mail")
    yield changed("head_version_bit", "unsupported-version", 8, 1, "R9", "one bit makes version 1 version 3")
    yield changed("head_exponent_bit", "wrong-key", 9, 0, "R1", "another chunk size in range: the key check binds it")
    yield changed("head_reserved_bit", "damaged-header", 15, 0, "R9", "a reserved byte is not zero")
    yield changed("head_salt_bit", "foreign", 16, 3, "R7", "the salt is not the one in the row")
    yield changed("head_key_check_bit", "wrong-key", 79, 0, "R1", "the key check is changed")
    for name, header, expect, why in (
        ("head_version_2_well_made", header_of(12, salt_of("head_version_2_well_made"), 2), "unsupported-version", "2"),
        ("head_exponent_11", header_of(11, salt_of("head_exponent_11")), "damaged-header", "chunks of 2 KiB"),
        ("head_exponent_17", header_of(17, salt_of("head_exponent_17")), "damaged-header", "chunks of 128 KiB"),
    ):
        sealed = Sealed(header, Keys.of(key_of(name), header)).finished(b"", trailer_of(0, 0, []))
        yield vector(
            name, expect, sealed, "R9", f"sealed with a key check of its own, but {why} is not of this version"
        )
    name = "head_salt_and_seal_changed"
    sealed = finished(name, 100)
    made = vector(name, "wrong-key", sealed, "R1", "row and file agree on a wrong salt; the key check does not")
    yield replace(made, data=flipped(sealed.data, 16), salt=flipped(sealed.salt, 0))
    name = "wrong_key"
    made = vector(name, "wrong-key", finished(name, 100), "R1", "the key of another segment")
    yield replace(made, key=key_of("another segment"))
    name = "foreign_file"
    made = vector(name, "foreign", finished(name, 100), "R7", "the file of another segment of the same camera")
    yield replace(made, salt=salt_of("another segment"))
    for name, keep, expect in (
        ("head_of_5_bytes", 5, "not-sealed"),
        ("head_of_8_bytes", 8, "truncated"),
        ("head_of_79_bytes", 79, "truncated"),
        ("head_alone", 80, "truncated"),
    ):
        made = vector(name, expect, finished(name, 100), "R3", "the file ends here")
        yield replace(made, data=made.data[:keep])
    name = "not_sealed_text"
    made = vector(name, "not-sealed", finished(name, 0), "R9", "a text file")
    yield replace(
        made, data=b"This is not a sealed file, and long enough to have a head of eighty bytes and more.\n" * 2
    )


def wrong_ends() -> Iterator[Vector]:
    def cut(name: str, expect: str, keep: int, rule: str, why: str) -> Vector:
        sealed = finished(name, 9000, 3)
        return replace(vector(name, expect, sealed, rule, why), data=sealed.data[:keep])

    step = 4096 + 16
    yield cut("end_15_bytes_of_a_chunk", "truncated", 80 + step + 15, "R3", "no closed file has this length")
    yield cut("end_last_chunk_missing", "stale", 80 + 2 * step, "R7", "whole chunks, but not the tag in the row")
    yield cut("end_older_copy", "stale", 80 + step + 1000, "R7", "a copy that was taken while the file grew")
    name = "end_last_chunk_missing_row_agrees"
    sealed = finished(name, 9000, 3)
    sealed = sealed.with_chunks(sealed.chunks[:2])
    yield vector(name, "truncated", sealed, "F5 R2 R3", "the final chunk authenticates under more: the file went on")
    name = "end_older_copy_recovered"
    sealed = finished(name, 9000, 3)
    older = sealed.with_chunks(sealed.chunks[:2]).recovered()
    made = vector(name, "stale", sealed, "R7", "a closed file under the right key, but not the one the row closed")
    yield replace(made, data=older.data)
    for name, more in (("end_one_byte_appended", b"\0"), ("end_chunk_appended", stream("appended", 4112))):
        made = vector(name, "stale", finished(name, 9000, 3), "F5 R7", "something follows the closing chunk")
        yield replace(made, data=made.data + more)
    name = "end_tag_appended"
    sealed = finished(name, 9000, 3)
    made = vector(name, "damaged-chunk", sealed, "F5 R2", "the last tag stands twice, so the final chunk is too long")
    yield replace(made, data=sealed.data + sealed.last_tag, chunk=2)
    name = "end_empty_last_chunk"
    sealed = grown(name, 2)
    sealed = sealed.with_chunks([*sealed.chunks, sealed.keys.chunk(2, LAST, b"")])
    made = vector(name, "damaged-chunk", sealed, "F6", "an empty chunk under last: by its length it must be recovered")
    yield replace(made, chunk=2)
    name = "end_recovered_with_plaintext"
    sealed = grown(name, 2)
    sealed = sealed.with_chunks([*sealed.chunks, sealed.keys.chunk(2, RECOVERED, trailer_of(8192, 0, []))])
    made = vector(name, "damaged-chunk", sealed, "F6", "a chunk under recovered that says something")
    yield replace(made, chunk=2)
    name = "end_recovered_then_appended"
    sealed = grown(name, 2).recovered()
    made = vector(
        name, "stale", sealed, "F5 R7", "a chunk was sealed under the same key after recovery closed the file"
    )
    yield replace(made, data=sealed.data + sealed.keys.chunk(3, LAST, trailer_of(8192, 0, [])))
    name = "end_recovered_then_appended_row_agrees"
    sealed = grown(name, 2).recovered()
    sealed = sealed.with_chunks([*sealed.chunks, sealed.keys.chunk(3, LAST, trailer_of(8192, 0, []))])
    made = vector(name, "damaged-chunk", sealed, "F5", "the same, and the row has the tag of what was appended")
    yield replace(made, chunk=2)
