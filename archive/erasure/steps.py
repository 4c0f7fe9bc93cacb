"""Steps 3 to 8 of an erasure, each durable before the next (docs/design/archive-lifecycle.md)."""

from sqlalchemy.exc import SQLAlchemyError

from archive.erasure import claims, store
from archive.erasure.claims import Claimed, ClaimIsLost
from archive.erasure.removal import ERASED, remove
from archive.erasure.rules import Step, retry_after
from archive.erasure.store import Erasure
from archive.erasure.tools import SweepReport, Tools, code_of
from archive.erasure.verifier import DestroyedStillOpens, Sample, choose, take
from archive.keys import store as buckets
from archive.segments import store as segments
from vms_privacy.audit.events import Tag
from vms_privacy.ids import BucketKeyId, SegmentId
from vms_privacy.journal.rules import JournalKind


class Steps:
    """Carries out what is marked. A crash anywhere is resumed from the rows; one thread at a time.

    `uncounted_failures` counts those that the database could not note.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._spare: BucketKeyId | None = None
        self.uncounted_failures = 0

    def carry_out(self, claimed: Claimed, report: SweepReport) -> None:
        """Go on with an erasure as far as it goes; what fails is counted, told in the report, and tried again."""
        erasure = claimed.erasure
        try:
            sample = self._sample(erasure)
            failures = self._destroy_keys(claimed)
            self._keep(claimed)
            failures += self._remove_bytes(erasure, sample, report, is_all=not failures)
            failure = next(iter(failures), "")
            if not failure:
                self._finish(erasure)
        except ClaimIsLost:
            report.taken_over.append(erasure.id)
            return
        except Exception as error:  # noqa: BLE001 - counted and tried again; it must not keep others from being erased
            failure = code_of(error)
        if failure:
            report.failed[erasure.id] = failure
            self._count_failure(erasure, failure)

    def _sample(self, erasure: Erasure) -> Sample:
        """Keep a few that have their keys still. Raises DestroyedStillOpens where a round before has seen that."""
        tools = self._tools
        with tools.db.reading() as session:
            if store.was_found_open(session, erasure.id):
                raise DestroyedStillOpens(
                    "what was destroyed was seen to open: find out why before it is said to be gone"
                )
            chosen = choose(tools.randomness, store.keyed(session, erasure.id))
            rows = segments.marked(session, chosen)
        return take(tools, rows)

    def _keep(self, claimed: Claimed) -> None:
        """Go on holding a claim of which half is over. Raises ClaimIsLost."""
        now = self._tools.clock.now()
        if now >= claimed.until - claims.CLAIM / 2:
            with self._tools.db.writing() as session:
                claims.keep(session, self._tools.worker, claimed, now)

    def _destroy_keys(self, claimed: Claimed) -> list[str]:
        """Steps 3 to 6, each bucket by itself; return what failed, after every other was tried (P12)."""
        with self._tools.db.reading() as session:
            doomed = store.doomed_buckets(session, claimed.erasure.id)
        failures: list[str] = []
        for old in doomed:
            self._keep(claimed)
            try:
                self._destroy_one(old)
            except Exception as error:  # noqa: BLE001 - counted and tried again; it must not keep others from being destroyed
                failures.append(code_of(error))
        return failures

    def _destroy_one(self, old: BucketKeyId) -> None:
        """Steps 3 to 6 for one bucket key; each may be repeated."""
        with self._tools.db.reading() as session:
            is_lost = buckets.is_destroyed(session, old)
            is_replaced = old in self._tools.buckets.unfinished(session)
            lives_on = bool(store.survivors(session, old))
        if is_lost:
            self._note_lost(old)
            return
        if not is_replaced:
            successor = self._successor() if lives_on else None
            self._tools.progress(Step.NEW_BUCKET_KEY_MADE)
            self._replace(old, successor)
        self._tools.progress(Step.SURVIVORS_REWRAPPED)
        with self._tools.db.reading() as session:
            dying = store.doomed_segments(session, old)
        self._tools.journal.append(JournalKind.KEY_DESTROYED, {"bucket_key": str(old), "segments": len(dying)})
        self._tools.buckets.destroy(old, dying)
        self._tools.progress(Step.OLD_BUCKET_KEY_DESTROYED)
        with self._tools.db.writing() as session:
            self._tools.buckets.note_destroyed(session, old)
            store.note_key_destroyed(session, old, self._tools.clock.now())
        self._tools.progress(Step.KEY_DESTRUCTION_NOTED)

    def _note_lost(self, old: BucketKeyId) -> None:
        """Note what a restore has found without its key: that was destroyed before, and no survivor can be saved."""
        with self._tools.db.reading() as session:
            dying = store.doomed_segments(session, old)
        self._tools.buckets.destroy(old, dying)
        with self._tools.db.writing() as session:
            store.drop_wraps(session, old)
            store.note_key_destroyed(session, old, self._tools.clock.now())
        self._tools.progress(Step.KEY_DESTRUCTION_NOTED)

    def _successor(self) -> BucketKeyId:
        """Return a key that wraps nothing yet: the one that an attempt that failed has left, or a new one."""
        if self._spare is not None:
            with self._tools.db.reading() as session:
                # The attempt may have been committed although it ended in an error.
                if buckets.by_id(session, self._spare) is not None:
                    self._spare = None
        if self._spare is None:
            self._spare = self._tools.buckets.make_successor()
        return self._spare

    def _replace(self, old: BucketKeyId, successor: BucketKeyId | None) -> None:
        """One transaction: survivors under the successor, the doomed wraps out of their rows, the old key replaced."""
        with self._tools.db.writing() as session:
            living = store.survivors(session, old)
            if living and successor is None:
                # A segment was begun under it since we looked: it lives on, so a successor is needed after all.
                successor = self._spare = self._tools.buckets.make_successor()
            rewrapped = self._tools.buckets.replace(session, old, successor if living else None, living)
            store.store_rewrapped(session, rewrapped)
            store.drop_wraps(session, old)
        if rewrapped:
            self._spare = None

    def _remove_bytes(self, erasure: Erasure, sample: Sample, report: SweepReport, *, is_all: bool) -> list[str]:
        """Step 7 for what has no key any more: `is_all` of it, or some. Return what failed, after all was tried."""
        with self._tools.db.reading() as session:
            left = store.remains(session, erasure.id)
        removal = remove(left, self._forget, self._tools.blobs, self._tools.spool)
        is_done = is_all and not removal.failed
        try:
            verified = sample.verify(removal.answers)
        except DestroyedStillOpens:
            with self._tools.db.writing() as session:
                store.note_found_open(session, erasure.id)
            raise
        with self._tools.db.writing() as session:
            store.note_verified(session, erasure.id, verified)
            store.note_found(session, removal.found & removal.failed.keys(), ERASED)
            store.note_bytes_gone(session, list(removal.answers.items()), self._tools.clock.now())
            if is_done:
                store.reach(session, erasure.id, Step.BYTES_GONE)
        report.erased.extend(removal.answers)
        if is_done:
            self._tools.progress(Step.BYTES_GONE)
        return list(removal.failed.values())

    def _forget(self, segment_id: SegmentId) -> None:
        for copies in self._tools.copies:
            copies.forget(segment_id)

    def _finish(self, erasure: Erasure) -> None:
        with self._tools.db.writing() as session:
            count = store.finish(session, erasure.id, self._tools.clock.now())
            if count is not None:
                self._tools.note(session, Tag.ERASURE_DONE, erasure, segments=count)
        self._tools.progress(Step.DONE)

    def _count_failure(self, erasure: Erasure, code: str) -> None:
        attempts = erasure.attempts + 1
        now = self._tools.clock.now()
        try:
            with self._tools.db.writing() as session:
                if claims.give_back(session, self._tools.worker, erasure.id):
                    store.note_failure(session, erasure.id, attempts, code, now + retry_after(attempts))
                    self._tools.note(session, Tag.ERASURE_FAILED, erasure, code, attempts=attempts)
        except SQLAlchemyError:
            # The report tells it all the same, and without a note the next sweep tries at once.
            self.uncounted_failures += 1
