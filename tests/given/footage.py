"""The whole archive over a folder, a real keyring and journal, and fragments of real streams; the clock by hand."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from archive.blobs.folder_store import FolderStore
from archive.blobs.rules import DEFAULT_STORE
from archive.blobs.store import BlobStore
from archive.check import Checker, CheckReport, Depth, Finding
from archive.check.audited import CheckAudit
from archive.check.memory import Memory
from archive.check.mending import Mender, MendReport
from archive.check.opening import Decoding, Opening
from archive.check.service import Progress as CheckProgress
from archive.check.service import tell_nobody
from archive.erasure.rules import Step
from archive.erasure.service import Eraser
from archive.erasure.tools import Progress
from archive.erasure.tools import Tools as EraserTools
from archive.erasure.unused_keys import UnusedKeys, destroy_unused_keys
from archive.forecast.service import Forecaster
from archive.keys.rules import permit_from
from archive.keys.service import BucketKeys
from archive.keys.wrap import SegmentKeys
from archive.mandates.edges import Edges
from archive.mandates.rules import Cause, NewMandate
from archive.mandates.service import MandateService
from archive.orders.rules import Ground, NewOrder, Order, OrderKind
from archive.orders.service import RIGHT_FOR, OrderService, Placed
from archive.playback.opening import Look
from archive.playback.service import Footage
from archive.receipts.monthly import MonthlySummaries
from archive.receipts.service import ReceiptService
from archive.recorder.camera import CameraRecorder
from archive.recorder.delivery import Delivery
from archive.recorder.heads import Heads
from archive.recorder.recovery import Recovery
from archive.recorder.regions import RegionStores
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.recorder.start import StartReport, bring_in_order
from archive.recorder.tools import Tools
from archive.retention.service import RetentionService
from archive.retention.terms import OperatorTerms
from archive.segments import gaps
from archive.segments.rules import Segment, Span
from auth.operators.tables import OperatorRow
from auth.principal import Granted, Right
from auth.resources.rules import Resource
from auth.resources.store import ResourceStore
from auth.tokens.handles import random_name
from auth.tokens.rules import Purpose
from streams.media.packets import Fragment, Packet, Track
from streams.media.trial import DecodeTrial
from tests.given.access import Access
from tests.given.clock import HandClock
from tests.given.consent import opt_in
from tests.given.encoded import START_US, Encoded, encoded
from tests.given.fragmented import fragments_of
from tests.given.keyrings import KeyringPlace
from tests.given.randomness import CountedRandomness
from tests.given.rows import every
from vms_privacy.approvals.rules import Decision
from vms_privacy.approvals.service import Approvals
from vms_privacy.audit.log import AuditLog
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.rules import ConsentKind
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, GrantId, OperatorId, PersonId, Randomness, SegmentId, WorkerId
from vms_privacy.journal.journal import Journal
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.folder_keyring import FolderKeyring
from vms_privacy.keyring.port import Keyring
from vms_privacy.recording_times.rules import read_stretch
from vms_privacy.recording_times.service import RecordingTimes

RUN = "run-1"
_ALL = Span(0, 2**60)


def _does_not_tell(ours: int) -> int | None:
    """How much a store holds that does not say so."""
    return None


class House:
    """One operator, one camera, and every part of the archive joined as the service joins them."""

    def __init__(
        self,
        db: Database,
        clock: HandClock,
        folder: Path,
        randomness: Randomness | None = None,
        place: KeyringPlace | None = None,
    ) -> None:
        """Make a house, or go on in one that another process has made; `place` is where else its keyring is."""
        self.db, self.clock, self.folder = db, clock, folder
        self.randomness = randomness or CountedRandomness("house")
        self.spool = folder / "spool"
        self.worker = WorkerId(UUID(int=1))
        access = Access(db, self.randomness)
        if self.spool.exists():
            self.keyring: FolderKeyring = FileKeyring(folder / "keyring", clock, self.randomness)
            self.store: BlobStore = FolderStore(folder / "archive")
            with db.reading() as session:
                found = ResourceStore().by_name(session, "north-gate", "cam-1") or _of_whoever_left(session)
            self.operator_id, self.camera = found.operator_id, found
        else:
            self.spool.mkdir()
            place = place or KeyringPlace(folder / "keyring", randomness=self.randomness)
            self.keyring = place.create(clock)
            self.store = FolderStore.create(folder / "archive")
            self.operator_id = access.operator("north-gate")
            self.camera = access.camera(self.operator_id, "cam-1")
        self.regions = {"here": DEFAULT_STORE}
        self.audit = AuditLog(db, self.randomness)
        self.capacity: Callable[[int], int | None] = _does_not_tell
        self.capacities: dict[str, Callable[[int], int | None]] = {}
        self.owner = access.person(self.operator_id, f"owner-{self.randomness.octets(4).hex()}@example.org")
        self.join()

    def join(self) -> None:
        """Make and join the parts that a process has, over what outlives it."""
        db, clock = self.db, self.clock
        self.journal = Journal(self.folder / "journal", clock)
        self.seen: dict[CameraId, int] = {}
        self.room = Forecaster(clock, self._capacity, self.seen.get, list(self.regions.values()), self._store_for)
        self.ledger = ConsentLedger(self.audit, clock, self.randomness, self.journal, ResourceStore(), self.room)
        self.approvals = Approvals(self.audit, clock, self.randomness)
        self.times = RecordingTimes(self.audit, self.journal, clock, self.randomness, self.room)
        self.retention = RetentionService(self.audit, self.journal, clock, self.randomness, self.approvals, self.room)
        self.keys = SegmentKeys(self.keyring, self.randomness, clock)
        self.decoding = DecodeTrial()
        self.finished: list[SegmentId] = []
        self.recovery = Recovery(db, self.keys, self.spool, self.audit, clock, self.randomness)
        self.delivery = Delivery(db, self.spool, self.store)
        self.tools = Tools(
            db,
            self.ledger,
            self.retention,
            self.keys,
            clock,
            self.randomness,
            self.spool,
            self._name,
            self._store_for,
        )
        self.recorder = self.new_recorder()
        self.footage = Footage(db, clock, self.keys, self.spool, self.store, lambda _: self.recorder.growing())
        self.orders = OrderService(self.audit, self.journal, clock, self.randomness, self.approvals)
        self.receipts = ReceiptService(self.keyring, self.audit, clock, self.randomness, "installation-1")
        self.terms = OperatorTerms(self.retention, self.audit, self.journal, clock, self.randomness)
        self.edges = Edges(self.keys, self.spool, self.store, self.randomness, self._name)
        self.mandates = MandateService(
            self.audit, self.journal, clock, self.randomness, self.approvals, self.edges, self.terms
        )
        self.summaries = self.new_summaries()
        self.steps: list[Step] = []
        self.progress: Progress = self.steps.append
        self.eraser = self.new_eraser()

    def _capacity(self, store: str, ours: int) -> int | None:
        return self.capacities.get(store, self.capacity)(ours)

    def _store_for(self, session: Session, operator_id: OperatorId) -> str | None:
        return RegionStores(self.regions).store_for(session, operator_id)

    def new_recorder(self) -> CameraRecorder:
        return CameraRecorder(
            self.tools,
            self.operator_id,
            self.camera.camera_id,
            self.finished.append,
            lambda camera_id, in_use: len(self.recovery.recover(camera_id, in_use).failed),
            Heads(self.db, self.ledger, self.clock),
        )

    def new_summaries(self, keyring: Keyring | None = None) -> MonthlySummaries:
        sweep_every = timedelta(seconds=60)
        return MonthlySummaries(
            self.db, keyring or self.keyring, self.receipts, self.audit, self.clock, self.randomness, sweep_every
        )

    def new_eraser(self) -> Eraser:
        return Eraser(
            EraserTools(
                self.db,
                self.keys,
                BucketKeys(self.keyring, self.keys, self.clock),
                self.store,
                self.spool,
                self.journal,
                self.audit,
                self.clock,
                self.randomness,
                self.worker,
                self.edges,
                self.terms,
                (self.footage, self.delivery),
                self.progress,
            )
        )

    def checker(
        self,
        progress: CheckProgress = tell_nobody,
        decoding: Decoding | None = None,
        *,
        remembers: bool = False,
        at_once: int = 1,
    ) -> Checker:
        sweep_every = timedelta(seconds=60)
        audit = CheckAudit(self.db, self.audit, self.clock)
        return Checker(
            self.db,
            self.keyring,
            self.store,
            self.spool,
            self.clock,
            sweep_every,
            self.writes,
            progress,
            None if decoding is None else Opening(self.keys, decoding, audit.opens_files),
            Memory(self.db, self.clock) if remembers else None,
            audit if remembers else None,
            at_once,
        )

    def check(self, depth: Depth = Depth.SEALS) -> CheckReport:
        try:
            return self.checker(decoding=self.decoding).check(depth)
        finally:
            self.decoding.close()

    def mend(self, findings: Sequence[Finding], *, beside_a_service: bool = True) -> MendReport:
        """Mend what a check found, beside a running service or while none runs."""
        audit = CheckAudit(self.db, self.audit, self.clock)
        unused_keys = None if beside_a_service else self.destroy_unused_keys
        return Mender(self.db, self.store, self.spool, audit, self.clock, unused_keys).mend(findings)

    def destroy_unused_keys(self) -> UnusedKeys:
        buckets = BucketKeys(self.keyring, self.keys, self.clock)
        return destroy_unused_keys(self.db, buckets, self.store, self.spool, self.journal, self.audit, self.clock)

    def writes(self, camera_id: CameraId) -> SegmentId | None:
        growing = self.recorder.growing()
        return None if growing is None else growing.segment_id

    def opt_in(self, kind: ConsentKind = ConsentKind.VIDEO_RECORDING) -> None:
        with self.db.writing() as session:
            opt_in(self.ledger, session, self.clock, self.operator_id, self.camera.camera_id, kind)
        self.recorder.ask_again()

    def opt_in_until(self, session: Session, until: datetime, kind: ConsentKind = ConsentKind.VIDEO_RECORDING) -> None:
        opt_in(self.ledger, session, self.clock, self.operator_id, self.camera.camera_id, kind, until)

    def withdraw(self) -> None:
        with self.db.writing() as session:
            self.ledger.withdraw(
                session, self.owner.label, self.operator_id, self.camera.camera_id, ConsentKind.VIDEO_RECORDING
            )
        self.recorder.ask_again()

    def granted(self, right: Right = Right.RETAIN) -> Granted:
        return Granted(self.owner, right, self.operator_id, self.camera.camera_id, GrantId(self.randomness.uuid()), 1)

    def keep_for(self, keep_for: timedelta) -> None:
        with self.db.writing() as session:
            self.retention.set(session, self.granted(), keep_for, "the court asked for it in writing")
        self.recorder.ask_again()

    def record_at(self, *stretches: str, zone: str = "UTC", tell: bool = True) -> None:
        """Set recording times, each stretch such as `mon+tue=08:00-18:00`."""
        wanted = [read_stretch(one) for one in stretches]
        with self.db.writing() as session:
            self.times.set(session, self.owner.label, self.operator_id, self.camera.camera_id, zone, wanted)
        if tell:
            self.recorder.ask_again()

    def look(self, window: Span | None = None, case_person: PersonId | None = None) -> Look:
        permit = permit_from(self.granted(Right.ARCHIVE), Purpose.ARCHIVE_VIEW)
        return Look(self.camera.camera_id, window or _ALL, None, permit, case_person)

    def order(
        self, kind: OrderKind = OrderKind.HOLD, span: Span = _ALL, people: frozenset[PersonId] = frozenset()
    ) -> Placed:
        """Place a hold or a restriction as the owner does, over everything if no stretch is named."""
        is_hold = kind is OrderKind.HOLD
        new = NewOrder(
            kind=kind,
            camera_id=self.camera.camera_id,
            from_us=span.from_us,
            until_us=span.until_us,
            case="2026/17",
            ground=Ground.COURT_ORDER if is_hold else Ground.OBJECTION_PENDING,
            authority="district court",
            reason="an accident at the gate",
            review_at=self.clock.now() + timedelta(days=30),
            people=people,
        )
        with self.db.writing() as session:
            return self.orders.place(session, self.granted(RIGHT_FOR[kind]), new)

    def lift(self, order: Order) -> None:
        """Lift an order as two people do."""
        with self.db.writing() as session:
            proposal = self.orders.propose_lifting(
                session,
                self.granted(RIGHT_FOR[order.kind]),
                order.kind,
                order.id,
                "the case is closed",
                self.clock.now() if order.kind is OrderKind.RESTRICTION else None,
            )
            second = f"person:{self.randomness.uuid()}"
            self.approvals.decide(session, proposal, Decision.APPROVED, second, lambda _: True)

    def mandate(self, span: Span, cause: Cause = Cause.REQUEST, reference: str = "request 17") -> None:
        """Have a stretch destroyed, as two people do."""
        new = NewMandate(self.camera.camera_id, span, cause, reference, "the person is to be seen in it")
        with self.db.writing() as session:
            proposal = self.mandates.propose(session, self.granted(Right.ERASE), new)
            second = f"person:{self.randomness.uuid()}"
            self.approvals.decide(session, proposal, Decision.APPROVED, second, lambda _: True)

    def fragments(self, seconds: float, offset_s: float = 1.0, *, audio: bool = False, **form: Any) -> list[Fragment]:
        """Fragments of a real stream whose first packet arrives `offset_s` after the present moment of the clock."""
        stream = encoded(seconds, gop=25, audio=audio, **form)
        shift_us = micros(self.clock.now()) - START_US + round(offset_s * 1_000_000)
        moved = [_moved(packet, shift_us) for packet in stream.packets]
        return fragments_of(stream.epoch(1), moved)

    def record(self, seconds: float, *, audio: bool = False, close: bool = True, **form: Any) -> list[Fragment]:
        """Feed a stream of some seconds from now on; the clock follows it. Returns the fragments that were fed."""
        stream, fed = self.stream(seconds, audio=audio, **form)
        self.recorder.begin(f"{RUN}-{micros(self.clock.now())}", stream.epoch(1))
        self.take(fed)
        if close:
            self.close()
        return fed

    def stream(self, seconds: float, *, audio: bool = False, **form: Any) -> tuple[Encoded, list[Fragment]]:
        """Return a real stream that begins now, and its fragments; `form` is what `encoded` takes."""
        return encoded(seconds, gop=25, audio=audio, **form), self.fragments(seconds, audio=audio, **form)

    def record_in_turn(self, count: int) -> list[Segment]:
        """Some segments in the store, each half a minute after the one before; they are kept for two minutes."""
        self.opt_in()
        self.keep_for(timedelta(minutes=2))
        for _ in range(count):
            self.record(2)
            self.clock.forward(timedelta(seconds=27))
        self.delivery.deliver()
        return self.rows()

    def take(self, fragments: Sequence[Fragment]) -> None:
        """Feed fragments, each when the last of its packets arrives."""
        for fragment in fragments:
            self.clock.forward(timedelta(microseconds=max(0, fragment.last_arrived_at_us - micros(self.clock.now()))))
            self.recorder.take(fragment)

    def rows(self) -> list[Segment]:
        with self.db.reading() as session:
            return every(session)

    def gaps(self) -> list[tuple[int, int | None, str]]:
        """Since when, until when and why nothing was recorded."""
        with self.db.reading() as session:
            found = gaps.touching(session, self.camera.camera_id, _ALL)
        return [(gap.from_us, gap.until_us, gap.why) for gap in found]

    def shown(self) -> list[int]:
        """When each fragment that can be played was captured."""
        parts = self.footage.find(self.look(), _ALL)
        return [entry.captured_from_us for part in parts for entry in part.entries if entry.track is Track.VIDEO]

    @property
    def is_in_order(self) -> bool:
        return [str(one) for one in self.check().findings] == []

    def close(self) -> None:
        """End the run, as a camera does that goes away."""

        self.recorder.lost(Why.CAMERA_LOST)

    def kill(self) -> None:
        """Let go of everything that is open, as a kill does: nothing is closed, nothing is finished."""
        if self.recorder._file is not None:
            self.recorder._file.abandon()
        self.journal.close()
        self.decoding.close()

    def revive(self) -> StartReport:
        """Start again over what a kill has left, as the service does."""
        self.kill()
        self.join()
        report = self.start()
        self.recorder.ask_again()
        return report

    def start(self) -> StartReport:
        """What the service does at its start, before anything records or erases."""
        buckets = BucketKeys(self.keyring, self.keys, self.clock)
        return bring_in_order(self.tools, self.recovery, buckets, self.store, self.journal, self.audit)

    def _name(self) -> str:
        return random_name(self.randomness)


def _of_whoever_left(session: Session) -> Resource:
    """The first camera of an operator that is closed: it has its name no more."""
    operator_id = session.scalars(select(OperatorRow.id).where(OperatorRow.closed_at.is_not(None))).one()
    return ResourceStore().of_operator(session, OperatorId(operator_id), even_removed=True)[0]


def _moved(packet: Packet, shift_us: int) -> Packet:
    return replace(
        packet, arrived_at_us=packet.arrived_at_us + shift_us, captured_at_us=packet.captured_at_us + shift_us
    )
