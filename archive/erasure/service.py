"""Carrying erasures out, step by step, each durable before the next (docs/design/archive-lifecycle.md)."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from archive.blobs.store import BlobStore
from archive.erasure import claims, store
from archive.erasure.claims import Claimed, ClaimIsLost
from archive.erasure.removal import ERASED, remove
from archive.erasure.rules import BATCH, Cause, Debt, DebtPart, Step, in_turns, retry_after, total
from archive.erasure.store import Erasure
from archive.keys import store as buckets
from archive.keys.service import BucketKeys
from archive.orders import store as orders
from archive.segments.rules import Segment
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import BucketKeyId, ErasureId, OperatorId, Randomness, SegmentId, WorkerId
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind

MOST_AT_ONCE: Final = 20_000
_IDS_IN_A_WORD: Final = 5
_WORDS_IN_AN_ENTRY: Final = 18
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class DerivedCopies(Protocol):
    """Whatever makes or remembers copies of a segment joins here, so that they go with it."""

    def forget(self, segment_id: SegmentId) -> None:
        """Destroy every copy of this segment, durable on return. Raises if it cannot tell."""
        ...


@dataclass(slots=True)
class SweepReport:
    """What one sweep did, of erasures that failed too: those are retried, counted, and shown as deletion debt.

    `taken_over`: what another worker goes on with, since this one was too slow.
    """

    erased: list[SegmentId] = field(default_factory=list)
    failed: dict[ErasureId, str] = field(default_factory=dict)
    taken_over: list[ErasureId] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.failed


def _nothing(_: Step) -> None:
    """Tell nobody of the progress."""


class Eraser:
    """The one engine for every erasure. One round at a time; a crash anywhere is resumed from the rows.

    Several workers, each with an engine of its own, share the work: `claims`.
    `progress` is told each step once it is durable. `uncounted_failures` counts those that the database could not note.
    """

    def __init__(
        self,
        db: Database,
        buckets: BucketKeys,
        blobs: BlobStore,
        spool: Path,
        journal: Journal,
        audit: AuditLog,
        clock: Clock,
        randomness: Randomness,
        worker: WorkerId,
        copies: Sequence[DerivedCopies] = (),
        progress: Callable[[Step], None] = _nothing,
    ) -> None:
        self._db = db
        self._buckets = buckets
        self._blobs = blobs
        self._spool = spool
        self._journal = journal
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._worker = worker
        self._copies = copies
        self._progress = progress
        self._one_round = threading.Lock()
        self._spare: BucketKeyId | None = None
        self.uncounted_failures = 0

    def sweep(self) -> SweepReport:
        """Go on with what is unfinished, then destroy what is due on the clock for destroying (P4: never early).

        What fails is in the report, counted and tried again; it keeps nothing else from being destroyed (P12).
        """
        with self._one_round:
            report = SweepReport()
            claimed: Claimed | None = None
            while (claimed := self._claim(claimed)) is not None:
                self._carry_out(claimed, report)
            while True:
                with self._db.reading() as session:
                    due = store.due(session, _micros(self._clock.for_destroying()), MOST_AT_ONCE)
                left = [one for batch in in_turns(due, BATCH) for one in self._begin_and_carry_out(batch, report)]
                # Once more for what was left to another worker: it may be done with the bucket by now.
                for batch in in_turns(left, BATCH):
                    self._begin_and_carry_out(batch, report)
                if len(due) < MOST_AT_ONCE or not report.is_clean:
                    return report

    def debt(self, sweep_every: timedelta, operator_id: OperatorId | None = None) -> Debt:
        """Return what is overdue by more than a sweep and not destroyed; also what waits for a doubt about the time."""
        return total(self.debt_parts(sweep_every, operator_id))

    def debt_parts(self, sweep_every: timedelta, operator_id: OperatorId | None = None) -> list[DebtPart]:
        """Return the debt of all or of one operator, by camera and reason: `debt` is the sum of it."""
        now, safe = self._clock.now(), self._clock.for_destroying()
        with self._db.reading() as session:
            return store.debt(session, now - sweep_every, _micros(safe), operator_id)

    def _claim(self, after: Claimed | None) -> Claimed | None:
        with self._db.writing() as session:
            return claims.take(session, self._worker, self._clock.now(), after)

    def _begin_and_carry_out(self, doomed: Sequence[Segment], report: SweepReport) -> list[Segment]:
        """Take what nobody else has taken; return what is left to others, for now or for good."""
        operator_id = doomed[0].operator_id
        erasure = Erasure(
            ErasureId(self._randomness.uuid()), operator_id, Cause.EXPIRY, "worker:sweep", Step.JOURNALLED, 0
        )
        now = self._clock.now()
        try:
            with self._db.writing() as session:
                free = claims.free(session, self._worker, doomed, now)
                if free:
                    # Before the commit (decision 0012), and only of what is this worker's.
                    number = self._write_journal(erasure, free)
                    self._progress(Step.JOURNALLED)
                    taken = store.begin(session, erasure, free, number, now)
                    claimed = Claimed(erasure, now, claims.hold(session, self._worker, erasure.id, now))
                    # The end of an order destroys nothing by itself; this sweep does, and says so.
                    held_up = orders.held_up(session, erasure.id)
                    self._note(session, Tag.ERASURE_STARTED, erasure, segments=taken, once_held=held_up)
            if free:
                self._progress(Step.MARKED)
        except Exception as error:  # noqa: BLE001 - nothing is marked: they are due still, and the next sweep takes them
            report.failed[erasure.id] = _code(error)
            return []
        if free:
            self._carry_out(claimed, report)
        return [one for one in doomed if one not in free]

    def _keep(self, claimed: Claimed) -> None:
        """Go on holding a claim of which half is over. Raises ClaimIsLost."""
        now = self._clock.now()
        if now >= claimed.until - claims.CLAIM / 2:
            with self._db.writing() as session:
                claims.keep(session, self._worker, claimed, now)

    def _carry_out(self, claimed: Claimed, report: SweepReport) -> None:
        erasure = claimed.erasure
        try:
            failures = self._destroy_keys(claimed)
            self._keep(claimed)
            failures += self._remove_bytes(erasure, report, is_all=not failures)
            failure = next(iter(failures), "")
            if not failure:
                self._finish(erasure)
        except ClaimIsLost:
            report.taken_over.append(erasure.id)
            return
        except Exception as error:  # noqa: BLE001 - counted and tried again; it must not keep others from being erased
            failure = _code(error)
        if failure:
            report.failed[erasure.id] = failure
            self._count_failure(erasure, failure)

    def _destroy_keys(self, claimed: Claimed) -> list[str]:
        """Steps 3 to 6, each bucket by itself; return what failed, after every other was tried (P12)."""
        with self._db.reading() as session:
            doomed = store.doomed_buckets(session, claimed.erasure.id)
        failures: list[str] = []
        for old in doomed:
            self._keep(claimed)
            try:
                self._destroy_one(old)
            except Exception as error:  # noqa: BLE001 - counted and tried again; it must not keep others from being destroyed
                failures.append(_code(error))
        return failures

    def _destroy_one(self, old: BucketKeyId) -> None:
        """Steps 3 to 6 for one bucket key; each may be repeated."""
        with self._db.reading() as session:
            is_replaced = old in self._buckets.unfinished(session)
            lives_on = bool(store.survivors(session, old))
        if not is_replaced:
            successor = self._successor() if lives_on else None
            self._progress(Step.NEW_BUCKET_KEY_MADE)
            self._replace(old, successor)
        self._progress(Step.SURVIVORS_REWRAPPED)
        with self._db.reading() as session:
            dying = store.doomed_segments(session, old)
        self._journal.append(JournalKind.KEY_DESTROYED, {"bucket_key": str(old), "segments": len(dying)})
        self._buckets.destroy(old, dying)
        self._progress(Step.OLD_BUCKET_KEY_DESTROYED)
        with self._db.writing() as session:
            self._buckets.note_destroyed(session, old)
            store.note_key_destroyed(session, old, self._clock.now())
        self._progress(Step.KEY_DESTRUCTION_NOTED)

    def _successor(self) -> BucketKeyId:
        """Return a key that wraps nothing yet: the one that an attempt that failed has left, or a new one."""
        if self._spare is not None:
            with self._db.reading() as session:
                # The attempt may have been committed although it ended in an error.
                if buckets.by_id(session, self._spare) is not None:
                    self._spare = None
        if self._spare is None:
            self._spare = self._buckets.make_successor()
        return self._spare

    def _replace(self, old: BucketKeyId, successor: BucketKeyId | None) -> None:
        """One transaction: survivors under the successor, the doomed wraps out of their rows, the old key replaced."""
        with self._db.writing() as session:
            living = store.survivors(session, old)
            if living and successor is None:
                # A segment was begun under it since we looked: it lives on, so a successor is needed after all.
                successor = self._spare = self._buckets.make_successor()
            rewrapped = self._buckets.replace(session, old, successor if living else None, living)
            store.store_rewrapped(session, rewrapped)
            store.drop_wraps(session, old)
        if rewrapped:
            self._spare = None

    def _remove_bytes(self, erasure: Erasure, report: SweepReport, *, is_all: bool) -> list[str]:
        """Step 7 for what has no key any more: `is_all` of it, or some. Return what failed, after all was tried."""
        with self._db.reading() as session:
            left = store.remains(session, erasure.id)
        removal = remove(left, self._forget, self._blobs, self._spool)
        is_done = is_all and not removal.failed
        with self._db.writing() as session:
            store.note_found(session, removal.found & removal.failed.keys(), ERASED)
            store.note_bytes_gone(session, list(removal.answers.items()), self._clock.now())
            if is_done:
                store.reach(session, erasure.id, Step.BYTES_GONE)
        report.erased.extend(removal.answers)
        if is_done:
            self._progress(Step.BYTES_GONE)
        return list(removal.failed.values())

    def _forget(self, segment_id: SegmentId) -> None:
        for copies in self._copies:
            copies.forget(segment_id)

    def _finish(self, erasure: Erasure) -> None:
        with self._db.writing() as session:
            count = store.finish(session, erasure.id, self._clock.now())
            if count is not None:
                self._note(session, Tag.ERASURE_DONE, erasure, segments=count)
        self._progress(Step.DONE)

    def _count_failure(self, erasure: Erasure, code: str) -> None:
        attempts = erasure.attempts + 1
        now = self._clock.now()
        try:
            with self._db.writing() as session:
                if claims.give_back(session, self._worker, erasure.id):
                    store.note_failure(session, erasure.id, attempts, code, now + retry_after(attempts))
                    self._note(session, Tag.ERASURE_FAILED, erasure, code, attempts=attempts)
        except SQLAlchemyError:
            # The report tells it all the same, and without a note the next sweep tries at once.
            self.uncounted_failures += 1

    def _write_journal(self, erasure: Erasure, doomed: Sequence[Segment]) -> int:
        """Name the erasure and its segments, in as many entries as that takes; return the first one's number."""
        words = _words(doomed)
        first = 0
        for at in range(0, max(len(words), 1), _WORDS_IN_AN_ENTRY):
            share = words[at : at + _WORDS_IN_AN_ENTRY]
            facts: dict[str, str | int | None] = {
                "erasure": str(erasure.id),
                "cause": str(erasure.cause),
                "segments": len(doomed),
            }
            facts |= {f"ids_{number}": word for number, word in enumerate(share)}
            number = self._journal.append(JournalKind.ERASURE, facts)
            first = first or number
        return first

    def _note(self, session: Session, tag: Tag, erasure: Erasure, failure: str = "", **counts: int) -> None:
        self._audit.note(
            session,
            Event(
                tag,
                self._clock.now(),
                erasure.actor,
                Outcome.FAILED if failure else Outcome.DONE,
                operator_id=erasure.operator_id,
                reason=failure or erasure.cause,
                detail={"erasure_id": str(erasure.id), **counts},
            ),
        )


def _words(doomed: Sequence[Segment]) -> list[str]:
    """Return ids as few words that fit the journal: 32 hexadecimal digits each, joined by a plus sign."""
    ids = [segment.id.hex for segment in doomed]
    return ["+".join(ids[at : at + _IDS_IN_A_WORD]) for at in range(0, len(ids), _IDS_IN_A_WORD)]


def _code(error: Exception) -> str:
    return error.code if isinstance(error, Refusal) else type(error).__name__


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
