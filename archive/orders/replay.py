"""Orders that the custody journal tells of and the database does not: placed again before anything is destroyed.

An older database in the place of the present one has lost what was ordered since. The journal is written before an
order is answered, so nothing that somebody relied on is missing in it. What it tells of and was never committed is
placed as well: that keeps too much, never too little, and two people lift it like any other.

What is lifted stays lifted. Where the journal says that such an order stands, as after a restore of an older copy from
before its end, another one takes its place, with an id of its own that the journal knows of.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from archive.orders import store
from archive.orders.rules import FOREVER_US, Ground, Order, OrderKind
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, OperatorId, OrderId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalEntry, JournalKind

_KINDS = {JournalKind.HOLD: OrderKind.HOLD, JournalKind.RESTRICTION: OrderKind.RESTRICTION}
_JOURNAL_KINDS = {kind: name for name, kind in _KINDS.items()}
_ACTOR = "worker:replay"


def replay_orders(db: Database, journal: Journal, audit: AuditLog, clock: Clock, randomness: Randomness) -> int:
    """Place every order that is missing or lifted; return how many. For the start. Raises what the journal raises."""
    standing = _standing(journal.entries())
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
    standing = _standing(journal.entries())
    with db.reading() as session:
        again = [one for one in store.in_force(session) if str(one.id) not in standing]
    for one in again:
        journal.append(_JOURNAL_KINDS[one.kind], one.journal_facts("placed"))
    return len(again)


def _standing(entries: Iterable[JournalEntry]) -> dict[str, JournalEntry]:
    """Return the entry of each order that was placed and neither lifted nor replaced since, as the journal says."""
    standing: dict[str, JournalEntry] = {}
    for entry in entries:
        if entry.kind in _KINDS:
            name = str(entry.facts["order"])
            standing.pop(str(entry.facts.get("in_place_of")), None)
            if entry.facts["act"] == "placed":
                standing[name] = entry
            else:
                standing.pop(name, None)
    return standing


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
