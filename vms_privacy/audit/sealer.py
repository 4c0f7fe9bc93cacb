"""The sealer: gives every event its place in the chain, and signs what the chain has become."""

import threading
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from vms_privacy.audit.anchor import Anchor
from vms_privacy.audit.checkpoints import BEFORE_THE_FIRST, Checkpoint, Line, by_kid, parse
from vms_privacy.audit.errors import ChainIsBroken
from vms_privacy.audit.inserting import PlainInsert, Value
from vms_privacy.audit.rules import (
    FIRST_LINK,
    NO_ID,
    by_operator,
    event_bytes,
    leaf,
    link,
    microseconds,
    operators_root,
)
from vms_privacy.audit.tables import (
    EVENT_FIELDS,
    OPERATOR_BYTES,
    PLACES,
    ChainRow,
    CheckpointRow,
    EventRow,
    UnsealedRow,
)
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.keyring.port import Keyring, Purpose

# The write lock is held for one batch, some 15 µs a row: more would be felt by whoever waits for a token.
_BATCH: Final = 500
# A checkpoint that has more to speak for is made in several; each holds its leaves in memory.
_LONGEST_CHECKPOINT: Final = 100_000

# In the order of the list of work, which is short: in that of the events a database may go through all there ever were.
_WAITING = (
    select(EventRow.number, *EVENT_FIELDS)
    .select_from(UnsealedRow)
    .join(EventRow, UnsealedRow.number == EventRow.number)
    .order_by(UnsealedRow.number)
    .limit(_BATCH)
)
_ANY = select(UnsealedRow.number).limit(1)
_DONE = delete(UnsealedRow.__table__).where(  # type: ignore[arg-type]
    UnsealedRow.number.in_(select(ChainRow.event_number).where(ChainRow.position > bindparam("after")))
)


class Sealer:
    """Inserts chain rows in batches and never updates one; signs a checkpoint to the anchor.

    One at a time: a second sealer of the same database gets an integrity error for its batch, never a fork. Both
    methods may be called from any thread; they raise ChainIsBroken rather than build on what was tampered with.
    """

    def __init__(self, db: Database, keyring: Keyring, clock: Clock, anchor: Anchor) -> None:
        self._db = db
        self._keyring = keyring
        self._clock = clock
        self._anchor = anchor
        self._one_at_a_time = threading.Lock()
        self._insert = PlainInsert(PLACES, db.engine.dialect)
        self._seen: tuple[int, bytes] | None = None

    def seal_once(self) -> int:
        """Seal every event that is waiting now; return how many. Where none is, it costs next to nothing."""
        sealed = 0
        with self._one_at_a_time:
            with self._db.glancing() as connection:
                if connection.execute(_ANY).first() is None:
                    return 0
            while True:
                with self._db.reading() as session:
                    waiting = session.execute(_WAITING).all()
                    position, head = self._head(session)
                if waiting:
                    self._extend(waiting, position, head)
                sealed += len(waiting)
                if len(waiting) < _BATCH:
                    return sealed

    def checkpoint_once(self) -> Checkpoint | None:
        """Sign what the chain has become since the last checkpoint; None if nothing was added.

        Raises AnchorUnavailable, KeyringUnavailable.
        """
        signed = None
        with self._one_at_a_time:
            while True:
                last = self._last_line()
                with self._db.reading() as session:
                    copied = self._refuse_a_rewritten_past(session, last)
                    checkpoint = self._next(session, last)
                if last is not None and copied < last.checkpoint.number:
                    # We died between the two writes below.
                    self._copy(last.checkpoint.number, last.text)
                if checkpoint is None:
                    return signed
                kid, signature = self._keyring.sign(Purpose.CHECKPOINT_SIGNING, checkpoint.signed_text())
                line = checkpoint.line(kid, signature)
                # The anchor first: a line that only the database has would look like one cut from the anchor.
                self._anchor.append(line)
                self._copy(checkpoint.number, line)
                signed = checkpoint

    def _extend(self, waiting: Sequence[Row[*tuple[Any, ...]]], before: int, head: bytes) -> None:
        # All hashing is done before the write lock is taken: people wait for it.
        rows: list[tuple[Value, ...]] = []
        for position, row in enumerate(waiting, before + 1):
            of_event = _leaf(row)
            head = link(head, of_event)
            rows.append((position, row.number, row.operator_id, of_event, head))
        with self._db.writing() as session:
            self._insert.into(session, rows)
            session.execute(_DONE, {"after": before})
        self._seen = (before + len(rows), head)

    def _head(self, session: Session) -> tuple[int, bytes]:
        """Return the chain's last position and hash, having checked that what we know of is still in it."""
        if self._seen is None:
            self._refuse_a_rewritten_past(session, self._last_line())
        elif _head_at(session, self._seen[0]) != self._seen[1]:
            raise ChainIsBroken(f"position {self._seen[0]} of the chain is not what was sealed there")
        last = session.execute(select(ChainRow.position, ChainRow.head).order_by(ChainRow.position.desc()).limit(1))
        found = last.one_or_none()
        return (found.position, found.head) if found else (0, FIRST_LINK)

    def _last_line(self) -> Line | None:
        text = self._anchor.last()
        if text is None:
            return None
        line = parse(text)
        if line is None or not line.is_signed(by_kid(self._keyring.public_keys(Purpose.CHECKPOINT_SIGNING))):
            raise ChainIsBroken("the last line of the anchor is not a checkpoint signed by this service")
        return line

    def _refuse_a_rewritten_past(self, session: Session, last: Line | None) -> int:
        """Return the number of the last checkpoint that the database has a copy of."""
        copied: int = session.execute(select(func.max(CheckpointRow.number))).scalar_one() or 0
        if copied > (last.checkpoint.number if last else 0):
            raise ChainIsBroken(f"the anchor lacks checkpoint {copied}")
        if last and _head_at(session, last.checkpoint.last) != last.checkpoint.head:
            raise ChainIsBroken(f"position {last.checkpoint.last} of the chain is not what was signed")
        return copied

    def _next(self, session: Session, last: Line | None) -> Checkpoint | None:
        before = last.checkpoint if last else None
        first = before.last + 1 if before else 1
        rows = session.execute(
            select(ChainRow.position, OPERATOR_BYTES, PLACES, ChainRow.leaf, ChainRow.head)
            .where(ChainRow.position >= first)
            .order_by(ChainRow.position)
            .limit(_LONGEST_CHECKPOINT)
        ).all()
        if not rows:
            return None
        leaves = by_operator((row.operator or NO_ID, row.leaf) for row in rows)
        return Checkpoint(
            number=before.number + 1 if before else 1,
            first=first,
            last=rows[-1].position,
            at_us=microseconds(self._clock.now()),
            head=rows[-1].head,
            operators=operators_root(leaves),
            previous=last.digest if last else BEFORE_THE_FIRST,
        )

    def _copy(self, number: int, line: str) -> None:
        with self._db.writing() as session:
            session.execute(insert(CheckpointRow).values(number=number, line=line))


def _leaf(row: Row[*tuple[Any, ...]]) -> bytes:
    try:
        return leaf(event_bytes(*row[1:]))
    except ValueError as error:
        raise ChainIsBroken(f"event {row.number} is not what the service would have noted") from error


def _head_at(session: Session, position: int) -> bytes | None:
    return session.execute(select(ChainRow.head).where(ChainRow.position == position)).scalar_one_or_none()
