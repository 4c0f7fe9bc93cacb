"""Queries over resources."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, bindparam, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.errors import NameIsTaken, NotFound
from auth.operators.store import OperatorStore
from auth.operators.tables import OperatorRow
from auth.resources.rules import Resource
from auth.resources.tables import ResourceRow
from vms_privacy.db import Reading, connection_of
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.web import is_name

# Each request asks these, so they are built once.
_CAMERA: Final = select(*ResourceRow.__table__.columns)
_BY_ID: Final = _CAMERA.where(ResourceRow.camera_id == bindparam("camera_id"))
_BY_IDS: Final = _CAMERA.where(ResourceRow.camera_id.in_(bindparam("camera_ids", expanding=True)))
_BY_NAME: Final = _CAMERA.join(OperatorRow, OperatorRow.id == ResourceRow.operator_id).where(
    OperatorRow.name == bindparam("operator_name"), ResourceRow.name == bindparam("camera_name")
)


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

    def by_id(self, asked: Reading, camera_id: CameraId) -> Resource | None:
        """Return the camera, removed or not."""
        return _one(asked, _BY_ID, {"camera_id": camera_id})

    def by_ids(self, asked: Reading, camera_ids: Collection[CameraId]) -> dict[CameraId, Resource]:
        """Return those of the cameras that exist, in one query."""
        rows = connection_of(asked).execute(_BY_IDS, {"camera_ids": list(camera_ids)})
        return {CameraId(row.camera_id): _resource(row) for row in rows}

    def by_name(self, asked: Reading, operator_name: str, camera_name: str) -> Resource | None:
        """Return the camera of a streaming URL `/{operator}/{camera}`, in one query, removed or not."""
        if not is_name(operator_name) or not is_name(camera_name):
            return None
        return _one(asked, _BY_NAME, {"operator_name": operator_name, "camera_name": camera_name})

    def is_leaving(self, session: Session, operator_id: OperatorId) -> bool:
        """Say whether the operator of cameras leaves, or has left."""
        return OperatorStore().is_leaving(session, operator_id)

    def of_operator(self, session: Session, operator_id: OperatorId, *, even_removed: bool = False) -> list[Resource]:
        """Return an operator's cameras by name, without the removed ones if nothing else is said."""
        wanted = select(ResourceRow).where(ResourceRow.operator_id == operator_id).order_by(ResourceRow.name)
        if not even_removed:
            wanted = wanted.where(ResourceRow.removed_at.is_(None))
        return [_resource(row) for row in session.scalars(wanted)]

    def _row(self, session: Session, camera_id: CameraId) -> ResourceRow:
        row = session.get(ResourceRow, camera_id)
        if row is None:
            raise NotFound
        return row


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise NameIsTaken from None


def _one(asked: Reading, wanted: Select[*tuple[Any, ...]], named: Mapping[str, object]) -> Resource | None:
    row = connection_of(asked).execute(wanted, named).one_or_none()
    return None if row is None else _resource(row)


def _resource(row: Any) -> Resource:
    return Resource(
        camera_id=CameraId(row.camera_id),
        operator_id=OperatorId(row.operator_id),
        name=row.name,
        group_path=row.group_path,
        version=row.version,
        removed_at=row.removed_at,
    )
