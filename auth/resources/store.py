"""Queries over resources."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.errors import NameIsTaken, NotFound
from auth.operators.tables import OperatorRow
from auth.resources.rules import Resource
from auth.resources.tables import ResourceRow
from vms_privacy.ids import CameraId, OperatorId


class ResourceStore:
    """Keeps the one row per camera that rights are about. Holds nothing itself; every call takes a session."""

    def register(
        self, session: Session, camera_id: CameraId, operator_id: OperatorId, name: str, group_path: str = ""
    ) -> Resource:
        """Add a camera. Raises NameIsTaken if the operator has, or had, another one of that name."""
        row = ResourceRow(camera_id=camera_id, operator_id=operator_id, name=name, group_path=group_path, version=1)
        session.add(row)
        _flush(session)
        return _resource(row)

    def rename(self, session: Session, camera_id: CameraId, name: str) -> Resource:
        """Give a camera another name. Raises NameIsTaken, NotFound."""
        row = self._row(session, camera_id)
        row.name = name
        row.version += 1
        _flush(session)
        return _resource(row)

    def remove(self, session: Session, camera_id: CameraId, at: datetime) -> Resource:
        """Mark a camera as gone; the row stays for its footage. Removing twice keeps the first moment."""
        row = self._row(session, camera_id)
        if row.removed_at is None:
            row.removed_at = at
            row.version += 1
            session.flush()
        return _resource(row)

    def by_id(self, session: Session, camera_id: CameraId) -> Resource | None:
        """Return the camera, removed or not."""
        row = session.get(ResourceRow, camera_id)
        return None if row is None else _resource(row)

    def by_ids(self, session: Session, camera_ids: Collection[CameraId]) -> dict[CameraId, Resource]:
        """Return those of the cameras that exist, in one query."""
        rows = session.scalars(select(ResourceRow).where(ResourceRow.camera_id.in_(camera_ids)))
        return {CameraId(row.camera_id): _resource(row) for row in rows}

    def by_name(self, session: Session, operator_name: str, camera_name: str) -> Resource | None:
        """Return the camera of a streaming URL `/{operator}/{camera}`, in one query, removed or not."""
        row = session.scalars(
            select(ResourceRow)
            .join(OperatorRow, OperatorRow.id == ResourceRow.operator_id)
            .where(OperatorRow.name == operator_name, ResourceRow.name == camera_name)
        ).one_or_none()
        return None if row is None else _resource(row)

    def of_operator(self, session: Session, operator_id: OperatorId) -> list[Resource]:
        """Return an operator's cameras by name, without the removed ones."""
        rows = session.scalars(
            select(ResourceRow)
            .where(ResourceRow.operator_id == operator_id, ResourceRow.removed_at.is_(None))
            .order_by(ResourceRow.name)
        )
        return [_resource(row) for row in rows]

    def _row(self, session: Session, camera_id: CameraId) -> ResourceRow:
        row = session.get(ResourceRow, camera_id, with_for_update=True)
        if row is None:
            raise NotFound
        return row


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise NameIsTaken from None


def _resource(row: ResourceRow) -> Resource:
    return Resource(
        camera_id=CameraId(row.camera_id),
        operator_id=OperatorId(row.operator_id),
        name=row.name,
        group_path=row.group_path,
        version=row.version,
        removed_at=row.removed_at,
    )
