"""Queries over operators."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.errors import NameIsTaken
from auth.operators.rules import Operator
from auth.operators.tables import OperatorRow
from vms_privacy.ids import OperatorId


class OperatorStore:
    """Reads and writes operators. Holds nothing itself; every call takes a session."""

    def add(self, session: Session, operator: Operator) -> None:
        """Write a new operator. Raises NameIsTaken."""
        session.add(
            OperatorRow(id=operator.id, name=operator.name, title=operator.title, created_at=operator.created_at)
        )
        try:
            session.flush()
        except IntegrityError:
            raise NameIsTaken from None

    def by_id(self, session: Session, operator_id: OperatorId) -> Operator | None:
        """Return an operator."""
        row = session.get(OperatorRow, operator_id)
        return None if row is None else _operator(row)

    def listing(self, session: Session, after: str, limit: int) -> list[Operator]:
        """Return operators by name, from behind the name `after`, at most `limit`."""
        wanted = select(OperatorRow).where(OperatorRow.name > after).order_by(OperatorRow.name).limit(limit)
        return [_operator(row) for row in session.scalars(wanted)]


def _operator(row: OperatorRow) -> Operator:
    return Operator(OperatorId(row.id), row.name, row.title, row.created_at)
