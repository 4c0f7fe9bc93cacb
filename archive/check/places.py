"""Where sealed files lie: the spool and the store, looked at from outside."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from archive.blobs.quarantine import held_in, spool_quarantine
from archive.blobs.store import BlobStore
from archive.check.rules import Depth, Finding, Kind, Row, judge_bytes, judge_name, judge_seal
from archive.format.errors import SealedFileRefused
from archive.format.rules import HEAD, TAG, final_chunk, parse_header
from archive.segments.rules import NO_SEAL, Place, State
from vms_privacy.errors import Refusal


class Places:
    """Looks at sizes, heads and last bytes. Opens nothing."""

    def quarantine_totals(self) -> dict[str, int]:
        """Count what lies in quarantine, beside the spool and in the store. Raises StoreUnavailable, OSError."""
        sizes = [one.size for one in (*held_in(spool_quarantine(self._spool)), *self._blobs.quarantined())]
        return {"quarantined": len(sizes), "quarantined_bytes": sum(sizes)}

    def __init__(self, spool: Path, blobs: BlobStore) -> None:
        self._spool = spool
        self._blobs = blobs

    def spooled(self) -> Iterator[str]:
        """Go through what lies in the spool. Raises OSError."""
        for path in self._spool.iterdir():
            yield path.name

    def stored(self) -> Iterator[str]:
        """Go through what lies in the store. Raises StoreUnavailable."""
        return self._blobs.names()

    def judge(self, row: Row, depth: Depth) -> Kind | None:
        """Compare a living row with its file. Raises StoreUnavailable, OSError."""
        # The spool first: files move from there to the store, so one that is moved in between is found all the same.
        spooled = self._size_in_spool(row.blob_name)
        stored = self._blobs.size(row.blob_name)
        kind = judge_bytes(row, spooled, stored, depth)
        if kind is not None and row.last_tag != NO_SEAL:
            return kind
        if depth < Depth.SEALS or row.state is State.WRITING:
            return None
        return self._judge_seal(row)

    def look_at(self, name: str, row: Row | None, *, in_spool: bool) -> list[Finding]:
        """Judge one name; what cannot be looked at is a finding itself."""
        if judge_name(row, in_spool=in_spool, size=0) is None:
            # Nothing speaks against it, whatever its size: a bucket is asked for the few others alone.
            return []
        try:
            size = self._size_in_spool(name) if in_spool else self._size_in_store(name)
            kind = judge_name(row, in_spool=in_spool, size=size)
            # What the store has nothing of is no copy: that is told when its row is looked at.
            if kind is Kind.LEFT_BEHIND and self._blobs.size(name) is None:
                return []
        except (Refusal, OSError) as error:
            code = error.code if isinstance(error, Refusal) else type(error).__name__
            return [Finding(Kind.CANNOT_TELL, name=name, detail=code)]
        if kind is None:
            return []
        where, place = ("in the spool", Place.SPOOL) if in_spool else ("in the store", Place.STORE)
        if row is None:
            return [Finding(kind, name=name, detail=where, place=place)]
        return [row.finding(kind, where, place)]

    def _judge_seal(self, row: Row) -> Kind | None:
        size = row.size_bytes or 0
        if row.last_tag == NO_SEAL:
            return Kind.UNREADABLE
        try:
            header = parse_header(self._read(row, 0, min(size, HEAD)))
            final_chunk(size, header.chunk_size)
        except SealedFileRefused:
            return Kind.WRONG_SEAL
        return judge_seal(row, header.salt, header.chunk_size, self._read(row, size - TAG, TAG))

    def is_whole_at(self, row: Row, place: Place) -> bool:
        """Say whether a place has a row's file, as long as it should be and under its seal. Raises as `judge`."""
        size = self._size_in_spool(row.blob_name) if place is Place.SPOOL else self._blobs.size(row.blob_name)
        return size is not None and size == row.size_bytes and self._judge_seal(replace(row, place=place)) is None

    def reader(self, row: Row) -> Callable[[int, int], bytes]:
        """Return what fetches `(offset, length)` of a row's file. It raises StoreUnavailable, OSError."""
        return partial(self._read, row)

    def _read(self, row: Row, offset: int, length: int) -> bytes:
        if row.place is Place.SPOOL:
            path = self._spool / row.blob_name
            if path.exists():
                with path.open("rb", buffering=0) as file:
                    file.seek(offset)
                    return file.read(length)
        return self._blobs.read(row.blob_name, offset, length)

    def _size_in_spool(self, name: str) -> int | None:
        try:
            return (self._spool / name).stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            return None

    def _size_in_store(self, name: str) -> int | None:
        """Return 0 for an upload that was never finished: it is listed, and has no size yet."""
        return self._blobs.size(name) or 0
