"""The archive against a plain model: whatever is done in whatever order, P1, P3 to P6 and P10 hold after every step.

The model knows fragments by their times and nothing of files, keys or rows: what was fed while opted in, for how long
it was to be kept, what is restricted, and what two people wanted destroyed. Of an older copy of the database that is
put back it knows what somebody relied on: nothing comes back that was withdrawn, shortened, ordered or destroyed since.
"""

import itertools
import shutil
import tempfile
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from archive.blobs.quarantine import spool_quarantine
from archive.blobs.rules import QUARANTINE
from archive.check import Kind
from archive.errors import FootageIsGone, NoFootage
from archive.mandates.errors import NothingToDestroy
from archive.orders import store as orders
from archive.orders.errors import OrderRefused
from archive.orders.rules import Order, OrderKind
from archive.playback.service import Part
from archive.recorder.standing import micros
from archive.segments.rules import Segment, Span, State
from archive.segments.tables import SegmentRow
from auth.tokens.errors import FootageIsRestricted
from streams.media.packets import Fragment, Track
from tests.given.archive_model import SECOND_US, Model, OlderCopy, Shot
from tests.given.clock import HandClock
from tests.given.databases import DatabaseServer
from tests.given.footage import House
from tests.given.restored import custody_of, restoring_of
from vms_privacy.custody.service import Custody
from vms_privacy.db import Database
from vms_privacy.ids import SegmentId
from vms_privacy.keyring.port import KeyIsDestroyed

_ALL: Final = Span(0, 2**60)
_IN_EVERY_MP4: Final = (b"ftyp", b"moov", b"moof", b"mdat")
_LIVING: Final = {State.WRITING, State.STORED}
_MOST_COPIES: Final = 2


class ArchiveMachine(RuleBasedStateMachine):
    """Does to a house whatever people, time and crashes do to one."""

    server: DatabaseServer

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._databases = self._stack.enter_context(self.server.for_one_test())
        self._db = Database(self._databases.with_tables(self._folder))
        self.house = House(self._db, HandClock(), self._folder)
        self.model = Model()
        self.copies: list[OlderCopy] = []
        self._names = itertools.count(1)
        self._kept: dict[Any, int] = {}

    def teardown(self) -> None:
        try:
            self._end()
        finally:
            self.let_go()

    def let_go(self) -> None:
        self.house.kill()
        self._db.close()
        self._stack.close()

    @initialize()
    def begin(self) -> None:
        self.opt_in()

    @precondition(lambda self: not self.model.is_opted_in)
    @rule()
    def opt_in(self) -> None:
        self.house.opt_in()
        self.model.is_opted_in = True

    @precondition(lambda self: self.model.is_opted_in)
    @rule()
    def withdraw(self) -> None:
        self.house.withdraw()
        self.model.is_opted_in = False
        self.model.withdrawals += 1

    @rule(seconds=st.integers(2, 5), closes=st.booleans())
    def record(self, seconds: int, *, closes: bool) -> None:
        self._take(self.house.record(seconds, close=closes))

    @rule(seconds=st.sampled_from([1, 5, 31, 200]))
    def wait(self, seconds: int) -> None:
        self.house.clock.forward(timedelta(seconds=seconds))

    @rule(seconds=st.sampled_from([10, 40, 120]))
    def keep_for(self, seconds: int) -> None:
        self.house.keep_for(timedelta(seconds=seconds))
        if seconds * SECOND_US < self.model.keep_us:
            self.model.shortenings.append(seconds * SECOND_US)
        self.model.keep_us = seconds * SECOND_US
        for shot in self.model.shots:
            shot.keep_us = min(shot.keep_us, self.model.keep_us)

    @rule(kind=st.sampled_from(OrderKind), since_s=st.integers(0, 40), length_s=st.integers(1, 20))
    def order(self, kind: OrderKind, since_s: int, length_s: int) -> None:
        now_us = micros(self.house.clock.now())
        span = Span(now_us - since_s * SECOND_US, now_us + (length_s - since_s) * SECOND_US)
        try:
            self.model.orders.append(self.house.order(kind, span).order)
        except OrderRefused:
            # There is nothing left of that time: the model has it neither.
            assert span.until_us <= now_us

    @precondition(lambda self: self.model.orders)
    @rule(data=st.data())
    def lift(self, data: st.DataObject) -> None:
        self.lift_one(data.draw(st.sampled_from(self.model.orders)))

    def lift_one(self, order: Order) -> None:
        self.house.lift(order)
        self.model.orders.remove(order)

    @rule(since_s=st.integers(2, 40), length_s=st.integers(1, 20))
    def request(self, since_s: int, length_s: int) -> None:
        now_us = micros(self.house.clock.now())
        span = Span(now_us - since_s * SECOND_US, now_us - max(since_s - length_s, 0) * SECOND_US)
        try:
            self.house.mandate(span)
        except NothingToDestroy:
            return
        self.model.gone.append(span)

    @rule()
    def deliver(self) -> None:
        assert self.house.delivery.deliver().is_clean

    @rule()
    def sweep(self) -> None:
        ordered = {one.id for one in self._living() if any(_covers(order, one) for order in self.model.orders)}
        self.house.clock.forward(timedelta(seconds=31))
        assert self.house.eraser.sweep().is_clean
        assert ordered <= {one.id for one in self._living()}, "P6: what is ordered about stays"
        now_us = micros(self.house.clock.now())
        late = [
            one for one in self._living() if one.ends_us is not None and one.ends_us + one.keep_us + SECOND_US < now_us
        ]
        assert {one.id for one in late} <= ordered, "P4: what is due goes with a sweep"

    @rule()
    def crash(self) -> None:
        self.house.revive()

    @precondition(lambda self: len(self.copies) < _MOST_COPIES)
    @rule()
    def copy(self) -> None:
        url = self._databases.copy_of(self._db, self._folder, f"copy-{next(self._names)}")
        model = self.model
        older = OlderCopy(
            url,
            model.is_opted_in,
            model.keep_us,
            tuple(model.orders),
            model.withdrawals,
            len(model.shortenings),
            # What is growing may be anywhere once the copy is put back.
            0 if self.house.recorder.growing() else len(model.shots),
            self._erased(),
        )
        self.copies.append(older)

    @precondition(lambda self: self.copies)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        self.put_back(data.draw(st.sampled_from(self.copies)))

    def put_back(self, older: OlderCopy) -> None:
        """Lose the database, put an older copy in its place and release it; keyring, store and journal are today's."""
        self.copies.remove(older)
        lost, erased = self.house, self._erased()
        lost.kill()
        self._db.close()
        self._db = Database(older.url)
        self.house = House(self._db, lost.clock, self._folder, lost.randomness)
        restoring_of(self.house).take_in(self._db, self._folder / "anchor")
        custody = self.custody()
        assert custody.state() is not None
        custody.release("ticket-17")
        self.model.put_back(older, is_whole=erased == older.erased)
        self._know_what_stands_in_place()
        self.house.revive()
        # What was recorded since is nobody's: it goes to the quarantine, where a person has it destroyed.
        self.house.mend(self.house.check().findings, beside_a_service=False)
        for quarantine in (spool_quarantine(self.house.spool), self._folder / "archive" / QUARANTINE):
            if quarantine.exists():
                shutil.rmtree(quarantine)
        self.house.mend(self.house.check().findings, beside_a_service=False)

    def custody(self) -> Custody:
        """Return what replays the journal."""
        return custody_of(self.house)

    @invariant()
    def what_is_shown_is_what_may_be_shown_and_all_that_can_be_decoded(self) -> None:
        now_us, shown = micros(self.house.clock.now()), self._shown()
        known = {shot.from_us: shot for shot in self.model.shots}
        assert shown <= set(known), "P1: nothing is there that nobody opted in to"
        assert all(self.model.may_be_shown(known[at], now_us) for at in shown), "P4, P5, P6"
        missing = {at for at, shot in known.items() if self.model.must_be_shown(shot, now_us)} - shown
        assert not missing, "nothing is destroyed or closed but what was to be"

    @invariant()
    def what_is_destroyed_has_no_key_and_no_byte(self) -> None:
        names = {*self.house.store.names(), *(path.name for path in self.house.spool.iterdir())}
        with self.house.db.reading() as session:
            erased = session.query(SegmentRow).where(SegmentRow.state == State.ERASED).all()
            assert all(row.wrapped_key is None for row in erased)
        assert not names & {row.blob_name for row in erased}
        assert not self.house.keyring.bucket_keys() & {row.bucket_key_id for row in erased}

    @invariant()
    def nothing_lies_in_clear(self) -> None:
        for folder in (self.house.spool, self._folder / "archive"):
            for path in folder.rglob("*"):
                assert not (path.is_file() and path.read_bytes()[4:8] in _IN_EVERY_MP4), "P3"

    @invariant()
    def nothing_is_kept_longer_than_was_promised(self) -> None:
        for row in self.house.rows():
            assert row.keep_us <= self._kept.get(row.id, row.keep_us), "P10"
            self._kept[row.id] = row.keep_us

    @invariant()
    def the_check_has_nothing_to_say(self) -> None:
        self.house.recorder.tidy()
        # What is due and was not swept yet is debt, which the rule of the sweep is about.
        assert [str(one) for one in self.house.check().findings if one.kind is not Kind.OVERDUE] == []

    def _end(self) -> None:
        """Everything goes in the end: nothing is held by what nobody remembers."""
        for order in self.model.orders:
            self.house.lift(order)
        self.house.close()
        self.house.clock.forward(timedelta(hours=100))
        self.house.recorder.tidy()
        assert self.house.eraser.sweep().is_clean
        assert {row.state for row in self.house.rows()} <= {State.ERASED}
        assert not [*self.house.store.names(), *self.house.spool.iterdir()]

    def _parts(self, span: Span) -> list[Part]:
        try:
            return self.house.footage.find(self.house.look(), span)
        except (NoFootage, FootageIsGone, FootageIsRestricted):
            return []

    def _opens(self, span: Span) -> bool:
        try:
            self._parts(span)
        except KeyIsDestroyed:
            return False
        return True

    def _take(self, fed: list[Fragment]) -> None:
        if not self.model.is_opted_in:
            return
        before: Shot | None = None
        for one in fed:
            if one.track is Track.VIDEO:
                before = Shot(
                    one.captured_from_us, one.captured_until_us, self.model.keep_us, one.starts_with_key, before
                )
                self.model.shots.append(before)

    def _know_what_stands_in_place(self) -> None:
        """What the copy has as lifted stands as another order, over the same stretch."""
        with self.house.db.reading() as session:
            in_force = {one.id: one for one in orders.in_force(session)}
        known = {one.id for one in self.model.orders}
        others = [one for one_id, one in in_force.items() if one_id not in known]
        for at, lost in enumerate(self.model.orders):
            if lost.id not in in_force:
                instead = next((one for one in others if _is_like(one, lost)), None)
                assert instead is not None, "P6: what somebody relies on is in force"
                others.remove(instead)
                self.model.orders[at] = instead
        assert not others, "nothing is held by what nobody remembers"

    def _erased(self) -> AbstractSet[SegmentId]:
        return {row.id for row in self.house.rows() if row.state not in _LIVING}

    def _living(self) -> list[Segment]:
        return [row for row in self.house.rows() if row.state in _LIVING]

    def _shown(self) -> set[int]:
        try:
            parts = self._parts(_ALL)
        except KeyIsDestroyed:
            # An order that was lifted since keeps the row of what is destroyed: all else is looked at by itself.
            spans = [Span(one.starts_us, one.ends_us or 2**60) for one in self._living()]
            parts = [part for span in spans if self._opens(span) for part in self._parts(span)]
        for part in parts:
            assert self.house.footage.read(self.house.look(), part.seen, part.index, part.chosen)
        return {one.captured_from_us for part in parts for one in part.entries if one.track is Track.VIDEO}


def _is_like(one: Order, other: Order) -> bool:
    return (one.kind, one.from_us, one.until_us) == (other.kind, other.from_us, other.until_us)


def _covers(order: Order, segment: Segment) -> bool:
    return order.from_us < (segment.ends_us or 2**60) and segment.starts_us < order.until_us


def test_the_archive_keeps_its_promises_whatever_is_done_in_whatever_order(database_server: DatabaseServer) -> None:
    class Here(ArchiveMachine):
        server = database_server

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=20,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
