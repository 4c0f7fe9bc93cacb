"""Orders that the custody journal tells of and the database does not: placed again before anything is destroyed.

An older database in the place of the present one has lost what was ordered since. The journal is written before an
order is answered, so nothing that somebody relied on is missing in it. What it tells of and was never committed is
placed as well: that keeps too much, never too little, and two people lift it like any other.

What is lifted stays lifted. Where the journal says that such an order stands, as after a restore of an older copy from
before its end, another one takes its place, with an id of its own that the journal knows of.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from archive.orders import store
from archive.orders.rules import FOREVER_US, Ground, Order, OrderKind
from archive.orders.service import LIFT_FOR, RIGHT_FOR
from vms_privacy.approvals import store as proposals
from vms_privacy.approvals.rules import GOOD_FOR, Decision, Proposal
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, OperatorId, OrderId, ProposalId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalEntry, JournalKind

_KINDS = {JournalKind.HOLD: OrderKind.HOLD, JournalKind.RESTRICTION: OrderKind.RESTRICTION}
_JOURNAL_KINDS = {kind: name for name, kind in _KINDS.items()}
_ACTOR = "worker:replay"
_SECOND = "the-custody-journal"
_LIFTED_BEFORE = "two people had lifted it before its operator left; the custody journal says so"


def replay_orders(db: Database, journal: Journal, audit: AuditLog, clock: Clock, randomness: Randomness) -> int:
    """Place every order that is missing or lifted; return how many. For the start. Raises what the journal raises."""
    standing = _Told(journal.entries()).standing()
    if not standing:
        return 0
    with db.writing() as session:
        missing: list[Order] = []
        lifted: dict[OrderId, Order] = {}
        for name, entry in standing.items():
            told = _order(name, entry)
            known = store.by_id(session, told.id)
            if known is None:
                missing.append(told)
            elif not known.is_in_force:
                again = replace(told, id=OrderId(randomness.uuid()), case=known.case)
                lifted[known.id] = again
                missing.append(again)
        for one in missing:
            store.add(session, one, randomness)
            audit.note(
                session,
                Event(
                    Tag.ORDER_PLACED,
                    clock.now(),
                    _ACTOR,
                    operator_id=one.operator_id,
                    camera_id=one.camera_id,
                    reason=str(one.ground),
                    detail={"order": str(one.id), "kind": str(one.kind)},
                ),
            )
        # Last, when the database has taken everything, and in one entry each: the next start places no third one.
        for before, one in lifted.items():
            facts = one.journal_facts("placed") | {"in_place_of": str(before)}
            journal.append(_JOURNAL_KINDS[one.kind], facts)
    return len(missing)


def journal_what_stands_again(db: Database, journal: Journal) -> int:
    """Write into the journal what the database has in force and the journal says is lifted; return how many.

    For a restore: an older database brings back what was lifted since, and from then on somebody relies on it. The
    next restore, of a still older one, must find it. May be repeated. Raises what the journal raises.
    """
    standing = _Told(journal.entries()).standing()
    with db.reading() as session:
        again = [one for one in store.in_force(session) if str(one.id) not in standing]
    for one in again:
        journal.append(_JOURNAL_KINDS[one.kind], one.journal_facts("placed"))
    return len(again)


def lift_again(
    session: Session,
    entries: Iterable[JournalEntry],
    operators: Collection[OperatorId],
    audit: AuditLog,
    clock: Clock,
    randomness: Randomness,
) -> int:
    """Lift of some operators what the journal says two people lifted last; return how many. May be repeated.

    For operators that have left: nobody of theirs can lift anything any more. What stands by the journal stays.
    """
    ended = _Told(entries).ended()
    found = [one for one in store.in_force(session) if one.operator_id in operators and str(one.id) in ended]
    for one in found:
        lifting = _approved(one, ended[str(one.id)].at, randomness)
        proposals.add(session, lifting)
        proposals.decide(session, lifting, Decision.APPROVED, lifting)
        store.lift(session, one.id, _ACTOR, _SECOND, ended[str(one.id)].at)
        audit.note(
            session,
            Event(
                Tag.ORDER_LIFTED,
                clock.now(),
                _ACTOR,
                operator_id=one.operator_id,
                camera_id=one.camera_id,
                reason="from-the-journal",
                detail={
                    "order": str(one.id),
                    "kind": str(one.kind),
                    "proposal": str(lifting.id),
                    "journal_number": ended[str(one.id)].number,
                },
            ),
        )
    return len(found)


class _Told:
    """What the journal says became of each order: its last act, and which one stands in its place since."""

    def __init__(self, entries: Iterable[JournalEntry]) -> None:
        self._last: dict[str, JournalEntry] = {}
        self._instead: dict[str, str] = {}
        for entry in entries:
            if entry.kind in _KINDS:
                name = str(entry.facts["order"])
                self._last[name] = entry
                self._instead.pop(name, None)
                if "in_place_of" in entry.facts:
                    self._instead[str(entry.facts["in_place_of"])] = name

    def standing(self) -> dict[str, JournalEntry]:
        """Return the entry of each that was placed and neither lifted nor replaced since."""
        return {
            name: one for name, one in self._last.items() if one.facts["act"] == "placed" and name not in self._instead
        }

    def ended(self) -> dict[str, JournalEntry]:
        """Return by which entry each of them ended: its own, or that of the one in its place."""
        last = {name: self._last[self._present(name)] for name in self._last}
        return {name: one for name, one in last.items() if one.facts["act"] != "placed"}

    def _present(self, name: str) -> str:
        while name in self._instead:
            name = self._instead[name]
        return name


def _approved(order: Order, at: datetime, randomness: Randomness) -> Proposal:
    """Return the proposal that two people had approved; it went with the lost database."""
    return Proposal(
        id=ProposalId(randomness.uuid()),
        operator_id=order.operator_id,
        camera_id=order.camera_id,
        act=LIFT_FOR[order.kind],
        right=str(RIGHT_FOR[order.kind]),
        facts={"order": str(order.id), "case": order.case},
        reason=_LIFTED_BEFORE,
        proposed_by=_ACTOR,
        proposed_at=at,
        expires_at=at + GOOD_FOR,
        decision=Decision.APPROVED,
        decided_by=_SECOND,
        decided_at=at,
    )


def _order(name: str, entry: JournalEntry) -> Order:
    facts = entry.facts
    until_us = facts["until_us"]
    return Order(
        id=OrderId(UUID(name)),
        operator_id=OperatorId(UUID(str(facts["operator"]))),
        kind=_KINDS[entry.kind],
        camera_id=CameraId(UUID(str(facts["camera"]))),
        from_us=int(facts["from_us"] or 0),
        until_us=FOREVER_US if until_us is None else int(until_us),
        case="from the journal",
        ground=Ground.FROM_THE_JOURNAL,
        authority="the custody journal",
        reason="the database did not know of it when the service started; the journal does",
        placed_by=_ACTOR,
        placed_at=entry.at,
        review_at=datetime.fromisoformat(str(facts["review_at"])),
    )
