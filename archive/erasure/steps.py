"""Steps 3 to 8 of an erasure, each durable before the next (docs/design/archive-lifecycle.md)."""

from collections.abc import Collection, Sequence

from sqlalchemy.exc import SQLAlchemyError

from archive.erasure import claims, store
from archive.erasure.claims import Claimed, ClaimIsLost
from archive.erasure.removal import ERASED, remove
from archive.erasure.rules import Step, portions, retry_after
from archive.erasure.store import Erasure
from archive.erasure.tools import SweepReport, Tools, code_of
from archive.erasure.verifier import DestroyedStillOpens, Sample, choose, take
from archive.keys import store as buckets
from archive.keys.service import Replacement
from archive.segments import store as segments
from vms_privacy.audit.events import Tag
from vms_privacy.ids import BucketKeyId, SegmentId
from vms_privacy.journal.rules import JournalKind, joined


class Steps:
    """Carries out what is marked. A crash anywhere is resumed from the rows; one thread at a time.

    `uncounted_failures` counts those that the database could not note.
    """

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._spares: list[BucketKeyId] = []
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
        """Steps 3 to 6, some buckets at a time; return what failed, after every other was tried (P12)."""
        with self._tools.db.reading() as session:
            doomed = store.doomed_buckets(session, claimed.erasure.id)
            survivors = store.count_survivors(session, doomed)
        failures: list[str] = []
        for some in portions(doomed, survivors):
            self._keep(claimed)
            failures += self._destroy_some(some)
        return failures

    def _destroy_some(self, old: Sequence[BucketKeyId]) -> list[str]:
        """Destroy these together; if that fails, each by itself, so that one keeps no other from being destroyed."""
        try:
            self._destroy_together(old)
        except Exception as error:  # noqa: BLE001 - counted and tried again; it must not keep others from being destroyed
            if len(old) == 1:
                return [code_of(error)]
            return [failure for one in old for failure in self._destroy_some([one])]
        return []

    def _destroy_together(self, doomed: Sequence[BucketKeyId]) -> None:
        """Steps 3 to 6 for some bucket keys; each may be repeated."""
        tools = self._tools
        with tools.db.reading() as session:
            replaced, lost = buckets.ended_of(session, doomed)
            living = store.count_survivors(session, doomed)
        if lost:
            self._note_lost(lost)
        old = [one for one in doomed if one not in lost]
        if not old:
            return
        new = [one for one in old if one not in replaced]
        if new:
            self._make_spares(len(living.keys() & set(new)))
            tools.progress(Step.NEW_BUCKET_KEY_MADE)
            self._replace(new)
        tools.progress(Step.SURVIVORS_REWRAPPED)
        with tools.db.reading() as session:
            dying = store.doomed_segments(session, old)
        for facts in joined("bucket_keys", old):
            tools.journal.append(JournalKind.KEY_DESTROYED, {"segments": len(dying)} | facts)
        tools.buckets.destroy(old, dying)
        tools.progress(Step.OLD_BUCKET_KEY_DESTROYED)
        with tools.db.writing() as session:
            tools.buckets.note_destroyed(session, old)
            store.note_key_destroyed(session, old, tools.clock.now())
        tools.progress(Step.KEY_DESTRUCTION_NOTED)

    def _note_lost(self, old: Collection[BucketKeyId]) -> None:
        """Note what a restore has found without its key: that was destroyed before, and no survivor can be saved."""
        with self._tools.db.reading() as session:
            dying = store.doomed_segments(session, old)
        self._tools.buckets.destroy(old, dying)
        with self._tools.db.writing() as session:
            store.note_key_destroyed(session, old, self._tools.clock.now())
        self._tools.progress(Step.KEY_DESTRUCTION_NOTED)

    def _make_spares(self, count: int) -> None:
        """Have so many keys that wrap nothing yet: those that an attempt that failed has left, and new ones."""
        if self._spares:
            with self._tools.db.reading() as session:
                # The attempt may have been committed although it ended in an error.
                used = buckets.by_ids(session, self._spares)
            self._spares = [one for one in self._spares if one not in used]
        while len(self._spares) < count:
            self._spares.append(self._tools.buckets.make_successor())

    def _replace(self, old: Sequence[BucketKeyId]) -> None:
        """One transaction: survivors under successors, the old keys replaced."""
        with self._tools.db.writing() as session:
            living = store.survivors(session, old)
            while len(self._spares) < len(living):
                # A segment was begun under one since we looked: it lives on, so a successor is needed after all.
                self._spares.append(self._tools.buckets.make_successor())
            spares = iter(self._spares)
            wanted = [Replacement(one, next(spares), living[one]) if one in living else Replacement(one) for one in old]
            store.store_rewrapped(session, self._tools.buckets.replace(session, wanted))
        del self._spares[: len(living)]

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
            store.note_bytes_gone(session, erasure.id, removal.answers, self._tools.clock.now())
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
