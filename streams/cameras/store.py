"""Queries over cameras."""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from auth.resources.tables import ResourceRow
from streams.address import DEFAULT_PORTS
from streams.cameras.rules import Camera
from streams.cameras.tables import CameraRow
from vms_privacy.ids import CameraId, OperatorId


class CameraStore:
    """Keeps camera rows. Holds nothing itself; every call takes a session."""

    def add(self, session: Session, row: CameraRow) -> None:
        """Add a camera whose resource is registered in this transaction."""
        session.add(row)
        session.flush()

    def row(self, session: Session, camera_id: CameraId) -> CameraRow | None:
        """Return the row to change it, removed or not."""
        return session.get(CameraRow, camera_id)

    def by_id(self, session: Session, camera_id: CameraId) -> Camera | None:
        """Return the camera, removed or not."""
        found = session.execute(_cameras().where(CameraRow.id == camera_id)).one_or_none()
        return None if found is None else _camera(found[0], found[1])

    def of_operator(self, session: Session, operator_id: OperatorId) -> list[Camera]:
        """Return an operator's living cameras by name."""
        query = _cameras().where(CameraRow.operator_id == operator_id, CameraRow.removed_at.is_(None))
        return [_camera(row, resource) for row, resource in session.execute(query.order_by(ResourceRow.name))]

    def living(self, session: Session) -> list[CameraId]:
        """Return all living cameras, of whatever operator."""
        query = select(CameraRow.id).where(CameraRow.removed_at.is_(None)).order_by(CameraRow.id)
        return [CameraId(camera_id) for camera_id in session.scalars(query)]

    def sealed_urls(self, session: Session) -> list[bytes]:
        """Return the sealed URL of every camera that has one, as it is."""
        found = session.scalars(select(CameraRow.sealed_url).where(CameraRow.sealed_url.is_not(None)))
        return [bytes(one) for one in found if one is not None]

    def living_row(self, session: Session, camera_id: CameraId) -> CameraRow | None:
        """Return the row of a living camera to read it."""
        query = select(CameraRow).where(CameraRow.id == camera_id, CameraRow.removed_at.is_(None))
        return session.scalars(query).one_or_none()


def forget_address(row: CameraRow) -> None:
    """Take out of the row of a camera that is removed what leads to it. Its port becomes its scheme's own."""
    row.sealed_url = None
    row.has_credential = False
    row.host, row.port, row.pin = "", DEFAULT_PORTS[row.scheme], ""


def _cameras() -> Select[CameraRow, ResourceRow]:
    return select(CameraRow, ResourceRow).join(ResourceRow, ResourceRow.camera_id == CameraRow.id)


def _camera(row: CameraRow, resource: ResourceRow) -> Camera:
    return Camera(
        id=CameraId(row.id),
        operator_id=OperatorId(row.operator_id),
        name=resource.name,
        group_path=resource.group_path,
        title=row.title,
        scheme=row.scheme,
        host=row.host,
        port=row.port,
        has_credential=row.has_credential,
        purpose=row.purpose,
        plain_exception=row.plain_exception,
        pin=row.pin,
        created_at=row.created_at,
        removed_at=row.removed_at,
        version=row.version,
    )
