"""Mandates that the custody journal tells of and an older database does not: they stand again, for a restore.

What one was about is destroyed already, or half; standing again it destroys what is left, and is done. Its words and
its two people were in the database that was lost. Its request is known if it was named by its id; else the mandate is
told of by itself, so that no receipt tells of two requests.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from archive.mandates import store
from archive.mandates.rules import Cause, Mandate
from archive.segments.rules import Span
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.ids import CameraId, MandateId, OperatorId, Randomness
from vms_privacy.journal.rules import JournalEntry, JournalKind

_ACTOR = "worker:replay"
_SECOND = "the-custody-journal"
_REASON = "the database did not know of it any more after a restore; the custody journal does"


def replay_mandates(session: Session, entries: Iterable[JournalEntry], audit: AuditLog, clock: Clock) -> int:
    """Let every mandate stand again that is missing; return how many. May be repeated."""
    told = [_mandate(entry) for entry in entries if entry.kind is JournalKind.MANDATE]
    missing = [(one, number) for one, number in told if store.by_id(session, one.id) is None]
    for one, number in missing:
        store.add(session, one, _REASON, number)
        _note(session, one, number, audit, clock)
    return len(missing)


def stand_again(
    session: Session,
    operator_id: OperatorId,
    wanted: Mapping[CameraId, Sequence[Span]],
    reference: str,
    told: JournalEntry,
    randomness: Randomness,
    audit: AuditLog,
    clock: Clock,
) -> int:
    """Let the mandates of a confirmed off-boarding stand by the entry that tells of it; return how many.

    Nothing if the database has some of this reference already: they were placed together.
    """
    known = store.of_reference(session, operator_id, Cause.OFF_BOARDING, reference)
    if known:
        return 0
    placed = 0
    for camera_id, spans in wanted.items():
        for span in spans:
            mandate = Mandate(
                id=MandateId(randomness.uuid()),
                operator_id=operator_id,
                camera_id=camera_id,
                span=span,
                cause=Cause.OFF_BOARDING,
                reference=reference,
                proposed_by=_ACTOR,
                approved_by=_SECOND,
                placed_at=told.at,
                done_at=None,
                attempts=0,
                last_failure="",
            )
            store.add(session, mandate, _REASON, told.number)
            _note(session, mandate, told.number, audit, clock)
            placed += 1
    return placed


def _note(session: Session, one: Mandate, number: int, audit: AuditLog, clock: Clock) -> None:
    audit.note(
        session,
        Event(
            Tag.MANDATE_PLACED,
            clock.now(),
            _ACTOR,
            operator_id=one.operator_id,
            camera_id=one.camera_id,
            reason=str(one.cause),
            detail={"mandate": str(one.id), "journal_number": number},
        ),
    )


def _mandate(entry: JournalEntry) -> tuple[Mandate, int]:
    facts = entry.facts
    mandate = Mandate(
        id=MandateId(UUID(str(facts["mandate"]))),
        operator_id=OperatorId(UUID(str(facts["operator"]))),
        camera_id=CameraId(UUID(str(facts["camera"]))),
        span=Span(int(facts["from_us"] or 0), int(facts["until_us"] or 0)),
        cause=Cause(str(facts["cause"])),
        reference=str(facts.get("reference") or facts["mandate"]),
        proposed_by=_ACTOR,
        approved_by=_SECOND,
        placed_at=entry.at,
        done_at=None,
        attempts=0,
        last_failure="",
    )
    return mandate, entry.number
