"""Files that a mandate covers in part: where they can be cut, and their kept parts sealed anew.

Promise: what goes in is a row and its sealed bytes; what comes out is moments, and ciphertext under a key of its own. A
picture in the clear is in this process's memory between two chunks, and nowhere else; no method returns a byte of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from archive.blobs.spool import create, reader_of
from archive.blobs.store import BlobStore
from archive.format.index import FragmentIndex
from archive.format.rebuild import rebuild_index, within
from archive.format.sealed_file import FileState, SealedReader, SealedSummary, SealedWriter
from archive.keys.rules import EdgePermit, permit_for_edge
from archive.keys.wrap import PartKey, SegmentKeys
from archive.mandates.rules import Cut, Part, cut_of
from archive.segments.kept_parts import KeptPart
from archive.segments.rules import Place, Span
from archive.segments.store import Sealed
from vms_privacy.durable_files import sync_folder
from vms_privacy.ids import Randomness, SegmentId

_STEP: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SealedPart:
    """A kept part whose file is durable in the spool, and whose key nothing keeps but this value."""

    id: SegmentId
    blob_name: str
    part: Part
    summary: SealedSummary
    key: PartKey


class Edge:
    """One opened file that is to be cut. One thread."""

    def __init__(self, sealed: Sealed, reader: SealedReader, permit: EdgePermit, index: FragmentIndex) -> None:
        self._sealed = sealed
        self._reader = reader
        self._permit = permit
        self._index = index

    @property
    def segment_id(self) -> SegmentId:
        """Which segment it is."""
        return self._sealed.segment.id

    def cut(self, asked: Span) -> Cut | None:
        """Say where it is cut; None if nothing of it lies in the time asked for."""
        segment = self._sealed.segment
        if segment.ends_us is None:
            raise ValueError("a growing file is cut by nobody")
        return cut_of(self._index.entries, segment.starts_us, segment.ends_us, asked)

    def seal(self, part: Part, path: Path, part_id: SegmentId, keys: SegmentKeys, randomness: Randomness) -> SealedPart:
        """Seal a part under a new key into a new file, durable on return.

        Raises NotWritten, OSError, and what reading raises. The padding between fragments and a box that tells of the
        beginning are left out: nothing else.
        """
        key = keys.make_for_part(self._permit)
        file = create(path)
        try:
            writer = SealedWriter(file, key.key, self._sealed.chunk_size, randomness)
            writer.write(self._reader.read(0, self._index.init_length))
            entries = []
            for at in part.places:
                entry = self._index.entries[at]
                entries.append(entry._replace(offset=writer.plain_length))
                for offset in range(entry.offset, entry.end, _STEP):
                    writer.write(self._reader.read(offset, min(_STEP, entry.end - offset)))
            summary = writer.finish(FragmentIndex(self._index.init_length, tuple(entries)))
            writer.sync()
        finally:
            file.close()
        sync_folder(path.parent)
        return SealedPart(part_id, path.name, part, summary, key)


class Edges:
    """Opens files that a mandate covers in part. Thread-safe."""

    def __init__(
        self,
        keys: SegmentKeys,
        spool: Path,
        blobs: BlobStore,
        randomness: Randomness,
        name_blob: Callable[[], str],
    ) -> None:
        self._keys = keys
        self._spool = spool
        self._blobs = blobs
        self._randomness = randomness
        self._name_blob = name_blob

    def open(self, sealed: Sealed) -> Edge:
        """Open a closed file. Raises what opening and reading raise: then nothing of it can be kept, nor cut."""
        segment = sealed.segment
        if segment.size_bytes is None or segment.ends_us is None or sealed.last_tag is None:
            raise ValueError("a growing file is cut by nobody")
        permit = permit_for_edge(sealed.wrapped_place())
        key = self._keys.unwrap_for_edge(permit)
        read_at = reader_of(self._spool, self._blobs, segment.blob_name, is_spooled=segment.place is Place.SPOOL)
        reader = SealedReader(read_at, segment.size_bytes, key, sealed.salt, sealed.last_tag)
        is_recovered = reader.state is FileState.RECOVERED
        index = within(rebuild_index(reader, segment.starts_us), segment.ends_us) if is_recovered else reader.index()
        return Edge(sealed, reader, permit, index)

    def name(self) -> str:
        """Return a name that no file ever had."""
        return self._name_blob()

    def seal(self, edge: Edge, part: Part, name: str) -> SealedPart:
        """Seal one part of a file under a name that is written down already. Raises as `Edge.seal`."""
        return edge.seal(part, self._spool / name, SegmentId(self._randomness.uuid()), self._keys, self._randomness)

    def wrap(self, session: Session, sealed: SealedPart) -> KeptPart:
        """Return what the row of a kept part says, its key wrapped in this very transaction. Raises as `wrap_part`."""
        made = self._keys.wrap_part(session, sealed.key, sealed.id, sealed.part.starts_us)
        return KeptPart(
            id=sealed.id,
            blob_name=sealed.blob_name,
            starts_us=sealed.part.starts_us,
            ends_us=sealed.part.ends_us,
            last_packet_until_us=sealed.part.last_us,
            bucket_key_id=made.bucket_key_id,
            bucket_hour=made.bucket_hour,
            wrapped_key=made.wrapped,
            salt=sealed.summary.salt,
            last_tag=sealed.summary.last_tag,
            size_bytes=sealed.summary.size,
        )

    def discard(self, names: list[str]) -> None:
        """Remove files that became nobody's, durable on return. Nothing opens them: their keys are in no row."""
        for name in names:
            (self._spool / name).unlink(missing_ok=True)
        if names:
            sync_folder(self._spool)
