"""Whether what was destroyed still opens: a sample is kept in memory before, and tried with everything there is after.

Promise P5, tested on the real thing with every erasure: sealed bytes and wrapped keys of a few segments are taken
before their bucket key is destroyed and shown to open then; afterwards they must not, with today's keyring, and the
store must have nothing under their names. Past gate, state and memory of opened keys. No byte in the clear leaves this
file.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from archive.blobs.spool import reader_of
from archive.erasure.tools import Tools
from archive.format.rules import HEAD, TAG
from archive.format.sealed_file import SealedReader
from archive.keys.rules import permit_for_check
from archive.segments.rules import Place
from archive.segments.store import Sealed
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import Randomness, SegmentId
from vms_privacy.keyring.port import KeyIsDestroyed

SAMPLE: Final = 2
"""So many segments of each erasure."""


class DestroyedStillOpens(Refusal):
    """What should be destroyed opens with today's keyring, or its bytes are there: nothing is said to be gone.

    It stays so until somebody has found out why: a round that forgot its sample must not pass what this one saw.
    """

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "destroyed-still-opens"


@dataclass(frozen=True, slots=True)
class Kept:
    """What a thief would have of one segment: its row, and the beginning of its sealed bytes."""

    sealed: Sealed
    octets: bytes


class Sample:
    """Some segments of one erasure, taken before anything of it is destroyed."""

    def __init__(self, tools: Tools, kept: Sequence[Kept]) -> None:
        self._tools = tools
        self._kept = kept

    def verify(self, gone: Collection[SegmentId]) -> int:
        """Return of how many of those said to be gone that is shown.

        Raises DestroyedStillOpens, and what asking keyring and store does.
        """
        tried = [one for one in self._kept if one.sealed.segment.id in gone]
        for one in tried:
            if _opens(self._tools, one):
                raise DestroyedStillOpens("a key that was destroyed still opens what it sealed")
            name = one.sealed.segment.blob_name
            if (self._tools.spool / name).exists() or self._tools.blobs.keeps(name):
                raise DestroyedStillOpens("the bytes of what was destroyed are still there")
        return len(tried)


def choose(randomness: Randomness, ids: Sequence[SegmentId]) -> list[SegmentId]:
    """Choose the segments of a sample, each as likely as any other."""
    left = sorted(ids)
    return [left.pop(int.from_bytes(randomness.octets(8), "big") % len(left)) for _ in range(min(SAMPLE, len(left)))]


def take(tools: Tools, rows: Sequence[Sealed]) -> Sample:
    """Take what opens now of these segments: what does not open before proves nothing afterwards."""
    kept = []
    for sealed in rows:
        one = _kept(tools, sealed)
        if one is not None and _opens(tools, one):
            kept.append(one)
    return Sample(tools, kept)


def _kept(tools: Tools, sealed: Sealed) -> Kept | None:
    segment = sealed.segment
    read = reader_of(tools.spool, tools.blobs, segment.blob_name, is_spooled=segment.place is Place.SPOOL)
    try:
        return Kept(sealed, read(0, HEAD + sealed.chunk_size + TAG))
    except (Refusal, OSError):
        # It is as good as gone; whoever destroys it finds out the same.
        return None


def _opens(tools: Tools, one: Kept) -> bool:
    """Say whether the key opens the head, and the first chunk where it is whole. Raises KeyringUnavailable."""
    try:
        key = tools.keys.unwrap_for_check(permit_for_check(one.sealed.wrapped_place()))
        reader = SealedReader(lambda at, length: one.octets[at : at + length], len(one.octets), key, one.sealed.salt)
        reader.read(0, one.sealed.chunk_size)
    except KeyIsDestroyed:
        return False
    except Refusal as refusal:
        if refusal.kind is Kind.DAMAGED:
            return False
        raise
    return True
