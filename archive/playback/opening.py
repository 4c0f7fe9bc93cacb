"""Opening sealed files for somebody's look, in the spool, in the store, or while they grow."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from archive.blobs.spool import reader_of
from archive.blobs.store import BlobStore
from archive.errors import FootageIsDamaged, FootageIsGone
from archive.format.index import FragmentIndex
from archive.format.rebuild import rebuild_index, within
from archive.format.sealed_file import FileState, SealedReader
from archive.keys.rules import DecryptPermit
from archive.keys.wrap import SegmentKeys
from archive.mandates import store as mandates
from archive.orders import store as orders
from archive.orders.rules import FOREVER_US, NOTHING_ORDERED, SOUND_AROUND_US, Ordered, ordered
from archive.recorder.growing import Growing
from archive.segments import store as segments
from archive.segments.rules import Place, Span
from archive.segments.store import Sealed
from vms_privacy.db import Database, Reading
from vms_privacy.ids import CameraId, PersonId, SegmentId
from vms_privacy.keyring.port import KeyIsDestroyed

Made = TypeVar("Made")
MOST_KNOWN: Final = 500


@dataclass(frozen=True, slots=True)
class Look:
    """Who may see which time of which camera: what a media session was opened for.

    `case_person` looks for evidence: what is held for a case of theirs opens after its time, too (P6).
    """

    camera_id: CameraId
    window: Span
    depth_us: int | None
    permit: DecryptPermit
    case_person: PersonId | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A segment's row, and what is ordered about its time for whoever looks, both of one moment."""

    sealed: Sealed
    ordered: Ordered


@dataclass(frozen=True, slots=True)
class _Known:
    """What is remembered of a closed file: nothing that shows a picture."""

    index: FragmentIndex
    init: bytes


def ordered_about(asked: Reading, look: Look, rows: Sequence[Sealed]) -> Ordered:
    """Return what is ordered about the time of some segments, in order of time, for whoever looks."""
    if not rows:
        return NOTHING_ORDERED
    ends_us = rows[-1].segment.ends_us
    from_us = rows[0].segment.starts_us - SOUND_AROUND_US
    span = Span(from_us, FOREVER_US if ends_us is None else ends_us + SOUND_AROUND_US)
    found, gone = orders.touching(asked, look.camera_id, span), mandates.touching(asked, look.camera_id, span)
    return ordered(found, look.case_person, gone) if found or gone else NOTHING_ORDERED


class _IsBeingClosed(Exception):
    """The row says that the segment grows, and nobody writes it any more: in a moment its row says otherwise."""


class SealedFiles:
    """Opens what a look's permit opens; what may be shown of it is decided by whoever asks. Thread-safe."""

    def __init__(
        self,
        db: Database,
        keys: SegmentKeys,
        spool: Path,
        store: BlobStore,
        growing: Callable[[CameraId], Growing | None],
    ) -> None:
        self._db = db
        self._keys = keys
        self._spool = spool
        self._store = store
        self._growing = growing
        self._known: OrderedDict[SegmentId, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def forget(self, segment_id: SegmentId) -> None:
        """Drop what is remembered of a segment."""
        with self._lock:
            self._known.pop(segment_id, None)

    def init(self, look: Look, sealed: Sealed, index: FragmentIndex) -> bytes:
        """Return the init segment of a file. Raises FootageIsGone."""
        known = self._remembered(sealed.segment.id)
        if known is not None:
            return known.init
        now = self.row_of_now(look, sealed)
        return self.act_on(look, now, lambda reader, _: reader.read(0, index.init_length))

    def closed_since(self, sealed: Sealed) -> Sealed | None:
        """Return the row of now of a segment that grew when its row was read, and that nobody writes any more.

        None for the leftover of a crash that is not closed yet, and for what was destroyed meanwhile.
        """
        with self._db.glancing() as connection:
            now = segments.by_id(connection, sealed.segment.camera_id, sealed.segment.id)
        return None if now is None or now.segment.ends_us is None else now

    def index(self, look: Look, sealed: Sealed) -> tuple[Sealed, FragmentIndex]:
        """Return the index of a segment, with the row that it belongs to."""
        segment = sealed.segment
        if segment.ends_us is None:
            growing = self._growing(segment.camera_id)
            if growing is not None and growing.segment_id == segment.id:
                return sealed, growing.index
            closed = self.closed_since(sealed)
            return (sealed, FragmentIndex()) if closed is None else self.index(look, closed)
        known = self._remembered(segment.id)
        if known is not None:
            return sealed, known.index
        known = self.act_on(look, sealed, _known_of)
        with self._lock:
            self._known[segment.id] = known
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return sealed, known.index

    def _remembered(self, segment_id: SegmentId) -> "_Known | None":
        with self._lock:
            known = self._known.get(segment_id)
            if known is not None:
                self._known.move_to_end(segment_id)
            return known

    def act_on(self, look: Look, sealed: Sealed, act: Callable[[SealedReader, Sealed], Made]) -> Made:
        """Open a segment as its row was just now, and act on it.

        A row can change between the look at it and the opening: the segment is closed, moved to the store, or put under
        another bucket key because a neighbour is destroyed. Then it is looked at once more.
        """
        try:
            return self._try(look, sealed, act)
        except (KeyIsDestroyed, FileNotFoundError, _IsBeingClosed) as first:
            now = self.row_of_now(look, sealed)
            try:
                return self._try(look, now, act)
            except _IsBeingClosed:
                raise FootageIsGone("this part of the footage cannot be read now") from first
            except FileNotFoundError:
                # Destroyed in between, or lost: its row tells which.
                self.row_of_now(look, sealed)
                raise FootageIsDamaged("the bytes of this part of the footage are not there") from first

    def row_of_now(self, look: Look, sealed: Sealed) -> Sealed:
        """Return the row of now of a segment. Raises FootageIsGone."""
        with self._db.glancing() as connection:
            now = segments.by_id(connection, look.camera_id, sealed.segment.id)
        if now is None:
            raise FootageIsGone("this part of the footage is gone")
        return now

    def see(self, look: Look, segment_id: SegmentId) -> Seen:
        """Return one living segment as it is now. Raises FootageIsGone: destroyed, or never this camera's."""
        with self._db.glancing(at_one_moment=True) as connection:
            sealed = segments.by_id(connection, look.camera_id, segment_id)
            if sealed is None:
                raise FootageIsGone("this part of the footage is gone")
            return Seen(sealed, ordered_about(connection, look, [sealed]))

    def _try(self, look: Look, sealed: Sealed, act: Callable[[SealedReader, Sealed], Made]) -> Made:
        segment = sealed.segment
        key = self._keys.unwrap(look.permit, sealed.wrapped_place())
        size, last_tag = segment.size_bytes, sealed.last_tag
        if segment.ends_us is None or size is None:
            growing = self._growing(segment.camera_id)
            if growing is None or growing.segment_id != segment.id:
                raise _IsBeingClosed
            size, last_tag = growing.sealed_size, None
        is_spooled = segment.place is Place.SPOOL
        read_at = reader_of(self._spool, self._store, segment.blob_name, is_spooled=is_spooled)
        reader = SealedReader(read_at, size, key, sealed.salt, last_tag)
        known = None if last_tag is None else self._remembered(segment.id)
        if known is not None:
            reader.know(known.index)
        return act(reader, sealed)


def _known_of(reader: SealedReader, sealed: Sealed) -> _Known:
    segment = sealed.segment
    if reader.state is FileState.RECOVERED:
        index = rebuild_index(reader, segment.starts_us)
        if segment.ends_us is not None:
            index = within(index, segment.ends_us)
    else:
        index = reader.index()
    return _Known(index, reader.read(0, index.init_length))
