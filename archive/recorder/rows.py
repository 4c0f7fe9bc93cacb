"""One camera's rows: each segment begun, closed and accounted for in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy.orm import Session

from archive.blobs.spool import create
from archive.format.rules import chunk_size_for
from archive.recorder.accounting import begin, catch_up, fill, go_on
from archive.recorder.ahead import NextSegment
from archive.recorder.growing import GrowingFile
from archive.recorder.rules import CUTS_A_GAP, LeaveOut, Why, beginning, may_write
from archive.recorder.standing import Standing, ask, micros
from archive.recorder.tools import NotBegun, Tools
from archive.segments import gaps
from archive.segments import store as segments
from archive.segments.store import Closed, NewSegment
from streams.media.packets import Epoch, Fragment, Track
from vms_privacy.consent.rules import ConsentEntry, RecordingPermit
from vms_privacy.db import after_commit
from vms_privacy.durable_files import sync_folder
from vms_privacy.ids import CameraId, OperatorId, SegmentId


@dataclass(frozen=True, slots=True)
class Ended:
    """A file whose last chunk is written, and what its row has to say."""

    segment_id: SegmentId
    closed: Closed


@dataclass(frozen=True, slots=True)
class Begun:
    """A segment whose row is committed, with what its transaction knew of opt-in and retention."""

    file: GrowingFile
    tracks: frozenset[Track]
    standing: Standing


def _tell_nobody(_: SegmentId) -> None:
    """Nobody waits for closed segments."""


class CameraRows:
    """Begins, ends and accounts. Every method is one transaction and may raise SQLAlchemyError.

    A beginning that fails leaves at most one file, empty, and one bucket key: `remove_strays` takes the file, and the
    next beginning uses the key. What could not be told the database is told with the next transaction, in its order:
    the end of one segment, and the whole of one that was registered ahead. `finished` hears of each that is closed.
    """

    def __init__(
        self,
        tools: Tools,
        operator_id: OperatorId,
        camera_id: CameraId,
        finished: Callable[[SegmentId], None] = _tell_nobody,
    ) -> None:
        self._tools = tools
        self._operator_id = operator_id
        self._camera_id = camera_id
        self._finished = finished
        self._strays: list[Path] = []
        self._next = NextSegment(tools, operator_id, camera_id)
        self._untold: list[Ended] = []
        self._last_us = 0

    @property
    def is_behind(self) -> bool:
        """Say whether the database has not been told all of what was recorded."""
        return bool(self._untold) or self._next.begun is not None

    @property
    def is_settled(self) -> bool:
        """Say whether the database knows all of what was recorded, and keeps nothing registered."""
        return not self.is_behind and self._next.mine is None

    @property
    def begun_ahead(self) -> SegmentId | None:
        """Return the segment that has begun and of which the database does not know it yet."""
        return self._next.begun

    @property
    def registered(self) -> SegmentId | None:
        """Return the segment registered ahead that is in use here: it is not for recovery."""
        return self._next.mine

    def ask(self, session: Session) -> Standing:
        """Ask ledger and policies anew. Raises LedgerDisagrees."""
        tools = self._tools
        return ask(session, self._camera_id, tools.ledger, tools.policies, tools.clock)

    def begin(self, fragment: Fragment, run: str, epoch: Epoch, ended: Ended | None, why: Why) -> Begun:
        """Commit the row of a new segment, and the end of the one before, before the first byte is written.

        What lies between the two without a gap gets one, with `why`. Opt-in, retention and region are asked for in this
        very transaction: neither a withdrawal nor a shorter retention slips in beside it. Raises NotBegun, OSError, and
        what the keyring raises. After any other failure than NotBegun the row may exist: recovery settles that.
        """
        tools = self._tools
        name = tools.name_blob()
        path = tools.spool / name
        file = create(path)
        self._strays.append(path)
        may_have_a_row = False
        try:
            # A row whose file is missing is then never the doing of a power failure.
            sync_folder(tools.spool)
            with tools.db.writing() as session:
                standing = self.ask(session)
                self._tell(session, ended)
                permit, starts_us = self._place(session, standing, fragment, why)
                store = self._store(session)
                segment_id = SegmentId(tools.randomness.uuid())
                made = tools.keys.new(session, permit, self._operator_id, segment_id, starts_us)
                length_us = max(fragment.captured_until_us - fragment.captured_from_us, 1)
                chunk_size = chunk_size_for(len(fragment.data) * 1_000_000 // length_us)
                writer = tools.new_writer(file, made.key, chunk_size, tools.randomness)
                tracks = _tracks(epoch, permit)
                init = epoch.init[tracks]
                segments.add(
                    session,
                    NewSegment(
                        id=segment_id,
                        operator_id=self._operator_id,
                        camera_id=self._camera_id,
                        consent_entry_id=permit.entry_id,
                        policy_version=standing.policy.version,
                        blob_name=name,
                        store=store,
                        starts_us=starts_us,
                        keep_us=standing.policy.keep_us,
                        run=run,
                        epoch=epoch.number,
                        tracks="+".join(sorted(tracks, reverse=True)),
                        chunk_size=chunk_size,
                        bucket_key_id=made.bucket_key_id,
                        bucket_hour=made.bucket_hour,
                        wrapped_key=made.wrapped,
                        salt=writer.salt,
                    ),
                )
                self._next.keep_ready(session, permit, standing, starts_us, store)
                may_have_a_row = True
            self._strays.remove(path)
            return Begun(GrowingFile(segment_id, self._camera_id, starts_us, file, writer, init), tracks, standing)
        except BaseException:
            file.close()
            if not may_have_a_row:
                # Nothing was written into it: no row, no file.
                path.unlink()
                self._strays.remove(path)
            raise

    def begin_ahead(
        self, fragment: Fragment, run: str, epoch: Epoch, ended: Ended | None, standing: Standing, why: Why
    ) -> Begun:
        """Begin what was registered ahead, while the database is away. Raises NotBegun, OSError, NotWritten.

        The database is told once it is back; the end of the segment before, first.
        """
        since_us = self._last_us if ended is None else ended.closed.ends_us
        file, tracks = self._next.begin(fragment, run, epoch, standing, since_us, why)
        if ended is not None:
            self._untold.append(ended)
        return Begun(file, tracks, standing)

    def tell_ends(self) -> None:
        """Close what ended while the database was away, but for what has begun then."""
        begun = self._next.begun
        if any(one.segment_id != begun for one in self._untold):
            with self._tools.db.writing() as session:
                self._close([one for one in self._untold if one.segment_id != begun], session)

    def take_in(self) -> bool:
        """Tell all of the rest; False where what has begun ahead may not be kept: the opt-in was over by then."""
        if not self.is_behind:
            return True
        with self._tools.db.writing() as session:
            return self._tell(session)

    def give_up(self) -> None:
        """Leave all that was not told to recovery."""
        self._untold.clear()
        self._next.forget_begun()

    def leave(self, segment_id: SegmentId) -> None:
        """Leave a file to recovery, which reads in it what no row says."""
        if segment_id == self._next.begun:
            self._next.forget_begun()

    def rest(self) -> None:
        """Give back what is registered ahead, where nothing is open: settling may have failed."""
        if self._next.mine is not None:
            with self._tools.db.writing() as session:
                self._next.let_go(session)
                self._next.forget_ready()

    def remove_strays(self) -> None:
        """Remove the empty files of beginnings that failed, now that it can be told that they have no row.

        One that has a row all the same is left to recovery. Raises OSError.
        """
        while self._strays:
            path = self._strays[-1]
            with self._tools.db.reading() as session:
                is_unknown = bool(segments.unknown_blobs(session, [path.name]))
            if is_unknown:
                path.unlink(missing_ok=True)
            self._strays.pop()

    def settle(self, ended: Ended | None, why: Why | None, at_least_us: int = 0) -> None:
        """Write the end of a segment; with `why`, begin the gap that is there while the opt-in goes on.

        The gap begins where the newest footage ends, and not before `at_least_us`. Nothing is open then, and so nothing
        is kept registered ahead.
        """
        if ended is not None:
            self._untold.append(ended)
        with self._tools.db.writing() as session:
            self._tell(session)
            self._next.let_go(session)
            opt_in = self._tools.ledger.in_force(session, self._camera_id) if why is not None else None
            if why is not None and opt_in is not None:
                self._catch_up(session, opt_in)
                last_us = segments.last_end_us(session, self._camera_id) or 0
                from_us = max(last_us, micros(opt_in.from_at), at_least_us)
                randomness, now_us = self._tools.randomness, micros(self._tools.clock.now())
                begin(session, randomness, self._operator_id, self._camera_id, from_us, why)
                if why in CUTS_A_GAP:
                    gaps.cut(session, randomness, self._camera_id, now_us, why)
                go_on(session, randomness, self._camera_id, now_us, why)
            self._next.forget_ready()

    def stop_accounting(self) -> None:
        """End the open gap where the opt-in ended: what nobody opted in to is no gap."""
        with self._tools.db.writing() as session:
            if self._tools.ledger.in_force(session, self._camera_id) is None:
                self._catch_up(session, None)

    def _tell(self, session: Session, ended: Ended | None = None) -> bool:
        """Write, in the order in which it came about, what the database does not know yet; say whether all is kept."""
        ends = [*self._untold, *([] if ended is None else [ended])]
        self._close([one for one in ends if one.segment_id != self._next.begun], session)
        is_kept = self._next.take_in(session)
        self._close([one for one in ends if one.segment_id == self._next.begun], session)
        return is_kept

    def _close(self, ends: Sequence[Ended], session: Session) -> None:
        for one in ends:
            segments.close(session, one.segment_id, one.closed)
            after_commit(session, partial(self._is_closed, one))

    def _is_closed(self, ended: Ended) -> None:
        self._last_us = max(self._last_us, ended.closed.ends_us)
        if ended in self._untold:
            self._untold.remove(ended)
        self._finished(ended.segment_id)

    def _place(self, session: Session, standing: Standing, fragment: Fragment, why: Why) -> tuple[RecordingPermit, int]:
        permit, opt_in = standing.permit, standing.opt_in
        if standing.is_paused:
            raise NotBegun(Why.OUTSIDE_TIMES)
        refused = may_write(fragment, standing.allowed, standing.stopped_at_us)
        if refused is not None or permit is None or opt_in is None:
            raise NotBegun(Why.NO_OPT_IN if refused is None else refused.why)
        newest = segments.newest(session, self._camera_id)
        begins = beginning(fragment.captured_from_us, newest)
        if isinstance(begins, LeaveOut):
            raise NotBegun(begins.why)
        if begins.cuts_newest and newest is not None:
            segments.end_earlier(session, newest.segment_id, begins.starts_us)
        self._catch_up(session, opt_in)
        last_us = segments.last_end_us(session, self._camera_id) or 0
        since_us = max(last_us, micros(permit.given_at))
        randomness, operator_id = self._tools.randomness, self._operator_id
        fill(session, randomness, operator_id, self._camera_id, since_us, begins.starts_us, why)
        return permit, begins.starts_us

    def _store(self, session: Session) -> str:
        store = self._tools.store_for(session, self._operator_id)
        if store is None:
            raise NotBegun(Why.NO_STORE_FOR_REGION)
        return store

    def _catch_up(self, session: Session, opt_in: ConsentEntry | None) -> None:
        catch_up(session, self._tools.randomness, self._tools.ledger, self._camera_id, opt_in)


def _tracks(epoch: Epoch, permit: RecordingPermit) -> frozenset[Track]:
    there = {info.track for info in epoch.tracks}
    return frozenset(there if permit.audio else there & {Track.VIDEO})
