"""One camera's rows: each segment begun, closed and accounted for in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sqlalchemy.orm import Session

from archive.format.rules import chunk_size_for
from archive.format.sealed_file import SealedWriter
from archive.keys.wrap import SegmentKeys
from archive.recorder.accounting import catch_up
from archive.recorder.growing import GrowingFile, create
from archive.recorder.rules import LeaveOut, Why, beginning, may_write
from archive.recorder.standing import Policies, Standing, ask, micros
from archive.segments import gaps
from archive.segments import store as segments
from archive.segments.store import Closed, NewSegment
from streams.media.packets import Epoch, Fragment, Track
from vms_privacy.clock import Clock
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import RecordingPermit
from vms_privacy.db import Database
from vms_privacy.durable_files import sync_folder
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import CameraId, OperatorId, Randomness, SegmentId


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
    new_writer: type[SealedWriter] = SealedWriter


class NotBegun(Refusal):
    """The segment was not begun, and nothing of it exists. `why` says what stood against it."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "segment-not-begun"

    def __init__(self, why: Why) -> None:
        super().__init__("the segment may not begin")
        self.why = why


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


class CameraRows:
    """Begins, ends and accounts. Every method is one transaction and may raise SQLAlchemyError.

    A beginning that fails leaves at most one file, empty, and one bucket key: `remove_strays` takes the file, and the
    next beginning uses the key.
    """

    def __init__(self, tools: Tools, operator_id: OperatorId, camera_id: CameraId) -> None:
        self._tools = tools
        self._operator_id = operator_id
        self._camera_id = camera_id
        self._strays: list[Path] = []

    def ask(self, session: Session) -> Standing:
        """Ask ledger and policies anew. Raises LedgerDisagrees."""
        tools = self._tools
        return ask(session, self._camera_id, tools.ledger, tools.policies, tools.clock)

    def begin(self, fragment: Fragment, run: str, epoch: Epoch, ended: Ended | None, why: Why) -> Begun:
        """Commit the row of a new segment, and the end of the one before, before the first byte is written.

        What lies between the two without a gap gets one, with `why`. Opt-in and retention are asked for in this very
        transaction: neither a withdrawal nor a shorter retention slips in beside it. Raises NotBegun, OSError, and what
        the keyring raises. After any other failure than NotBegun the row may exist all the same: recovery settles that.
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
                if ended is not None:
                    segments.close(session, ended.segment_id, ended.closed)
                permit, starts_us = self._place(session, standing, fragment, why)
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

        The gap begins where the newest footage ends, and not before `at_least_us`.
        """
        with self._tools.db.writing() as session:
            if ended is not None:
                segments.close(session, ended.segment_id, ended.closed)
            permit = self._tools.ledger.permit(session, self._camera_id) if why is not None else None
            if why is None or permit is None:
                return
            self._catch_up(session, permit)
            last_us = segments.last_end_us(session, self._camera_id) or 0
            from_us = max(last_us, micros(permit.given_at), at_least_us)
            gaps.begin(session, self._tools.randomness, self._operator_id, self._camera_id, from_us, why)

    def stop_accounting(self) -> None:
        """End the open gap where the opt-in ended: what nobody opted in to is no gap."""
        with self._tools.db.writing() as session:
            if self._tools.ledger.permit(session, self._camera_id) is None:
                self._catch_up(session, None)

    def _place(self, session: Session, standing: Standing, fragment: Fragment, why: Why) -> tuple[RecordingPermit, int]:
        permit = standing.permit
        refused = may_write(fragment, standing.allowed, standing.stopped_at_us)
        if refused is not None or permit is None:
            raise NotBegun(Why.NO_OPT_IN if refused is None else refused.why)
        newest = segments.newest(session, self._camera_id)
        begins = beginning(fragment.captured_from_us, newest)
        if isinstance(begins, LeaveOut):
            raise NotBegun(begins.why)
        if begins.cuts_newest and newest is not None:
            segments.end_earlier(session, newest.segment_id, begins.starts_us)
        self._catch_up(session, permit)
        last_us = segments.last_end_us(session, self._camera_id) or 0
        since_us = max(last_us, micros(permit.given_at))
        randomness, operator_id = self._tools.randomness, self._operator_id
        gaps.fill(session, randomness, operator_id, self._camera_id, since_us, begins.starts_us, why)
        return permit, begins.starts_us

    def _catch_up(self, session: Session, permit: RecordingPermit | None) -> None:
        catch_up(session, self._tools.randomness, self._tools.ledger, self._camera_id, permit)


def _tracks(epoch: Epoch, permit: RecordingPermit) -> frozenset[Track]:
    there = {info.track for info in epoch.tracks}
    return frozenset(there if permit.audio else there & {Track.VIDEO})
