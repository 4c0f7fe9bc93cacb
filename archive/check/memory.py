"""What was looked at before: so that a check goes on where it was stopped, and need not look at everything each time.

Promise: a file is left out only if it was in order when it was last looked at, at this depth or a deeper one. What a
kill takes away is the memory of the last five seconds: those files are looked at once more.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from archive.check.rules import Depth, Row
from archive.check.tables import CheckLookRow, CheckTurnRow
from archive.segments.rules import State
from archive.segments.tables import SegmentRow
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import SegmentId

_AT_ONCE: Final = 500
_NOTED_EVERY_S: Final = 5.0
_EVER: Final = datetime.min.replace(tzinfo=UTC)


@unique
class How(StrEnum):
    """Which files a run looks at: all; those that the turn has not come to yet; those never looked at."""

    ANEW = "anew"
    GO_ON = "go-on"
    NEW_ALONE = "new-alone"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run is to look at. With `older_than` only what was last looked at longer ago, or never."""

    how: How = How.ANEW
    older_than: timedelta | None = None


EVERYTHING: Final = Wish()


class Memory:
    """Remembers looks in the database."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def begin(self, depth: Depth, wish: Wish) -> "Run":
        """Begin a run, or the next part of a turn that was stopped.

        A database that takes nothing is no reason not to look: the run then remembers nothing, and says so.
        """
        now = self._clock.now()
        if wish.older_than is not None:
            return Run(self._db, self._clock, depth, now - min(wish.older_than, now - _EVER), is_of_a_turn=False)
        if wish.how is How.NEW_ALONE:
            return Run(self._db, self._clock, depth, _EVER, is_of_a_turn=False)
        with self._db.reading() as session:
            since = _turn_under_way(session, depth) if wish.how is How.GO_ON else None
        run = Run(self._db, self._clock, depth, since, is_of_a_turn=True)
        if since is None:
            run.begin_turn(now)
        return run


class Run:
    """One run: which files are due in it (all, where `since` is None), and what was in order. One thread.

    `failure` names what kept it from remembering; the run itself goes on, and what it saw stands.
    """

    def __init__(self, db: Database, clock: Clock, depth: Depth, since: datetime | None, *, is_of_a_turn: bool) -> None:
        self.failure = ""
        self._db = db
        self._clock = clock
        self._depth = depth
        self._since = since
        self._is_of_a_turn = is_of_a_turn
        self._unwritten: dict[SegmentId, datetime] = {}
        self._written_at_s = clock.monotonic()

    def begin_turn(self, at: datetime) -> None:
        """Let a turn begin with this run; the one before it counts no more."""
        self._try(lambda session: _begin_turn(session, self._depth, at))

    def due(self, rows: Sequence[Row]) -> list[Row]:
        """Return those of these rows whose files were not looked at since then."""
        if self._since is None:
            return list(rows)
        seen: set[object] = set()
        with self._db.reading() as session:
            for some in _batches([row.id for row in rows]):
                seen |= set(
                    session.scalars(
                        select(CheckLookRow.segment_id).where(
                            CheckLookRow.segment_id.in_(some),
                            CheckLookRow.depth >= self._depth,
                            CheckLookRow.looked_at >= self._since,
                            # A clock that was wrong once hides nothing.
                            CheckLookRow.looked_at <= self._clock.now(),
                        )
                    )
                )
        return [row for row in rows if row.id not in seen]

    def was_in_order(self, segment_id: SegmentId) -> None:
        """Remember that a file was looked at just now; written down in batches."""
        self._unwritten[segment_id] = self._clock.now()
        waits_s = self._clock.monotonic() - self._written_at_s
        if len(self._unwritten) >= _AT_ONCE or waits_s >= _NOTED_EVERY_S:
            self.write_down()

    def was_wrong(self, segment_ids: Iterable[SegmentId]) -> None:
        """Forget that these files were ever in order: every run looks at them until they are."""
        self.write_down()
        self._try(lambda session: _forget(session, segment_ids))

    def write_down(self) -> None:
        """Write down what is remembered so far."""
        looks, self._unwritten = self._unwritten, {}
        self._written_at_s = self._clock.monotonic()
        if looks:
            self._try(lambda session: _note(session, self._depth, looks))

    def end(self, *, is_whole: bool) -> None:
        """End the run; a turn in which nothing is left to look at is over, and what became of no use is forgotten."""
        self.write_down()
        if not is_whole:
            return
        self._try(_forget_the_destroyed)
        if self._is_of_a_turn:
            now = self._clock.now()
            self._try(
                lambda session: session.execute(
                    update(CheckTurnRow).where(CheckTurnRow.depth == self._depth).values(ended_at=now)
                )
            )

    def _try(self, act: Callable[[Session], object]) -> None:
        if self.failure:
            return
        try:
            with self._db.writing() as session:
                act(session)
        except SQLAlchemyError as error:
            self.failure = type(error).__name__


def _turn_under_way(session: Session, depth: Depth) -> datetime | None:
    return session.scalar(
        select(CheckTurnRow.began_at).where(CheckTurnRow.depth == depth, CheckTurnRow.ended_at.is_(None))
    )


def _begin_turn(session: Session, depth: Depth, at: datetime) -> None:
    session.execute(delete(CheckTurnRow).where(CheckTurnRow.depth == depth))
    session.execute(insert(CheckTurnRow).values(depth=depth, began_at=at))


def _note(session: Session, depth: Depth, looks: Mapping[SegmentId, datetime]) -> None:
    for some in _batches(list(looks)):
        session.execute(delete(CheckLookRow).where(CheckLookRow.depth == depth, CheckLookRow.segment_id.in_(some)))
        rows = [{"segment_id": one, "depth": int(depth), "looked_at": looks[one]} for one in some]
        session.execute(insert(CheckLookRow), rows)


def _forget(session: Session, segment_ids: Iterable[SegmentId]) -> None:
    for some in _batches(list(segment_ids)):
        session.execute(delete(CheckLookRow).where(CheckLookRow.segment_id.in_(some)))


def _forget_the_destroyed(session: Session) -> None:
    living = select(SegmentRow.id).where(SegmentRow.state.in_((State.WRITING, State.STORED)))
    session.execute(delete(CheckLookRow).where(CheckLookRow.segment_id.not_in(living)))


def _batches(ids: Sequence[SegmentId]) -> Iterator[Sequence[SegmentId]]:
    for at in range(0, len(ids), _AT_ONCE):
        yield ids[at : at + _AT_ONCE]
