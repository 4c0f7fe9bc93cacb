"""Writing to the audit: with the caller's transaction, or, for a refusal, in one of its own."""

from uuid import UUID

from sqlalchemy.orm import Session

from vms_privacy.audit.events import Event, Outcome
from vms_privacy.audit.inserting import PlainInsert, Value
from vms_privacy.audit.rules import detail_text, microseconds, plain_text
from vms_privacy.audit.tables import EVENTS
from vms_privacy.audit.traces import leave_trace
from vms_privacy.db import Database
from vms_privacy.ids import AuditEventId, Randomness


class AuditLog:
    """Notes events. An act and its trace are kept or lost together; a refusal's trace is kept either way."""

    def __init__(self, db: Database, randomness: Randomness) -> None:
        self._db = db
        self._randomness = randomness
        self._insert = PlainInsert(EVENTS, db.engine.dialect, without="number")

    def note(self, session: Session, event: Event) -> AuditEventId:
        """Write with the caller's transaction; return the event's id.

        Raises ValueError if the event holds what the audit must not: a moment without a zone, a line break,
        a text of over 200 characters, a fraction.
        """
        event_id = self._randomness.uuid()
        self._insert.into(session, [_row(event_id, event)])
        if event.outcome is Outcome.REFUSED:
            leave_trace()
        return AuditEventId(event_id)

    def note_refusal(self, event: Event) -> AuditEventId:
        """Write alone, durable on return: the caller's transaction was rolled back or never was.

        Raises RuntimeError if this thread is still inside `writing()`, which would wait for itself.
        """
        with self._db.writing() as own:
            return self.note(own, event)


def _row(event_id: UUID, event: Event) -> tuple[Value, ...]:
    return (
        event_id.bytes,
        int(event.tag),
        str(event.outcome),
        microseconds(event.at),
        _id_bytes(event.operator_id),
        _id_bytes(event.camera_id),
        plain_text(event.actor),
        plain_text(event.reason),
        detail_text(event.detail),
    )


def _id_bytes(given: UUID | None) -> bytes | None:
    """Return an id's bytes. Zeros are the format's word for no id (audit-chain-v1, 3.1), whoever asked for them."""
    return given.bytes if given is not None and given.int else None
