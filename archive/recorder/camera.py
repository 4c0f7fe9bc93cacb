"""Recording one camera: fragments in, sealed segments out. Called by one thread at a time, in order."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from archive.format.errors import NotWritten
from archive.format.rules import chunk_size_for
from archive.format.sealed_file import SealedWriter
from archive.keys.wrap import SegmentKeys
from archive.recorder.growing import Growing, GrowingFile, create
from archive.recorder.rules import (
    Allowed,
    LeaveOut,
    OpenSegment,
    StartNew,
    Why,
    Write,
    may_write,
    place,
)
from archive.retention.rules import Policy
from archive.segments import store as segments
from archive.segments.store import Closed, NewSegment
from streams.media.packets import Epoch, Fragment, Track
from vms_privacy.clock import Clock
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import RecordingPermit
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, OperatorId, Randomness, SegmentId

DATABASE_MAY_BE_AWAY: Final = timedelta(seconds=60)
RETRY_AFTER_S: Final = 2.0
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def micros(moment: datetime) -> int:
    """Return a moment as whole microseconds since 1970 (UTC)."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Policies(Protocol):
    """Who knows the retention of a camera."""

    def current(self, session: Session, camera_id: CameraId) -> Policy:
        """Return the policy under which footage is taken now."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What every camera's recorder uses."""

    db: Database
    ledger: ConsentLedger
    policies: Policies
    keys: SegmentKeys
    clock: Clock
    randomness: Randomness
    spool: Path
    name_blob: Callable[[], str]


@dataclass(slots=True)
class Tally:
    """What one camera's recorder did; shown in metrics and in the camera's status."""

    fragments: int = 0
    left_out: int = 0
    segments: int = 0
    failures: int = 0
    last_why: str = ""


class CameraRecorder:
    """Writes what a permit allows and nothing else (P1); each refusal to write has a reason, each gap a row.

    `finished` is called with each closed segment, so that its bytes can go to the store; `recover` closes what a failed
    write of this camera left open, and returns how much of it is open still.
    """

    def __init__(
        self,
        tools: Tools,
        operator_id: OperatorId,
        camera_id: CameraId,
        finished: Callable[[SegmentId], None],
        recover: Callable[[CameraId], int],
    ) -> None:
        self._tools = tools
        self._operator_id = operator_id
        self._camera_id = camera_id
        self._finished = finished
        self._recover = recover
        self._left_over = False
        self._epoch: Epoch | None = None
        self._run = ""
        self._open: OpenSegment | None = None
        self._file: GrowingFile | None = None
        self._permit: RecordingPermit | None = None
        self._allowed: Allowed | None = None
        self._policy = Policy(-1, timedelta(0))
        self._stopped_at_us: int | None = None
        self._ask_again_at: datetime | None = None
        self._heard_at: datetime | None = None
        self._retry_at_s = 0.0
        self.tally = Tally()

    def growing(self) -> Growing | None:
        """Return the growing segment as a reader may rely on it now. Safe in any thread."""
        file = self._file
        return None if file is None else file.snapshot()

    def ask_again(self) -> None:
        """Learn anew about opt-in and retention: something about them has changed.

        A camera that was just opted in has a gap until its next key picture, from the very moment of the opt-in.
        """
        self._ask_again_at = None
        try:
            with self._tools.db.reading() as session:
                self._learn(session, self._tools.clock.now())
                last_us = segments.last_end_us(session, self._camera_id) or 0
        except (SQLAlchemyError, Refusal):
            self.tally.failures += 1
            return
        if self._allowed is not None and self._file is None:
            self._settle(None, max(self._allowed.from_us, last_us), Why.WAITING_FOR_KEY_PICTURE)

    def begin(self, run: str, epoch: Epoch) -> None:
        """Take note of an unbroken run of packets that begins now; the segment before it is closed."""
        self._end(Why.NEW_PARAMETERS if run == self._run else Why.CAMERA_LOST)
        self._run, self._epoch = run, epoch

    def lost(self, why: Why) -> None:
        """Take note that nothing comes any more, and why."""
        self._end(why)
        self._epoch = None

    def overloaded(self) -> None:
        """Take note that fragments were lost because too much waited; what follows begins a new segment."""
        self.tally.failures += 1
        self._end(Why.OVERLOADED)

    def take(self, fragment: Fragment) -> None:
        """Write one fragment, or leave it out for a reason."""
        self.tally.fragments += 1
        why = self._take(fragment)
        if why is not None:
            self.tally.left_out += 1
            self.tally.last_why = why

    def _take(self, fragment: Fragment) -> Why | None:
        if self._epoch is None or fragment.epoch != self._epoch.number:
            return Why.NEW_PARAMETERS
        # Every fragment asks anew: its packets have all arrived, so a withdrawal that came before the last of them is
        # seen here, whoever committed it and wherever (P1).
        refused = self._ask(fragment)
        if refused is not None:
            if self._file is not None and refused in {Why.WITHDRAWN, Why.NO_OPT_IN}:
                self._end(refused, gap=False)
            return refused
        allowed = self._allowed
        if allowed is None:
            return Why.NO_OPT_IN
        match place(fragment, self._run, allowed, self._policy.version, self._policy.keep_us, self._open):
            case LeaveOut(why):
                return why
            case StartNew(why):
                return self._start(fragment, allowed, why)
            case Write():
                return self._write(fragment)

    def _ask(self, fragment: Fragment) -> Why | None:
        now = self._tools.clock.now()
        try:
            with self._tools.db.reading() as session:
                self._learn(session, now)
        except (SQLAlchemyError, Refusal):
            self.tally.failures += 1
            if self._heard_at is None or now - self._heard_at > DATABASE_MAY_BE_AWAY:
                self._end(Why.DATABASE_REFUSED)
                return Why.DATABASE_REFUSED
        refused = may_write(fragment, self._allowed, self._stopped_at_us)
        return None if refused is None else refused.why

    def _learn(self, session: Session, now: datetime) -> None:
        """Read opt-in and retention; only the head of the ledger as long as nothing has changed."""
        ledger = self._tools.ledger
        known = self._allowed
        is_fresh = known is not None and self._ask_again_at is not None and now < self._ask_again_at
        if is_fresh and known is not None and ledger.is_active(session, self._camera_id, known.entry_id):
            self._heard_at = now
            return
        permit = ledger.permit(session, self._camera_id)
        stopped_at = ledger.stopped_at(session, self._camera_id)
        self._policy = self._tools.policies.current(session, self._camera_id)
        self._permit = permit
        self._allowed = None if permit is None else _allowed(permit)
        self._stopped_at_us = None if stopped_at is None else micros(stopped_at)
        self._ask_again_at = None if permit is None else permit.ask_again_at
        self._heard_at = now

    def _write(self, fragment: Fragment) -> Why | None:
        file, open_segment = self._file, self._open
        if file is None or open_segment is None:
            return Why.WAITING_FOR_KEY_PICTURE
        try:
            file.add(fragment, self._tools.clock.monotonic())
        except NotWritten:
            return self._fail(Why.WRITE_FAILED)
        if fragment.starts_with_key and fragment.track is Track.VIDEO:
            self._open = replace(open_segment, last_key_us=fragment.captured_from_us)
        return None

    def _start(self, fragment: Fragment, allowed: Allowed, why: Why) -> Why | None:
        clock, epoch, permit = self._tools.clock, self._epoch, self._permit
        if epoch is None or permit is None or clock.monotonic() < self._retry_at_s:
            return Why.WAITING_FOR_KEY_PICTURE
        ended = self._seal_open(why, fragment.captured_from_us)
        try:
            if self._left_over:
                self._left_over = self._recover(self._camera_id) > 0
            file = self._register(fragment, permit, epoch, ended)
        except IntegrityError:
            # The database's own refusal: the opt-in ended between our look and the insert, or times would overlap.
            self.ask_again()
            return self._fail(Why.DATABASE_REFUSED, ended)
        except SQLAlchemyError:
            return self._fail(Why.DATABASE_REFUSED, ended)
        except OSError:
            return self._fail(Why.DISK_FULL, ended)
        except Refusal:
            return self._fail(Why.KEYRING_UNAVAILABLE, ended)
        if ended is not None:
            self._finished(ended[0])
        self._file = file
        self._open = OpenSegment(
            self._run,
            epoch.number,
            fragment.captured_from_us,
            fragment.captured_from_us,
            self._policy.version,
            allowed,
        )
        self.tally.segments += 1
        return self._write(fragment)

    def _register(
        self,
        fragment: Fragment,
        permit: RecordingPermit,
        epoch: Epoch,
        ended: tuple[SegmentId, Closed] | None,
    ) -> GrowingFile:
        """Commit the row of a new segment, and the end of the one before, before the first byte is written."""
        tools = self._tools
        segment_id = SegmentId(tools.randomness.uuid())
        tracks = _tracks(epoch, permit)
        name = tools.name_blob()
        path = tools.spool / name
        file = create(path)
        try:
            with tools.db.writing() as session:
                if ended is not None:
                    segments.close(session, *ended)
                # A new run's first stamps may lie a little before the last one's end: times never overlap.
                starts_us = max(fragment.captured_from_us, segments.last_end_us(session, self._camera_id) or 0)
                made = tools.keys.new(session, permit, self._operator_id, segment_id, starts_us)
                length_us = max(fragment.captured_until_us - fragment.captured_from_us, 1)
                chunk_size = chunk_size_for(len(fragment.data) * 1_000_000 // length_us)
                writer = SealedWriter(file, made.key, chunk_size, tools.randomness)
                segments.add(
                    session,
                    NewSegment(
                        id=segment_id,
                        operator_id=self._operator_id,
                        camera_id=self._camera_id,
                        consent_entry_id=permit.entry_id,
                        policy_version=self._policy.version,
                        blob_name=name,
                        starts_us=starts_us,
                        keep_us=self._policy.keep_us,
                        run=self._run,
                        epoch=epoch.number,
                        tracks="+".join(sorted(tracks, reverse=True)),
                        chunk_size=chunk_size,
                        bucket_key_id=made.bucket_key_id,
                        bucket_hour=made.bucket_hour,
                        wrapped_key=made.wrapped,
                        salt=writer.salt,
                    ),
                )
                segments.end_gap(session, self._camera_id, fragment.captured_from_us)
            return GrowingFile(segment_id, self._camera_id, starts_us, file, writer, epoch.init[tracks])
        except BaseException:
            # Nothing was written into it: no row, no file.
            file.close()
            path.unlink()
            raise

    def _seal_open(self, why: Why, next_from_us: int | None = None) -> tuple[SegmentId, Closed] | None:
        """Close the open file; return what its row must say, or None if there is none to close."""
        file, self._file, self._open = self._file, None, None
        if file is None:
            return None
        self.tally.last_why = why
        try:
            summary = file.finish()
        except NotWritten:
            self._leave(file)
            return None
        ends_us = file.until_us if next_from_us is None else min(file.until_us, next_from_us)
        closed = Closed(max(ends_us, file.from_us + 1), file.last_packet_until_us, summary.last_tag, summary.size)
        return file.segment_id, closed

    def _leave(self, file: GrowingFile) -> None:
        """Leave a file to recovery; its row stays `writing`."""
        file.abandon()
        self._left_over = True
        self.tally.failures += 1

    def _end(self, why: Why, *, gap: bool = True) -> None:
        ended = self._seal_open(why)
        if ended is not None:
            self._settle(ended, ended[1].ends_us, why, gap=gap)

    def _settle(self, ended: tuple[SegmentId, Closed] | None, from_us: int, why: Why, *, gap: bool = True) -> None:
        """Write the end of a segment, and the gap that begins there while the opt-in goes on."""
        try:
            with self._tools.db.writing() as session:
                if ended is not None:
                    segments.close(session, *ended)
                if gap and why not in {Why.NO_OPT_IN, Why.WITHDRAWN}:
                    segments.open_gap(session, self._tools.randomness, self._operator_id, self._camera_id, from_us, why)
        except SQLAlchemyError:
            # The row stays `writing`: recovery closes it from the file itself.
            self._left_over = self._left_over or ended is not None
            self.tally.failures += 1
            return
        if ended is not None:
            self._finished(ended[0])

    def _fail(self, why: Why, ended: tuple[SegmentId, Closed] | None = None) -> Why:
        self.tally.failures += 1
        self._retry_at_s = self._tools.clock.monotonic() + RETRY_AFTER_S
        file, self._file, self._open = self._file, None, None
        from_us = micros(self._tools.clock.now())
        if file is not None:
            from_us = file.until_us or from_us
            self._leave(file)
        self._settle(ended, ended[1].ends_us if ended else from_us, why)
        return why


def _allowed(permit: RecordingPermit) -> Allowed:
    audio = permit.audio_given_at
    return Allowed(permit.entry_id, micros(permit.given_at), None if audio is None else micros(audio))


def _tracks(epoch: Epoch, permit: RecordingPermit) -> frozenset[Track]:
    there = {info.track for info in epoch.tracks}
    return frozenset(there if permit.audio else there & {Track.VIDEO})
