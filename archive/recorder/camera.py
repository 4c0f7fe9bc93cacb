"""Recording one camera: fragments in, sealed segments out. Called by one thread at a time, in order."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from archive.format.errors import NotWritten
from archive.recorder.growing import Growing, GrowingFile
from archive.recorder.heads import Heads
from archive.recorder.hearing import Hearing
from archive.recorder.rows import Begun, CameraRows, Ended
from archive.recorder.rules import (
    LeaveOut,
    OpenSegment,
    StartNew,
    Why,
    Write,
    may_write,
    place,
)
from archive.recorder.standing import Standing
from archive.recorder.tools import NotBegun, Tools
from archive.segments.store import Closed
from streams.media.packets import Epoch, Fragment, Track
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, OperatorId, SegmentId
from vms_privacy.recording_times.errors import RecordingTimesUnreadable

RETRY_AFTER_S: Final = 2.0


@dataclass(slots=True)
class Tally:
    """What one camera's recorder did; summed up in the metrics.

    `last_why` says why a fragment was left out or a segment ended, the last time. `seen_bytes` came in `seen_us` of
    pictures, whether it was written or not.
    """

    fragments: int = 0
    left_out: int = 0
    segments: int = 0
    failures: int = 0
    last_why: str = ""
    seen_bytes: int = 0
    seen_us: int = 0


class CameraRecorder:
    """Writes what a permit allows and nothing else (P1); each refusal to write has a reason, each gap a row.

    `finished` is called with each closed segment, so that its bytes can go to the store; `recover` closes what a failed
    write of this camera left open, but for the registered segment that is in use, and returns how much of it is open
    still; `heads` is shared by all cameras.
    """

    def __init__(
        self,
        tools: Tools,
        operator_id: OperatorId,
        camera_id: CameraId,
        finished: Callable[[SegmentId], None],
        recover: Callable[[CameraId, SegmentId | None], int],
        heads: Heads,
    ) -> None:
        self._tools = tools
        self._camera_id = camera_id
        self._rows = CameraRows(tools, operator_id, camera_id, finished)
        self._hearing = Hearing(tools, self._rows, heads, camera_id, self._count_failure)
        self._recover = recover
        # Who knows what the service before has left: its start may have failed to close it.
        self._has_left_over = True
        self._epoch: Epoch | None = None
        self._run = ""
        self._open: OpenSegment | None = None
        self._file: GrowingFile | None = None
        self._closing: Growing | None = None
        self._idle_why = Why.WAITING_FOR_KEY_PICTURE
        self._retry_at_s = 0.0
        self.tally = Tally()

    def growing(self) -> Growing | None:
        """Return the growing segment as a reader may rely on it now. Safe in any thread.

        One that is being closed counts until its row says that it is: in between nobody else could say how to read it.
        """
        file = self._file
        return self._closing if file is None else file.snapshot()

    def begin(self, run: str, epoch: Epoch) -> None:
        """Take note of an unbroken run of packets that begins now; the segment before it is closed."""
        self._end(Why.NEW_PARAMETERS if run == self._run else Why.CAMERA_LOST)
        self._run, self._epoch = run, epoch

    def lost(self, why: Why) -> None:
        """Take note that nothing comes any more, and why."""
        self._end(why)
        self._epoch = None
        self._idle_why = why

    def overloaded(self) -> None:
        """Take note that fragments were lost because too much waited; what follows begins a new segment."""
        self.tally.failures += 1
        self._end(Why.OVERLOADED)

    def failed(self) -> None:
        """Take note that some work ended in an error nobody foresaw: what is open is left to recovery."""
        self._fail_half_way(Why.RECORDER_FAILED, None)

    def ask_again(self) -> None:
        """Learn anew about opt-in and retention: something about them has changed.

        A camera that was just opted in has a gap until its next key picture, from the very moment of the opt-in; one
        whose opt-in has ended has none any more. What a plan does not allow any more ends here, whatever comes.
        """
        try:
            standing = self._hearing.anew()
            self._end_if_over(standing)
            if standing.opt_in is None:
                self._rows.stop_accounting()
            elif self._file is None:
                self._rows.settle(None, self._idle_why)
        except RecordingTimesUnreadable:
            self.tally.failures += 1
            self._hearing.forget()
            self._end(Why.TIMES_UNREADABLE)
            self._settle(None, Why.TIMES_UNREADABLE)
        except (SQLAlchemyError, Refusal):
            self.tally.failures += 1
            self._hearing.forget()

    @property
    def is_tidy(self) -> bool:
        """Say whether nothing of this camera is open, nor left over from a failure."""
        return self._file is None and not self._has_left_over and self._rows.is_settled

    def tidy(self) -> None:
        """Between fragments: finish what a failed write left open, and notice an opt-in that has ended by itself.

        What was recorded while the database was away is told, also where no fragment comes any more.
        """
        was_behind = self._rows.is_behind
        if self._file is None or was_behind:
            self._catch_up(is_idle=self._file is None)
        # Where an end could not be told, nor could the gap that began there.
        has_caught_up = was_behind and not self._rows.is_behind
        if self._file is None and (has_caught_up or self._hearing.is_due):
            self.ask_again()

    def take(self, fragment: Fragment, came_s: float | None = None) -> None:
        """Write one fragment, or leave it out for a reason. It came, whole, at `came_s` (monotonic) or now."""
        self.tally.fragments += 1
        self.tally.seen_bytes += len(fragment.data)
        if fragment.track is Track.VIDEO:
            self.tally.seen_us += fragment.captured_until_us - fragment.captured_from_us
        why = self._take(fragment, self._tools.clock.monotonic() if came_s is None else came_s)
        if why is not None:
            self.tally.left_out += 1
            self.tally.last_why = why

    def _take(self, fragment: Fragment, came_s: float) -> Why | None:
        if self._epoch is None or fragment.epoch != self._epoch.number:
            return Why.NEW_PARAMETERS
        # Every fragment asks for what the ledger says after it came: its packets have all arrived by then, so a
        # withdrawal that came before the last of them is seen here, whoever committed it and wherever (P1).
        standing = self._hearing.since(came_s)
        if isinstance(standing, Why):
            self._end(standing)
            return standing
        if self._rows.is_behind and standing.heard_s >= came_s:
            self._catch_up()
        self._end_if_over(standing)
        if standing.is_paused:
            return Why.OUTSIDE_TIMES
        left_out = may_write(fragment, standing.allowed, standing.stopped_at_us)
        if left_out is not None:
            if left_out.ends:
                self._end(left_out.why)
            return left_out.why
        if standing.allowed is None:
            return Why.NO_OPT_IN
        policy = standing.policy
        match place(fragment, self._run, standing.allowed, policy.version, policy.keep_us, self._open):
            case LeaveOut(why, ends):
                if ends:
                    self._end(why)
                return why
            case StartNew(why):
                return self._start(fragment, why, standing)
            case Write():
                return self._write(fragment)

    def _count_failure(self) -> None:
        self.tally.failures += 1

    def _end_if_over(self, standing: Standing) -> None:
        """Close the open segment if the opt-in it rests on is over, or its recording times, whatever came since."""
        now, allowed = self._open, standing.allowed
        if now is not None and (allowed is None or allowed.entry_id != now.allowed.entry_id):
            self._end(Why.OUTSIDE_TIMES if standing.is_paused else None)

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

    def _start(self, fragment: Fragment, why: Why, standing: Standing) -> Why | None:
        epoch = self._epoch
        if epoch is None or self._tools.clock.monotonic() < self._retry_at_s:
            return Why.WAITING_FOR_KEY_PICTURE
        # Stamps of a run that jump over a stretch leave it out: nothing came.
        idle_why = self._idle_why if self._file is None else Why.CAMERA_SILENT
        ended = self._seal_open(why, fragment.captured_from_us)
        try:
            self._settle_left_over()
            begun = self._rows.begin(fragment, self._run, epoch, ended, idle_why)
        except NotBegun as refusal:
            return self._fail(refusal.why, ended)
        except NotWritten:
            return self._fail_half_way(Why.WRITE_FAILED, ended)
        except IntegrityError:
            # The database's own refusal: the opt-in ended between our look and the insert, or times would overlap.
            return self._fail_half_way(Why.DATABASE_REFUSED, ended)
        except SQLAlchemyError:
            return self._start_ahead(fragment, epoch, ended, standing, idle_why)
        except OSError:
            return self._fail(Why.DISK_FULL, ended)
        except Refusal:
            return self._fail(Why.KEYRING_UNAVAILABLE, ended)
        self._hearing.learn(begun.standing)
        return self._go_on(fragment, epoch, begun)

    def _start_ahead(
        self, fragment: Fragment, epoch: Epoch, ended: Ended | None, standing: Standing, idle_why: Why
    ) -> Why | None:
        """Begin what was registered while the database was there. Of the beginning that failed a row may exist."""
        self._has_left_over = True
        try:
            begun = self._rows.begin_ahead(fragment, self._run, epoch, ended, standing, idle_why)
        except NotBegun as refusal:
            return self._fail(refusal.why, ended)
        except NotWritten:
            return self._fail(Why.WRITE_FAILED, ended)
        except OSError:
            return self._fail(Why.DISK_FULL, ended)
        self.tally.failures += 1
        return self._go_on(fragment, epoch, begun)

    def _go_on(self, fragment: Fragment, epoch: Epoch, begun: Begun) -> Why | None:
        self._file, self._closing = begun.file, None
        self._idle_why = Why.WAITING_FOR_KEY_PICTURE
        if begun.standing.allowed is not None:
            self._open = OpenSegment(
                self._run,
                epoch.number,
                begun.file.from_us,
                begun.file.from_us,
                begun.standing.policy.version,
                begun.standing.allowed,
                begun.tracks,
            )
        self.tally.segments += 1
        return self._write(fragment)

    def _settle_left_over(self) -> None:
        """Tell what the database does not know yet, and recover what was left open, in the order in which it came."""
        file, ahead = self._file, self._rows.begun_ahead
        self._rows.tell_ends()
        if self._has_left_over and (file is None or file.segment_id == ahead):
            self._has_left_over = self._recover(self._camera_id, self._rows.registered) > 0
            self.tally.failures += self._has_left_over
        self._rows.remove_strays()
        try:
            is_kept = self._rows.take_in()
        except IntegrityError:
            self.tally.failures += 1
            self._rows.give_up()
            self._has_left_over = True
            is_kept = False
        if not is_kept and file is not None:
            # Recovery goes on with it, or it may not be at all.
            self._leave(file)
            self._file = self._open = None

    def _catch_up(self, *, is_idle: bool = False) -> None:
        try:
            self._settle_left_over()
            if is_idle:
                self._rows.rest()
        except (SQLAlchemyError, OSError, Refusal):
            self.tally.failures += 1

    def _seal_open(self, why: Why | None, next_from_us: int | None = None) -> Ended | None:
        """Close the open file; return what its row must say, or None if there is none to close."""
        file = self._file
        if file is None:
            return None
        self._closing = file.snapshot()
        self._file = self._open = None
        if why is not None:
            self.tally.last_why = why
        try:
            summary = file.finish()
        except (NotWritten, OSError):
            self._leave(file)
            return None
        except BaseException:
            # Whatever it was, the file is open no more, and only recovery will ask for it.
            self._leave(file)
            raise
        ends_us = file.until_us if next_from_us is None else min(file.until_us, next_from_us)
        closed = Closed(max(ends_us, file.from_us + 1), file.last_packet_until_us, summary.last_tag, summary.size)
        return Ended(file.segment_id, closed)

    def _leave(self, file: GrowingFile) -> None:
        """Leave a file to recovery; its row stays `writing`, or what was registered of it ahead stays that."""
        self._closing = None
        self._has_left_over = True
        self.tally.failures += 1
        self._rows.leave(file.segment_id)
        file.abandon()

    def _end(self, why: Why | None) -> None:
        """Close what is open. The gap that begins there has `why`; without one there is no opt-in any more."""
        file = self._file
        if file is not None:
            self._idle_why = why or Why.WAITING_FOR_KEY_PICTURE
            ended = self._seal_open(why)
            self._settle(ended, why, file.until_us if ended is None else 0)

    def _settle(self, ended: Ended | None, why: Why | None, at_least_us: int = 0) -> None:
        """Write the end of a segment, and the gap that begins there while the opt-in goes on."""
        try:
            self._rows.settle(ended, why, at_least_us)
        except (SQLAlchemyError, Refusal):
            # The end is told with the next transaction; the gap with the next segment, or once the camera is idle.
            self.tally.failures += 1
        finally:
            self._closing = None

    def _fail_half_way(self, why: Why, ended: Ended | None) -> Why:
        """As `_fail`, where a row may have been committed all the same; what there is of it is recovered."""
        self._has_left_over = True
        return self._fail(why, ended)

    def _fail(self, why: Why, ended: Ended | None = None) -> Why:
        self.tally.failures += 1
        self._idle_why = why
        self._retry_at_s = self._tools.clock.monotonic() + RETRY_AFTER_S
        file, self._file, self._open = self._file, None, None
        at_least_us = 0
        if file is not None:
            at_least_us = file.until_us
            self._leave(file)
        # What has changed about opt-in and retention is asked for anew before anything else is written.
        self._hearing.forget()
        self._settle(ended, why, at_least_us)
        return why
