"""Vectors of what a crash leaves, and of what recovery must leave alone."""

from collections.abc import Iterator
from dataclasses import replace

from tests.vectors.sealed_by_hand import MORE, Sealed, flipped, key_of, salt_of, stream, trailer_of
from tests.vectors.sealed_file_vector import Vector, finished, grown, vector


def recoveries() -> Iterator[Vector]:
    step = 4096 + 16

    def kept(name: str, data: bytes, chunks: int, rule: str, why: str) -> Vector:
        sealed = grown(name, chunks)
        made = vector(name, "recovered", sealed, rule, why)
        return replace(made, data=data, released=sealed.plain, after=sealed.recovered().data, last_tag=None)

    def unchanged(name: str, expect: str, sealed: Sealed, rule: str, why: str) -> Vector:
        made = replace(vector(name, expect, sealed, rule, why), last_tag=None, after=sealed.data)
        return replace(made, released=sealed.plain[: sealed.media_length])

    def refused(name: str, expect: str, data: bytes, rule: str, why: str) -> Vector:
        made = vector(name, expect, Sealed.begun(name), rule, why)
        return replace(made, data=data, after=data)

    name = "recover_torn_chunk"
    whole = grown(name, 3).data
    yield kept(name, whole[:-100], 2, "C2 C3", "the last chunk was being written when the process died")
    name = "recover_whole_chunks"
    yield kept(name, grown(name, 2).data, 2, "C2 C3", "the process died between two chunks")
    name = "recover_no_chunk"
    yield kept(name, grown(name, 1).data[:2000], 0, "C2 C3", "not one chunk is whole")
    name = "recover_head_alone"
    yield kept(name, Sealed.begun(name).data, 0, "C2 C3", "nothing was written after the head")
    name = "recover_hole"
    whole = grown(name, 4).data
    hole = whole[: 80 + 2 * step] + bytes(step) + whole[80 + 3 * step :]
    yield kept(name, hole, 2, "C2", "power failed and chunk 2 never reached the disk, though chunk 3 did")
    name = "recover_torn_closing"
    yield kept(name, grown(name, 2).recovered().data[:-9], 2, "C3 C6", "recovery itself was interrupted")
    name = "recover_torn_final"
    begun = Sealed.begun(name).finished(stream(name, 9000), trailer_of(9000, 0, []))
    yield kept(name, begun.data[:-1], 2, "C2 C3", "the process died while it wrote the chunk that closes")
    name = "recover_twice"
    yield unchanged(name, "recovered", grown(name, 2).recovered(), "C4", "recovered before: every byte stays")
    name = "recover_finished"
    yield replace(
        unchanged(name, "finished", finished(name, 9000, 3), "C4", "finished, and the row does not know yet"),
        trailer=(0, 3),
    )
    name = "recover_finished_full"
    yield replace(
        unchanged(name, "finished", finished(name, 8192 - 44), "C4", "the final chunk is full"),
        trailer=(0, 0),
    )
    name = "recover_appended_chunk"
    sealed = grown(name, 2)
    more = sealed.keys.chunk(3, MORE, stream(name + "/3", 4096))
    data = sealed.recovered().data + more
    yield refused(name, "appended", data, "C5 F5", "a chunk follows the one that recovery closed the file with")
    name = "recover_appended_byte"
    yield refused(name, "appended", grown(name, 2).recovered().data + b"\0", "C5 F5", "one byte follows")
    name = "recover_appended_after_full_last"
    data = finished(name, 8192 - 44).data + b"\0"
    yield refused(name, "appended", data, "F5", "one byte follows a full final chunk")
    name = "recover_wrong_key"
    made = refused(name, "wrong-key", grown(name, 2).data[:-5], "C1 R1", "with a wrong key nothing authenticates")
    yield replace(made, key=key_of("another segment"))
    name = "recover_foreign"
    made = refused(name, "foreign", grown(name, 2).data[:-5], "C1", "the file of another segment")
    yield replace(made, salt=salt_of("another segment"))
    name = "recover_torn_head"
    yield refused(name, "truncated", grown(name, 1).data[:79], "C1", "the process died while it wrote the head")
    name = "recover_version_2"
    data = flipped(flipped(grown(name, 1).data, 8, 0), 8, 1)
    yield refused(name, "unsupported-version", data, "C1", "a file of the next version is left alone")
