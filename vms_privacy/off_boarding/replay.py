"""Off-boardings that the custody journal tells of and an older database does not: they stand again, for a restore.

What was confirmed is confirmed again, with mandates over everything that the older database has of the operator; the
worker takes it to its end from there, once the database is released. Nothing brings the operator back.
"""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from archive.mandates.replay import stand_again
from auth.operators.store import OperatorStore
from auth.tokens.rules import microseconds
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.ids import OffBoardingId, OperatorId, Randomness
from vms_privacy.journal.rules import JournalEntry, JournalKind
from vms_privacy.off_boarding import footage, rules, store
from vms_privacy.off_boarding.rules import Confirmation, JournalAct, OffBoarding, Step, Told

_ACTOR: Final = "worker:replay"
_SECOND: Final = "the-custody-journal"
_REASON: Final = "the database did not know of it any more after a restore; the custody journal does"
_ENDS: Final = frozenset({JournalAct.CONFIRMED, JournalAct.CLOSED})


def replay_off_boardings(
    session: Session, entries: Iterable[JournalEntry], audit: AuditLog, clock: Clock, randomness: Randomness
) -> int:
    """Let every off-boarding stand as the journal tells; return how many were changed. May be repeated."""
    by_number = {entry.number: entry for entry in entries if entry.kind is JournalKind.OFF_BOARDING}
    operators = OperatorStore()
    changed = 0
    for told in rules.told_by(_told(entry) for entry in by_number.values()):
        # One of an operator that came since the copy was made: the older database has nothing of it.
        if operators.by_id(session, told.operator_id) is None:
            continue
        changed += _again(session, told, by_number[told.number], audit, clock, randomness)
    return changed


def closed_operators(entries: Iterable[JournalEntry]) -> frozenset[OperatorId]:
    """Return whose off-boarding the journal says was closed: nobody of theirs can answer or lift anything any more."""
    told = rules.told_by(_told(entry) for entry in entries if entry.kind is JournalKind.OFF_BOARDING)
    return frozenset(one.operator_id for one in told if one.act is JournalAct.CLOSED)


def _again(
    session: Session, told: Told, entry: JournalEntry, audit: AuditLog, clock: Clock, randomness: Randomness
) -> bool:
    before = store.by_id(session, told.id)
    if told.act is JournalAct.TAKEN_BACK:
        if before is None or not before.is_open or before.step is not Step.BEGUN:
            return False
        store.take_back(session, told.id, _ACTOR, told.at)
        OperatorStore().leave(session, told.operator_id, None)
        _note(session, Tag.OFF_BOARDING_TAKEN_BACK, told, audit, clock)
        return True
    if before is None:
        began = OffBoarding(told.id, told.operator_id, _ACTOR, _SECOND, told.at, Step.BEGUN, journal_number=told.number)
        store.add(session, began, _REASON)
        OperatorStore().leave(session, told.operator_id, told.at)
        _note(session, Tag.OFF_BOARDING_BEGUN, told, audit, clock)
    if told.act not in _ENDS or (before is not None and before.confirmation is not None):
        return before is None
    confirmation = Confirmation(None, told.digest, _ACTOR, _SECOND, told.at)
    store.confirm(session, told.id, confirmation, told.number)
    now_us = microseconds(clock.for_destroying())
    wanted = rules.to_destroy(footage.reach(session, told.operator_id), now_us)
    stand_again(session, told.operator_id, wanted, str(told.id), entry, randomness, audit, clock)
    _note(session, Tag.OFF_BOARDING_CONFIRMED, told, audit, clock)
    return True


def _note(session: Session, tag: Tag, told: Told, audit: AuditLog, clock: Clock) -> None:
    detail: dict[str, str | int | bool | None] = {"off_boarding": str(told.id), "journal_number": told.number}
    audit.note(
        session,
        Event(tag, clock.now(), _ACTOR, operator_id=told.operator_id, reason="from-the-journal", detail=detail),
    )


def _told(entry: JournalEntry) -> Told:
    facts = entry.facts
    return Told(
        OffBoardingId(UUID(str(facts["off_boarding"]))),
        OperatorId(UUID(str(facts["operator"]))),
        JournalAct(str(facts["act"])),
        entry.at,
        entry.number,
        str(facts.get("manifest", "")),
    )
