"""Checking the whole audit: every event, every place of the chain, every line of the anchor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sqlalchemy import exists, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from vms_privacy.audit.anchor import Anchor
from vms_privacy.audit.checkpoints import Checkpoint, Line, by_kid, follows, parse
from vms_privacy.audit.rules import event_bytes, leaf
from vms_privacy.audit.tables import EVENT_FIELDS, OPERATOR_BYTES, ChainRow, CheckpointRow, EventRow, UnsealedRow
from vms_privacy.audit.walk import Entry, Fault, Finding, Walk
from vms_privacy.db import Database
from vms_privacy.keyring.port import PublicKey

_AT_ONCE: Final = 5000
_COPIES: Final = (
    select(CheckpointRow.number, CheckpointRow.line).order_by(CheckpointRow.number).execution_options(yield_per=500)
)
_PLACES: Final = (
    select(ChainRow.position, OPERATOR_BYTES, ChainRow.leaf, ChainRow.head, *EVENT_FIELDS)
    .join_from(ChainRow, EventRow, EventRow.number == ChainRow.event_number, isouter=True)
    .order_by(ChainRow.position)
)


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """Whether the audit is what it was. `first_bad` is a position of the chain, None if the fault has none.

    `events` counts all, `sealed` those with a place in the chain that was found good; the rest waits for the sealer.
    What was added after the last checkpoint (60 s at most while the service runs) no signature covers yet.
    """

    ok: bool
    first_bad: int | None
    reason: str
    events: int
    sealed: int
    checkpoints: int
    fault: Fault | None = None


def verify(db: Database, anchor: Anchor, public_keys: Sequence[PublicKey]) -> AuditVerdict:
    """Read everything and say where it first is not what it was; may run beside a working service.

    `public_keys` are those of purpose checkpoint-signing. Raises AnchorUnavailable.
    """
    # The anchor first: what it tells of is in any later picture of the database, unless somebody took it out.
    checkpoints, finding = _check_anchor(anchor, public_keys)
    with db.reading() as session:
        places = session.execute(select(func.max(ChainRow.position))).scalar_one() or 0
        events = session.execute(select(func.count()).select_from(EventRow)).scalar_one()
        walk = Walk(_checkpoints(anchor, checkpoints))
        finding = finding or _check_copies(session, anchor) or _check_chain(session, walk, places)
        finding = finding or _check_waiting(session)
    sealed = walk.position if finding is None else max(0, (finding.position or walk.position + 1) - 1)
    if finding is None:
        return AuditVerdict(True, None, "", events, sealed, checkpoints)
    return AuditVerdict(False, finding.position, finding.reason, events, sealed, checkpoints, finding.fault)


def _check_anchor(anchor: Anchor, public_keys: Sequence[PublicKey]) -> tuple[int, Finding | None]:
    keys = by_kid(public_keys)
    before: Line | None = None
    count = 0
    for text in anchor.lines():
        line = parse(text)
        if line is None or not line.is_signed(keys) or not follows(line, before):
            position = before.checkpoint.last + 1 if before else 1
            what = "is not signed by this service" if line and follows(line, before) else "is not what was written"
            return count, Finding(Fault.ANCHOR_CHANGED, position, f"line {count + 1} of the anchor {what}")
        before, count = line, count + 1
    return count, None


def _checkpoints(anchor: Anchor, count: int) -> Iterator[Checkpoint]:
    for text in islice(anchor.lines(), count):
        line = parse(text)
        if line is not None:
            yield line.checkpoint


def _check_copies(session: Session, anchor: Anchor) -> Finding | None:
    lines = anchor.lines()
    good = 0
    with session.execute(_COPIES) as copies:
        for number, copy in copies:
            line = next(lines, None)
            if line is None:
                why = f"the anchor ends before line {number}, which the database has"
                return Finding(Fault.ANCHOR_CUT, good + 1, why)
            if line != copy:
                why = f"line {number} of the anchor is not the database's copy"
                return Finding(Fault.ANCHOR_CHANGED, good + 1, why)
            point = parse(line)
            good = point.checkpoint.last if point else good
    return None


def _check_chain(session: Session, walk: Walk, places: int) -> Finding | None:
    last, at_once = 0, _AT_ONCE
    while last < places:
        try:
            rows = session.execute(
                _PLACES.where(ChainRow.position > last, ChainRow.position <= places).limit(at_once)
            ).all()
        except DBAPIError:
            # SQLite takes text that is no text, and fails when it is read: go one by one up to it.
            if at_once == 1:
                return Finding(Fault.EVENT_CHANGED, last + 1, "it cannot be read")
            at_once = 1
            continue
        for row in rows:
            finding = walk.take(_entry(row))
            if finding is not None:
                return finding
            last = row.position
    return walk.end()


def _entry(row: Sequence[Any]) -> Entry:
    position, operator, of_leaf, head, *event = row
    return Entry(position, operator, of_leaf, head, _leaf(event), event_operator=event[4])


def _leaf(event: Sequence[Any]) -> bytes | None:
    """Return what the event hashes to; None if it is gone, nothing if it has no encoding at all."""
    if event[0] is None:
        return None
    try:
        return leaf(event_bytes(*event))
    except ValueError:
        return b""


def _check_waiting(session: Session) -> Finding | None:
    has_place = exists().where(ChainRow.event_number == EventRow.number)
    waits = exists().where(UnsealedRow.number == EventRow.number)
    lost = session.execute(select(func.min(EventRow.number)).where(~has_place, ~waits)).scalar_one_or_none()
    if lost is not None:
        return Finding(Fault.NEVER_SEALED, None, f"event {lost} neither has a place in the chain nor waits for one")
    is_there = exists().where(EventRow.number == UnsealedRow.number)
    gone = session.execute(select(func.min(UnsealedRow.number)).where(~is_there)).scalar_one_or_none()
    if gone is not None:
        return Finding(Fault.EVENT_MISSING, None, f"event {gone} is gone before it was sealed")
    return None
