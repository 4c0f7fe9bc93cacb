"""Registering, changing and removing cameras, and opening a camera's address for the relay alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from auth.errors import NotFound, OperatorIsLeaving, StaleVersion
from auth.principal import Principal
from auth.resources.store import ResourceStore
from streams.address import Network, RtspAddress, parse_address
from streams.cameras.rules import Camera, CameraSource, check_place, check_transport, read_fingerprint
from streams.cameras.store import CameraStore, forget_address
from streams.cameras.tables import CameraRow
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import after_commit
from vms_privacy.ids import CameraId, OperatorId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.port import Keyring, Purpose

_SEALED_FOR: Final = b"camera-address:"


@dataclass(frozen=True, slots=True)
class NewCamera:
    """A camera to register. `url` may hold user and password; `pin` is a certificate's SHA-256 fingerprint."""

    name: str
    url: str = field(repr=False)
    purpose: str
    title: str = ""
    group_path: str = ""
    plain_exception: str = ""
    pin: str = ""


@dataclass(frozen=True, slots=True)
class CameraChanges:
    """What is to be changed; None leaves it as it is. Without `url` the address stays, credential included."""

    url: str | None = field(default=None, repr=False)
    purpose: str | None = None
    title: str | None = None
    plain_exception: str | None = None
    pin: str | None = None


class CameraService:
    """Takes a session, never commits. What it was told to call hears of each change once it is committed.

    `listener_failures` counts those that raised then: the change stands, and the others hear of it all the same.
    """

    def __init__(
        self,
        keyring: Keyring,
        resources: ResourceStore,
        audit: AuditLog,
        clock: Clock,
        randomness: Randomness,
        networks: Sequence[Network],
        journal: Journal,
    ) -> None:
        self._journal = journal
        self._networks = tuple(networks)
        self._keyring = keyring
        self._resources = resources
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._cameras = CameraStore()
        self._listeners: list[Callable[[CameraId], None]] = []
        self.listener_failures = 0

    def on_change(self, listener: Callable[[CameraId], None]) -> None:
        """Call `listener` after the commit of each creation, change of address, and removal, in that thread."""
        self._listeners.append(listener)

    def create(self, session: Session, actor: Principal, operator_id: OperatorId, new: NewCamera) -> CameraId:
        """Register a camera. Nothing is recorded of it: that takes an opt-in of its own (P1).

        Raises NameIsTaken, BadCameraAddress, AddressNotAllowed, PlainNeedsException, KeyringUnavailable,
        OperatorIsLeaving.
        """
        if self._resources.is_leaving(session, operator_id):
            raise OperatorIsLeaving
        address = parse_address(new.url)
        check_place(address, self._networks)
        pin = read_fingerprint(new.pin)
        check_transport(address, new.plain_exception, pin)
        camera_id = CameraId(self._randomness.uuid())
        now = self._clock.now()
        self._resources.register(session, camera_id, operator_id, new.name, new.group_path)
        row = CameraRow(
            id=camera_id,
            operator_id=operator_id,
            title=new.title or new.name,
            purpose=new.purpose,
            plain_exception=new.plain_exception,
            pin=pin,
            created_at=now,
            removed_at=None,
            version=1,
        )
        self._put_address(row, camera_id, new.url, address)
        self._cameras.add(session, row)
        self._note(session, Tag.CAMERA_CREATED, now, actor, row, encrypted=address.is_encrypted)
        return camera_id

    def change(
        self,
        session: Session,
        actor: Principal,
        camera_id: CameraId,
        changes: CameraChanges,
        version: int | None = None,
    ) -> None:
        """Change what is not None.

        Raises NotFound, StaleVersion, BadCameraAddress, AddressNotAllowed, PlainNeedsException.
        """
        row = self._living(session, camera_id)
        if version is not None and version != row.version:
            raise StaleVersion(row.version)
        url = changes.url if changes.url is not None else self._opened(row)
        address = parse_address(url)
        if changes.url is not None:
            check_place(address, self._networks)
        row.pin = row.pin if changes.pin is None else read_fingerprint(changes.pin)
        row.plain_exception = row.plain_exception if changes.plain_exception is None else changes.plain_exception
        check_transport(address, row.plain_exception, row.pin)
        row.purpose = row.purpose if changes.purpose is None else changes.purpose
        row.title = row.title if changes.title is None else changes.title
        row.version += 1
        if changes.url is not None:
            self._put_address(row, camera_id, url, address)
        session.flush()
        self._note(session, Tag.CAMERA_CHANGED, self._clock.now(), actor, row, address=changes.url is not None)

    def remove(self, session: Session, actor: Principal, camera_id: CameraId) -> None:
        """Take no more pictures from a camera and forget where it is. What it recorded stays until it is destroyed.

        Raises NotFound; JournalUnavailable, JournalIsDamaged.
        """
        row = self._living(session, camera_id)
        now = self._clock.now()
        row.removed_at = now
        forget_address(row)
        row.version += 1
        self._resources.remove(session, camera_id, now)
        self._note(session, Tag.CAMERA_REMOVED, now, actor, row)
        # Last, before the answer: in a restored older database the camera would be connected to, and recorded, again.
        facts = {"operator": str(row.operator_id), "camera": str(camera_id)}
        self._journal.append(JournalKind.CAMERA_REMOVED, facts)

    def get(self, session: Session, camera_id: CameraId) -> Camera:
        """Return a camera, removed or not. Raises NotFound."""
        camera = self._cameras.by_id(session, camera_id)
        if camera is None:
            raise NotFound
        return camera

    def listing(self, session: Session, operator_id: OperatorId) -> list[Camera]:
        """Return an operator's living cameras by name."""
        return self._cameras.of_operator(session, operator_id)

    def source_of(self, session: Session, camera_id: CameraId) -> CameraSource:
        """Open a camera's address for the relay. Raises NotFound, WrapIsDamaged."""
        row = self._cameras.living_row(session, camera_id)
        if row is None:
            raise NotFound
        return CameraSource(camera_id, OperatorId(row.operator_id), parse_address(self._opened(row)), row.pin or None)

    def living(self, session: Session) -> list[CameraId]:
        """Return all living cameras, no address opened: what is started when the service starts."""
        return self._cameras.living(session)

    def _put_address(self, row: CameraRow, camera_id: CameraId, url: str, address: RtspAddress) -> None:
        row.scheme, row.host, row.port = address.scheme, address.host, address.port
        row.has_credential = address.user is not None
        row.sealed_url = self._keyring.seal(Purpose.CAMERA_CREDENTIAL, url.encode(), _SEALED_FOR + camera_id.bytes)

    def _opened(self, row: CameraRow) -> str:
        if row.sealed_url is None:
            raise NotFound
        context = _SEALED_FOR + CameraId(row.id).bytes
        return self._keyring.open(Purpose.CAMERA_CREDENTIAL, row.sealed_url, context).decode()

    def _living(self, session: Session, camera_id: CameraId) -> CameraRow:
        row = self._cameras.row(session, camera_id)
        if row is None or row.removed_at is not None:
            raise NotFound
        return row

    def _note(self, session: Session, tag: Tag, at: datetime, actor: Principal, row: CameraRow, **detail: bool) -> None:
        camera_id = CameraId(row.id)
        event = Event(
            tag=tag,
            at=at,
            actor=actor.label,
            operator_id=OperatorId(row.operator_id),
            camera_id=camera_id,
            detail={"version": row.version, **detail},
        )
        self._audit.note(session, event)
        after_commit(session, lambda: self._tell(camera_id))

    def _tell(self, camera_id: CameraId) -> None:
        for listener in self._listeners:
            try:
                listener(camera_id)
            except Exception:  # noqa: BLE001 - the change is committed; one deaf listener must not silence the others
                self.listener_failures += 1
