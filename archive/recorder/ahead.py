"""One camera's next segment, registered before it is needed, so that recording goes on while the database is away.

Decision 0033. What is registered has its row, its opt-in, its name and its wrapped key; what only the first fragment
tells, its file says itself until the database can be told.
"""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from archive.blobs.spool import create
from archive.format.beginning import Beginning, encode_beginning
from archive.format.rules import SALT, chunk_size_for
from archive.keys.rules import hour_of
from archive.keys.wrap import NewSegmentKey
from archive.recorder.accounting import fill
from archive.recorder.growing import GrowingFile
from archive.recorder.rules import LeaveOut, Why, beginning, opted_in
from archive.recorder.standing import Standing, micros
from archive.recorder.tools import NotBegun, Tools
from archive.segments import ahead
from archive.segments import store as segments
from archive.segments.ahead import Ahead
from archive.segments.store import NewSegment
from streams.media.packets import Epoch, Fragment, Track
from vms_privacy.consent.rules import ConsentKind, RecordingPermit
from vms_privacy.consent.store import ConsentStore
from vms_privacy.db import after_commit
from vms_privacy.durable_files import sync_folder
from vms_privacy.ids import CameraId, OperatorId, Randomness, SegmentId


@dataclass(frozen=True, slots=True)
class _Ready:
    """What is registered, and the key that its row has wrapped."""

    ahead: Ahead
    key: NewSegmentKey


@dataclass(frozen=True, slots=True)
class _BegunAhead:
    """A file that has begun while no segment row could be written, and what the gap before it is called."""

    ahead: Ahead
    beginning: Beginning
    chunk_size: int
    why: Why


class NextSegment:
    """Registers, begins and takes in. At most one segment is registered, and at most one has begun unseen.

    Only what is certainly committed is begun: where a commit had no answer, there is none until the next one.
    """

    def __init__(self, tools: Tools, operator_id: OperatorId, camera_id: CameraId) -> None:
        self._tools = tools
        self._operator_id = operator_id
        self._camera_id = camera_id
        self._ready: _Ready | None = None
        self._begun: _BegunAhead | None = None

    @property
    def mine(self) -> SegmentId | None:
        """Return which of the camera's registered segments is in use here: it is nobody's leftover."""
        held = self._begun or self._ready
        return None if held is None else held.ahead.id

    @property
    def begun(self) -> SegmentId | None:
        """Return the segment that has begun and of which the database does not know it yet."""
        return None if self._begun is None else self._begun.ahead.id

    def keep_ready(
        self, session: Session, permit: RecordingPermit, standing: Standing, starts_us: int, store: str
    ) -> None:
        """Register one with this transaction, unless the one there is still of this opt-in, policy, hour and store.

        It goes under the bucket of the segment that begins now, which lives as long as it does or longer. Raises what
        the keyring raises.
        """
        tools, policy = self._tools, standing.policy
        wanted = (permit.entry_id, policy.version, hour_of(starts_us), store)
        for there in ahead.every(session, self._camera_id):
            is_mine = self._ready is not None and there.id == self._ready.ahead.id
            if is_mine and (there.consent_entry_id, there.policy_version, there.bucket_hour, there.store) == wanted:
                return
            if not is_mine and size_of(tools.spool / there.blob_name):
                # It has begun, and recovery could not take it in yet: nothing takes its place.
                return
            ahead.remove(session, there.id)
        segment_id = SegmentId(tools.randomness.uuid())
        made = tools.keys.new(session, permit, self._operator_id, segment_id, starts_us)
        registered = Ahead(
            id=segment_id,
            operator_id=self._operator_id,
            camera_id=self._camera_id,
            consent_entry_id=permit.entry_id,
            policy_version=policy.version,
            keep_us=policy.keep_us,
            blob_name=tools.name_blob(),
            store=store,
            bucket_key_id=made.bucket_key_id,
            bucket_hour=made.bucket_hour,
            wrapped_key=made.wrapped,
            salt=tools.randomness.octets(SALT),
            registered_us=starts_us,
        )
        ahead.add(session, registered)
        # Whether the one before is there still is not certain until this is committed.
        self._ready = None
        after_commit(session, lambda: self._is_ready(_Ready(registered, made)))

    def let_go(self, session: Session) -> None:
        """Give back, with this transaction, what is registered and was not needed; `forget_ready` before it ends."""
        if self._ready is not None:
            ahead.remove(session, self._ready.ahead.id)

    def forget_ready(self) -> None:
        """Trust no more in what is registered: from here on only the commit can fail, and nobody may know how."""
        self._ready = None

    def begin(
        self, fragment: Fragment, run: str, epoch: Epoch, standing: Standing, since_us: int, why: Why
    ) -> tuple[GrowingFile, frozenset[Track]]:
        """Begin the file of what is registered, no earlier than `since_us`. Raises NotBegun, OSError, NotWritten."""
        ready, allowed = self._ready, standing.allowed
        if ready is None or self._begun is not None or allowed is None:
            raise NotBegun(Why.DATABASE_REFUSED)
        one, starts_us = ready.ahead, fragment.captured_from_us
        if (one.consent_entry_id, one.policy_version) != (allowed.entry_id, standing.policy.version):
            raise NotBegun(Why.DATABASE_REFUSED)
        if starts_us < max(since_us, one.registered_us):
            raise NotBegun(Why.CLOCK_WENT_BACK)
        # Whatever becomes of it now, its key is for no other file.
        self._ready = None
        there = {info.track for info in epoch.tracks}
        tracks = frozenset(there if allowed.audio_from_us is not None else there & {Track.VIDEO})
        told = Beginning(starts_us, run, epoch.number, "+".join(sorted(tracks, reverse=True)))
        length_us = max(fragment.captured_until_us - starts_us, 1)
        chunk_size = chunk_size_for(len(fragment.data) * 1_000_000 // length_us)
        file = create(self._tools.spool / one.blob_name)
        try:
            sync_folder(self._tools.spool)
            writer = self._tools.new_writer(file, ready.key.key, chunk_size, self._tools.randomness, one.salt)
            growing = GrowingFile(
                one.id, self._camera_id, starts_us, file, writer, epoch.init[tracks], encode_beginning(told)
            )
        except BaseException:
            file.close()
            raise
        self._begun = _BegunAhead(one, told, chunk_size, why)
        return growing, tracks

    def take_in(self, session: Session) -> bool:
        """Turn what has begun into a segment, with this transaction; False where the opt-in did not cover it.

        Then nothing of it is kept, nor where somebody has taken the row away: nothing opens that file. The database
        refuses a segment beside another that is open. May be repeated.
        """
        begun = self._begun
        if begun is None:
            return True
        there = ahead.by_id(session, begun.ahead.id)
        is_kept = segments.by_id(session, self._camera_id, begun.ahead.id) is not None
        if there is not None:
            is_kept = take_in(session, self._tools.randomness, there, begun.beginning, begun.chunk_size, begun.why)
        if not is_kept:
            drop(session, begun.ahead, self._tools.spool)
        after_commit(session, self.forget_begun)
        return is_kept

    def forget_begun(self) -> None:
        """Leave what has begun to whoever comes next: to the segment's row, or to recovery."""
        self._begun = None

    def _is_ready(self, ready: _Ready) -> None:
        self._ready = ready


def take_in(session: Session, randomness: Randomness, one: Ahead, begun: Beginning, chunk_size: int, why: Why) -> bool:
    """Write the row of a segment that has begun ahead, in state `writing`; False if its opt-in was over by then.

    What lies between the footage before and this gets a gap, with `why`.
    """
    history = ConsentStore().history(session, one.camera_id)
    spans = {span.entry_id: span for span in opted_in(history, ConsentKind.VIDEO_RECORDING)}
    span = spans.get(one.consent_entry_id)
    if span is None or (span.until is not None and micros(span.until) <= begun.starts_us):
        return False
    newest = segments.newest(session, one.camera_id)
    placed = beginning(begun.starts_us, newest)
    if not isinstance(placed, LeaveOut) and placed.cuts_newest and newest is not None:
        segments.end_earlier(session, newest.segment_id, begun.starts_us)
    last_us = segments.last_end_us(session, one.camera_id) or 0
    since_us = max(last_us, micros(span.from_at))
    fill(session, randomness, one.operator_id, one.camera_id, since_us, begun.starts_us, why)
    segments.add(
        session,
        NewSegment(
            id=one.id,
            operator_id=one.operator_id,
            camera_id=one.camera_id,
            consent_entry_id=one.consent_entry_id,
            policy_version=one.policy_version,
            blob_name=one.blob_name,
            store=one.store,
            starts_us=begun.starts_us,
            keep_us=one.keep_us,
            run=begun.run,
            epoch=begun.epoch,
            tracks=begun.tracks,
            chunk_size=chunk_size,
            bucket_key_id=one.bucket_key_id,
            bucket_hour=one.bucket_hour,
            wrapped_key=one.wrapped_key,
            salt=one.salt,
        ),
    )
    ahead.remove(session, one.id)
    return True


def drop(session: Session, one: Ahead, spool: Path) -> None:
    """Remove the file of a segment that is not to be, and what was registered of it.

    The file goes first and for good: a crash in between leaves a row without a file, which is none.
    """
    (spool / one.blob_name).unlink(missing_ok=True)
    sync_folder(spool)
    ahead.remove(session, one.id)


def size_of(path: Path) -> int:
    """Return how much has been written to a file; nothing where there is none."""
    return path.stat().st_size if path.exists() else 0
