"""Queries over operators."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.errors import NameIsTaken
from auth.operators.rules import Operator, closed_name
from auth.operators.tables import OperatorRegionRow, OperatorRow
from vms_privacy.ids import OperatorId, Randomness


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

    def leave(self, session: Session, operator_id: OperatorId, since: datetime | None) -> None:
        """Note since when an operator leaves; None: it stays after all."""
        session.get_one(OperatorRow, operator_id).leaving_since = since
        session.flush()

    def is_leaving(self, session: Session, operator_id: OperatorId) -> bool:
        """Say whether an operator leaves, or has left."""
        found = session.scalar(select(OperatorRow.leaving_since).where(OperatorRow.id == operator_id))
        return found is not None

    def close(self, session: Session, operator_id: OperatorId, at: datetime) -> None:
        """Note that nothing of an operator is left; whoever comes after it may take its name. Twice is calm."""
        row = session.get_one(OperatorRow, operator_id)
        if row.closed_at is None:
            row.closed_at = at
            row.name = closed_name(operator_id)
            session.flush()

    def region_of(self, session: Session, operator_id: OperatorId) -> str | None:
        """Return where this operator's footage goes from now on; None where nobody has said so."""
        return session.scalar(
            select(OperatorRegionRow.region)
            .where(OperatorRegionRow.operator_id == operator_id)
            .order_by(OperatorRegionRow.version.desc())
            .limit(1)
        )

    def regions_of(self, session: Session, operators: Collection[OperatorId]) -> dict[OperatorId, str]:
        """Return where the footage of each goes; one for whom nobody has said so is left out."""
        newest = (
            select(OperatorRegionRow.operator_id, func.max(OperatorRegionRow.version).label("version"))
            .where(OperatorRegionRow.operator_id.in_(operators))
            .group_by(OperatorRegionRow.operator_id)
            .subquery()
        )
        rows = session.execute(
            select(OperatorRegionRow.operator_id, OperatorRegionRow.region).join(
                newest,
                (OperatorRegionRow.operator_id == newest.c.operator_id)
                & (OperatorRegionRow.version == newest.c.version),
            )
        )
        return {OperatorId(row.operator_id): row.region for row in rows}

    def set_region(
        self,
        session: Session,
        randomness: Randomness,
        operator_id: OperatorId,
        region: str,
        actor: str,
        at: datetime,
    ) -> None:
        """Add a version: from here on it is the one in force. The database refuses two of one number."""
        last = session.scalar(
            select(func.max(OperatorRegionRow.version)).where(OperatorRegionRow.operator_id == operator_id)
        )
        session.add(
            OperatorRegionRow(
                id=randomness.uuid(),
                operator_id=operator_id,
                version=(last or 0) + 1,
                region=region,
                set_by=actor,
                set_at=at,
            )
        )
        session.flush()

    def without_a_region(self, session: Session) -> list[OperatorId]:
        """Return the operators of whom nobody has said where their footage goes."""
        wanted = select(OperatorRow.id).where(OperatorRow.id.not_in(select(OperatorRegionRow.operator_id)))
        return [OperatorId(one) for one in session.scalars(wanted.order_by(OperatorRow.id))]

    def promised_regions(self, session: Session) -> frozenset[str]:
        """Return every region that some operator's footage goes to from now on."""
        everybody = [OperatorId(one) for one in session.scalars(select(OperatorRow.id))]
        return frozenset(self.regions_of(session, everybody).values())


def _operator(row: OperatorRow) -> Operator:
    return Operator(OperatorId(row.id), row.name, row.title, row.created_at, row.leaving_since, row.closed_at)
