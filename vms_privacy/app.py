"""Joining the parts. This is the only place where they meet; nothing is made before it is asked for.

Each part is one property, so that a story can replace exactly one of them by another real object.
"""

import threading
from collections.abc import AsyncGenerator
from datetime import datetime
from functools import cached_property
from typing import Final

from archive.blobs.folder_store import FolderStore
from archive.blobs.minio_store import S3Bucket
from archive.blobs.s3_place import S3Keys
from archive.blobs.s3_store import S3Store
from archive.blobs.store import BlobStore
from archive.check.service import Checker
from archive.erasure.service import Eraser
from archive.keys.service import BucketKeys
from archive.keys.wrap import SegmentKeys
from archive.playback.entrance import ArchiveEntrance
from archive.playback.service import Footage
from archive.receipts.service import ReceiptService
from archive.recorder.delivery import Delivery
from archive.recorder.recovery import Recovery
from archive.recorder.rows import Tools
from archive.recorder.service import RecorderService
from archive.retention.service import RetentionService
from auth.gate import Gate
from auth.grants.service import GrantService
from auth.identities.enrolment import Enrolment
from auth.identities.passwords import Passwords
from auth.identities.service import PersonService
from auth.media_sessions.door import MediaDoor
from auth.media_sessions.rules import Limits
from auth.media_sessions.service import MediaSessions
from auth.operators.service import OperatorService
from auth.resources.store import ResourceStore
from auth.revocation.view import RevocationView
from auth.sessions.memory import AccessMemory
from auth.sessions.service import LoginService
from auth.throttle import Throttle
from auth.tokens.handles import random_name
from auth.tokens.issuing import TokenIssuer
from auth.tokens.judging import GrantJudge
from auth.tokens.service import StreamTokens
from auth.tokens.signing import TokenSigner
from auth.tokens.withdrawing import TokenWithdrawals
from streams.cameras.service import CameraService
from streams.ingest.drawing import drawn, pictures
from streams.ingest.events import CameraEvents
from streams.ingest.service import IngestService
from streams.ingest.subscription import Item, Wants
from streams.live.channel import LiveLimits
from streams.live.service import LiveFeed, LiveService
from streams.media.fmp4 import Fragmenter
from streams.media.relay import Relay
from streams.media.wire import Trust
from vms_privacy.audit.anchor import Anchor
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.pseudonyms import Pseudonyms
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.audit.sealer import Sealer
from vms_privacy.clock import Clock, SystemClock
from vms_privacy.clock_care import ClockCare
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.db import Database
from vms_privacy.group_commit import GroupCommit
from vms_privacy.guarded_clock import GuardedClock
from vms_privacy.ids import CameraId, Randomness, SegmentId, SystemRandomness
from vms_privacy.journal.journal import Journal
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.folder_keyring import FolderKeyring
from vms_privacy.keyring.pkcs11_keyring import Pkcs11Keyring
from vms_privacy.keyring.pkcs11_token import Pkcs11Token
from vms_privacy.root_care import RootCare
from vms_privacy.settings import Settings

AUDIENCE: Final = "vms-privacy-streams"
TAP_BYTES: Final = 16 * 1024 * 1024


def s3_bucket(settings: Settings) -> S3Bucket:
    """Return the bucket that the settings name. Raises StoreDeniesAccess where the files with its keys are no good."""
    keys = S3Keys.read(settings.s3_access_key_file, settings.s3_secret_key_file)
    return S3Bucket(settings.bucket_place, keys)


class Assembly:
    """One service's parts, each made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def installation_id(self) -> str:
        return (self.settings.data_dir / "installation-id").read_text().strip()

    @cached_property
    def randomness(self) -> Randomness:
        return SystemRandomness()

    @cached_property
    def guarded_clock(self) -> GuardedClock:
        is_sqlite = self.db.engine.dialect.name == "sqlite"
        # An embedded database reads the same clock: it could not contradict it.
        return GuardedClock(SystemClock(), self.settings.data_dir / "clock-mark", None if is_sqlite else self.db.now)

    @cached_property
    def clock(self) -> Clock:
        return self.guarded_clock

    @cached_property
    def db(self) -> Database:
        return Database(self.settings.url)

    @cached_property
    def group(self) -> GroupCommit:
        return GroupCommit(self.db)

    @cached_property
    def keyring(self) -> FolderKeyring:
        folder, life, token = self.settings.keyring, self.settings.root_life, self.settings.token_place
        if token is None:
            return FileKeyring(folder, self.clock, self.randomness, life)
        return Pkcs11Keyring(folder, Pkcs11Token(token), self.clock, self.randomness, life)

    @cached_property
    def journal(self) -> Journal:
        return Journal.existing(self.settings.journal, self.clock)

    @cached_property
    def clock_care(self) -> ClockCare:
        return ClockCare(self.guarded_clock, self.db, self.audit)

    @cached_property
    def root_care(self) -> RootCare:
        return RootCare(self.keyring, self.journal, self.db, self.audit, self.clock, threading.Event().wait)

    @cached_property
    def anchor(self) -> Anchor:
        return Anchor(self.settings.anchor)

    @cached_property
    def audit(self) -> AuditLog:
        return AuditLog(self.db, self.randomness)

    @cached_property
    def sealer(self) -> Sealer:
        return Sealer(self.db, self.keyring, self.clock, self.anchor)

    @cached_property
    def refusals(self) -> RefusalCounter:
        return RefusalCounter(self.db, self.audit, self.clock)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        return Pseudonyms(self.keyring, self.clock)

    @cached_property
    def ledger(self) -> ConsentLedger:
        return ConsentLedger(self.audit, self.clock, self.randomness, self.journal, ResourceStore())

    # -- auth

    @cached_property
    def gate(self) -> Gate:
        return Gate(self.db, self.clock, self.audit, self.refusals)

    @cached_property
    def throttle(self) -> Throttle:
        return Throttle(self.clock)

    @cached_property
    def passwords(self) -> Passwords:
        return Passwords(self.randomness)

    @cached_property
    def operators(self) -> OperatorService:
        return OperatorService(self.audit, self.clock, self.randomness)

    @cached_property
    def grants(self) -> GrantService:
        return GrantService(self.audit, self.journal, self.clock, self.randomness)

    @cached_property
    def people(self) -> PersonService:
        return PersonService(self.audit, self.journal, self.clock, self.randomness, self.grants, self.access_memory)

    @cached_property
    def access_memory(self) -> AccessMemory:
        return AccessMemory(self.clock)

    @cached_property
    def logins(self) -> LoginService:
        return LoginService(
            self.db,
            self.clock,
            self.randomness,
            self.passwords,
            self.audit,
            self.throttle,
            self.refusals,
            self.access_memory,
        )

    @cached_property
    def enrolment(self) -> Enrolment:
        return Enrolment(
            self.db,
            self.clock,
            self.randomness,
            self.passwords,
            self.audit,
            self.throttle,
            self.refusals,
            self.access_memory,
        )

    @cached_property
    def revocation(self) -> RevocationView:
        return RevocationView(self.clock)

    @cached_property
    def judge(self) -> GrantJudge:
        return GrantJudge(self.db, self.clock, self.revocation)

    @cached_property
    def signer(self) -> TokenSigner:
        return TokenSigner(self.keyring, self.clock, f"vms-privacy:{self.installation_id}", AUDIENCE)

    @cached_property
    def tokens(self) -> StreamTokens:
        return StreamTokens(self.db, self.clock, self.signer, self.judge, self.audit, self.refusals, self.revocation)

    @cached_property
    def issuer(self) -> TokenIssuer:
        return TokenIssuer(
            self.db.engine.dialect, self.group, self.clock, self.randomness, self.signer, self.judge, self.audit
        )

    @cached_property
    def withdrawals(self) -> TokenWithdrawals:
        return TokenWithdrawals(self.db, self.clock, self.signer, self.judge, self.audit, self.journal, self.revocation)

    @cached_property
    def sessions(self) -> MediaSessions:
        return MediaSessions(self.group, self.clock, self.randomness, self.audit, self.revocation, self.judge, Limits())

    @cached_property
    def door(self) -> MediaDoor:
        return MediaDoor(self.tokens, self.sessions)

    # -- streams

    @cached_property
    def cameras(self) -> CameraService:
        networks = self.settings.camera_networks
        return CameraService(self.keyring, ResourceStore(), self.audit, self.clock, self.randomness, networks)

    @cached_property
    def relay(self) -> Relay:
        return Relay(self.clock, self.randomness, Trust(), self.settings.camera_networks)

    @cached_property
    def ingest(self) -> IngestService:
        return IngestService(self.relay, self.clock, self.randomness, Fragmenter)

    @cached_property
    def camera_events(self) -> CameraEvents:
        return CameraEvents(self.db, self.audit, self.clock)

    def feed_of(self, camera_id: CameraId) -> LiveFeed:
        """Return the fragments of a camera for its live channel."""
        return pictures(self.ingest.tap(camera_id).subscribe("live", Wants.FRAGMENTS, TAP_BYTES))

    def recorder_feed_of(self, camera_id: CameraId) -> AsyncGenerator[Item, None]:
        """Return the fragments of a camera for its recorder, which is told when the camera is lost."""
        return drawn(self.ingest.tap(camera_id).subscribe("recorder", Wants.FRAGMENTS, TAP_BYTES, tells_loss=True))

    @cached_property
    def live(self) -> LiveService:
        return LiveService(self.feed_of, self._live_audio_until, self.clock, self.live_limits)

    @cached_property
    def live_limits(self) -> LiveLimits:
        return LiveLimits(ring_seconds=self.settings.ring.total_seconds())

    def _live_audio_until(self, camera_id: CameraId) -> datetime | None:
        with self.db.reading() as session:
            return self.ledger.live_audio_until(session, camera_id)

    # -- archive

    @cached_property
    def keys(self) -> SegmentKeys:
        return SegmentKeys(self.keyring, self.randomness, self.clock)

    @cached_property
    def buckets(self) -> BucketKeys:
        return BucketKeys(self.keyring, self.keys, self.clock)

    @cached_property
    def store(self) -> BlobStore:
        if self.settings.store == "folder":
            return FolderStore(self.settings.archive)
        store = S3Store(s3_bucket(self.settings), self.settings.bucket_terms)
        store.refuse_at_start()
        return store

    @cached_property
    def retention(self) -> RetentionService:
        return RetentionService(self.audit, self.journal, self.clock, self.randomness)

    @cached_property
    def recorder_tools(self) -> Tools:
        return Tools(
            self.db,
            self.ledger,
            self.retention,
            self.keys,
            self.clock,
            self.randomness,
            self.settings.spool,
            lambda: random_name(self.randomness),
        )

    @cached_property
    def recovery(self) -> Recovery:
        return Recovery(self.db, self.keys, self.settings.spool, self.audit, self.clock)

    @cached_property
    def delivery(self) -> Delivery:
        return Delivery(self.db, self.settings.spool, self.store)

    @cached_property
    def recorder(self) -> RecorderService:
        return RecorderService(self.recorder_tools, self.recovery, self.delivery)

    @cached_property
    def footage(self) -> Footage:
        return Footage(self.db, self.clock, self.keys, self.settings.spool, self.store, self.recorder.growing)

    @cached_property
    def archive_entrance(self) -> ArchiveEntrance:
        return ArchiveEntrance(self.db, self.gate, self.door, self.tokens, self.sessions, self.pseudonyms, self.clock)

    @cached_property
    def eraser(self) -> Eraser:
        return Eraser(
            self.db,
            self.buckets,
            self.store,
            self.settings.spool,
            self.journal,
            self.audit,
            self.clock,
            self.randomness,
            (self.footage, self.delivery),
        )

    def growing_segment(self, camera_id: CameraId) -> SegmentId | None:
        """Return which segment of a camera this process is writing."""
        growing = self.recorder.growing(camera_id)
        return None if growing is None else growing.segment_id

    def checker(self, *, is_service: bool) -> Checker:
        """Return what accounts for everything; only the service itself knows what is being written."""
        return Checker(
            self.db,
            self.keyring,
            self.store,
            self.settings.spool,
            self.clock,
            self.settings.sweep_every,
            self.growing_segment if is_service else None,
        )

    @cached_property
    def receipts(self) -> ReceiptService:
        return ReceiptService(
            self.keyring,
            self.audit,
            self.clock,
            self.randomness,
            self.installation_id,
            root_life=self.settings.root_life,
        )
