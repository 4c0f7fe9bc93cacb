"""An operator that leaves a house with two cameras: every part of an off-boarding joined as the service joins them."""

import io
from collections.abc import Iterable
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from archive.keys.service import BucketKeys
from archive.recorder.camera import CameraRecorder
from archive.recorder.heads import Heads
from archive.segments.rules import Segment
from auth.principal import Granted, Right, Role
from auth.resources.rules import Resource
from auth.resources.store import ResourceStore
from streams.cameras.service import CameraService
from streams.cameras.store import CameraStore
from streams.cameras.tables import CameraRow
from tests.given.access import Access
from tests.given.consent import opt_in
from tests.given.footage import House
from tests.given.restored import gone_on_with, grants_of, people_of
from vms_privacy.approvals.rules import Decision, Proposal
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow
from vms_privacy.ids import GrantId
from vms_privacy.keyring.port import Purpose
from vms_privacy.off_boarding import manifest_store as manifests
from vms_privacy.off_boarding import store
from vms_privacy.off_boarding.listing import ManifestMaker
from vms_privacy.off_boarding.manifest_store import Manifest
from vms_privacy.off_boarding.rounds import OffBoardingRounds, Rooms
from vms_privacy.off_boarding.rules import Step
from vms_privacy.off_boarding.service import HowFar, OffBoardingService, Progress, nobody

INSTALLATION = "installation-1"
REASON = "the contract has ended and everything goes"


class Leaving:
    """Lets a house's operator leave, as its owner and a second person do, and as the worker carries it out."""

    def __init__(self, house: House, progress: Progress = nobody) -> None:
        self.house, self.db = house, house.db
        self.access = Access(house.db, house.randomness)
        self.service = OffBoardingService(
            house.audit,
            house.journal,
            house.clock,
            house.randomness,
            house.approvals,
            house.ledger,
            house.mandates,
            house.terms,
            progress,
        )
        self.cameras = CameraService(
            house.keyring, ResourceStore(), house.audit, house.clock, house.randomness, (), house.journal
        )
        self.maker = ManifestMaker(
            house.db, house.spool, house.store, house.keyring, house.audit, house.clock, INSTALLATION
        )
        rooms = Rooms(
            house.ledger,
            self.cameras,
            BucketKeys(house.keyring, house.keys, house.clock),
            house.receipts,
            grants_of(house),
            people_of(house),
        )
        self.rounds = OffBoardingRounds(house.db, house.journal, house.audit, house.clock, rooms, progress)

    def move_in(self) -> Resource:
        """Give the operator an owner with a grant, and two cameras that somebody could connect to."""
        self.access.grant(self.house.owner, Role.OWNER)
        second = self.access.camera(self.house.operator_id, "cam-2")
        for camera in (self.house.camera, second):
            self._add_row(camera)
        return second

    def record_on(self, camera: Resource, seconds: float = 2) -> None:
        """Record something of another camera of the house."""
        house = self.house
        with self.db.writing() as session:
            opt_in(house.ledger, session, house.clock, house.operator_id, camera.camera_id)
        recorder = CameraRecorder(
            house.tools,
            house.operator_id,
            camera.camera_id,
            house.finished.append,
            lambda camera_id, in_use: len(house.recovery.recover(camera_id, in_use).failed),
            Heads(self.db, house.ledger, house.clock),
        )
        mine, house.recorder = house.recorder, recorder
        house.record(seconds)
        house.recorder = mine
        house.delivery.deliver()

    def recorded(self) -> list[Segment]:
        """Record something of both cameras, and return all there is."""
        second = self.move_in()
        self.house.opt_in()
        self.house.record(4)
        self.record_on(second)
        return self.house.rows()

    @property
    def granted(self) -> Granted:
        """The owner's right over the whole operator."""
        house = self.house
        return Granted(house.owner, Right.ERASE, house.operator_id, None, GrantId(house.randomness.uuid()), 1)

    def begin(self) -> None:
        """Begin as two people do; the recorder hears of it."""
        with self.db.writing() as session:
            self.approve(session, self.service.propose(session, self.granted, REASON))
        self.house.recorder.ask_again()

    def approve(self, session: Session, proposal: Proposal, second: str = "") -> None:
        """Have another person say yes."""
        label = second or f"person:{self.house.randomness.uuid()}"
        self.house.approvals.decide(session, proposal, Decision.APPROVED, label, lambda _: True)

    def list_all(self) -> Manifest:
        """Have a manifest made, and return it signed."""
        with self.db.writing() as session:
            self.service.ask_for_manifest(session, self.granted)
        assert self.maker.round() == ""
        return self.list_again()

    def list_again(self) -> Manifest:
        """The signed manifest there is."""
        with self.db.reading() as session:
            return self.service.signed_manifest(session, self.house.operator_id)

    def confirm(self, digest: str) -> None:
        """Confirm a manifest as two people do."""
        with self.db.writing() as session:
            self.approve(session, self.service.propose_confirmation(session, self.granted, digest, REASON))

    def leave(self) -> None:
        """Begin, list and confirm."""
        self.begin()
        self.confirm(self.list_all().digest)

    def go_on(self) -> None:
        """Do whatever is left to do, from wherever it was stopped."""
        with self.db.reading() as session:
            present = store.present(session, self.house.operator_id)
        if present is None:
            self.begin()
            present = self.how_far().off_boarding
        if present.step is Step.BEGUN:
            self.confirm(self.list_all().digest)
        assert self.carry_out() == ""

    def carry_out(self) -> str:
        """What the worker does, once: its own steps, the engine, and its own steps again."""
        failed = [self.rounds.round(), *self.house.eraser.carry_out_mandates().failed.values(), self.rounds.round()]
        return ",".join(one for one in failed if one)

    def how_far(self) -> HowFar:
        with self.db.reading() as session:
            return self.service.how_far(session, self.house.operator_id)

    def document(self, manifest: Manifest) -> bytes:
        """The whole of a signed manifest."""
        assert manifest.head is not None
        out = io.BytesIO(manifest.head)
        out.seek(0, io.SEEK_END)
        with self.db.reading() as session:
            for one in manifests.entries(session, manifest.id):
                out.write(one.octets() + b"\n")
        return out.getvalue()

    def tags(self, *of: Tag) -> list[Tag]:
        """What the audit tells of; of these alone, if some are named."""
        with self.db.reading() as session:
            found = session.scalars(select(EventRow.tag)).all()
        return [Tag(one) for one in found if not of or Tag(one) in of]

    def events(self, tag: Tag) -> list[EventRow]:
        with self.db.reading() as session:
            return list(session.scalars(select(EventRow).where(EventRow.tag == tag)))

    def _add_row(self, camera: Resource) -> None:
        sealed = self.house.keyring.seal(Purpose.CAMERA_CREDENTIAL, b"rtsp://camera.example.org/one", b"test")
        row = CameraRow(
            id=camera.camera_id,
            operator_id=camera.operator_id,
            title=camera.name,
            scheme="rtsp",
            host="camera.example.org",
            port=554,
            sealed_url=sealed,
            has_credential=False,
            purpose="protection of the premises",
            plain_exception="a test",
            pin="",
            created_at=self.house.clock.now(),
            removed_at=None,
            version=1,
        )
        with self.db.writing() as session:
            CameraStore().add(session, row)


def leave_until_killed(step: Step, tells: Connection, url: str, folder: Path, now: datetime) -> None:
    """In a process of its own: leave, and stay at a step until the end."""
    with gone_on_with(url, folder, now) as house:

        def stay(reached: Step) -> None:
            if reached is step:
                tells.send(step)
                # Until it is killed: nobody ever sends anything.
                tells.poll(None)

        Leaving(house, stay).go_on()


def sizes(rows: Iterable[Segment]) -> int:
    """The bytes of some segments."""
    return sum(one.size_bytes or 0 for one in rows)
