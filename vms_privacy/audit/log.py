"""Writing to the audit: with the caller's transaction, or, for a refusal, in one of its own."""

from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from vms_privacy.audit.events import Event
from vms_privacy.audit.rules import detail_text, microseconds, plain_text
from vms_privacy.audit.tables import EventRow
from vms_privacy.db import Database
from vms_privacy.ids import AuditEventId, Randomness


class AuditLog:
    """Notes events. An act and its trace are kept or lost together; a refusal's trace is kept either way."""

    def __init__(self, db: Database, randomness: Randomness) -> None:
        self._db = db
        self._randomness = randomness
        # Written out once: every token issued pays for a note, and making the statement costs twice its execution.
        columns = [column.name for column in EventRow.__table__.columns if column.name != "number"]
        statement = insert(EventRow.__table__).inline().compile(dialect=db.engine.dialect, column_keys=columns)  # type: ignore[arg-type]
        self._insert = str(statement)
        self._order = tuple(statement.positiontup or ()) if statement.positional else None

    def note(self, session: Session, event: Event) -> AuditEventId:
        """Write with the caller's transaction; return the event's id.

        Raises ValueError if the event holds what the audit must not: a moment without a zone, a line break,
        a text of over 200 characters, a fraction.
        """
        event_id = self._randomness.uuid()
        row = _row(event_id, event)
        in_order = row if self._order is None else tuple(row[name] for name in self._order)
        session.connection().exec_driver_sql(self._insert, in_order)
        return AuditEventId(event_id)

    def note_refusal(self, event: Event) -> AuditEventId:
        """Write alone, durable on return: the caller's transaction was rolled back or never was.

        Raises RuntimeError if this thread is still inside `writing()`, which would wait for itself.
        """
        with self._db.writing() as own:
            return self.note(own, event)


def _row(event_id: UUID, event: Event) -> dict[str, bytes | str | int | None]:
    return {
        "event_id": event_id.bytes,
        "tag": int(event.tag),
        "outcome": str(event.outcome),
        "at_us": microseconds(event.at),
        "operator_id": event.operator_id.bytes if event.operator_id else None,
        "camera_id": event.camera_id.bytes if event.camera_id else None,
        "actor": plain_text(event.actor),
        "reason": plain_text(event.reason),
        "detail": detail_text(event.detail),
    }
