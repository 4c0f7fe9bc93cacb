"""The parts that keep footage, show it and destroy it."""

from collections.abc import Mapping
from functools import cached_property
from uuid import UUID

from archive.blobs.folder_store import FolderStore
from archive.blobs.minio_store import S3Bucket
from archive.blobs.router import StoreRouter
from archive.blobs.s3_place import S3Keys
from archive.blobs.s3_store import S3Store
from archive.blobs.store import BlobStore
from archive.blobs.store_places import InBucket, InFolder, StorePlace
from archive.check.service import Checker
from archive.erasure.service import Eraser
from archive.erasure.tools import Tools
from archive.forecast.service import Forecaster
from archive.keys.service import BucketKeys
from archive.keys.wrap import SegmentKeys
from archive.mandates.edges import Edges
from archive.mandates.service import MandateService
from archive.orders.service import OrderService
from archive.orders.standing import LiveRestrictions
from archive.playback.entrance import ArchiveEntrance
from archive.playback.service import Footage
from archive.receipts.monthly import MonthlySummaries
from archive.receipts.service import ReceiptService
from archive.recorder.delivery import Delivery
from archive.recorder.recovery import Recovery
from archive.recorder.regions import RegionStores
from archive.recorder.service import RecorderService
from archive.recorder.tools import Tools as RecorderTools
from archive.retention.replay import Shortenings
from archive.retention.service import RetentionService
from archive.retention.terms import OperatorTerms
from archive.segments.store_names import RowStores
from auth.grants.replay import Revocations
from auth.tokens.handles import random_name
from vms_privacy.app.streams import StreamParts
from vms_privacy.custody.service import Custody, Rooms
from vms_privacy.ids import CameraId, SegmentId, WorkerId


def open_store(place: StorePlace) -> BlobStore:
    """Return a store that is marked as one. Raises StoreUnavailable; what is set up wrong does not start."""
    if isinstance(place.lies_in, InFolder):
        return FolderStore(place.lies_in.folder, place.capacity_bytes)
    store = S3Store(_bucket(place.lies_in), place.bucket_terms)
    store.refuse_at_start()
    return store


def make_store(place: StorePlace) -> None:
    """Mark an empty folder or bucket as a store. Raises FileExistsError where something is in it, StoreUnavailable."""
    if isinstance(place.lies_in, InFolder):
        FolderStore.create(place.lies_in.folder)
    else:
        S3Store.create(_bucket(place.lies_in), place.bucket_terms)


def _bucket(where: InBucket) -> S3Bucket:
    """Raises StoreDeniesAccess where the files with its keys are no good."""
    return S3Bucket(where.bucket, S3Keys.read(where.access_key_file, where.secret_key_file))


class ArchiveParts(StreamParts):
    """What is kept, sealed, and how it goes away."""

    @cached_property
    def keys(self) -> SegmentKeys:
        return SegmentKeys(self.keyring, self.randomness, self.clock)

    @cached_property
    def buckets(self) -> BucketKeys:
        return BucketKeys(self.keyring, self.keys, self.clock)

    @cached_property
    def stores(self) -> Mapping[str, BlobStore]:
        return {place.name: open_store(place) for place in self.store_places}

    @cached_property
    def store(self) -> BlobStore:
        return StoreRouter(self.stores, RowStores(self.db))

    @cached_property
    def region_stores(self) -> RegionStores:
        return RegionStores({place.region: place.name for place in self.store_places})

    @cached_property
    def room(self) -> Forecaster:
        return Forecaster(
            self.clock,
            self._capacity,
            self._seen_bytes_per_s,
            [place.name for place in self.store_places],
            self.region_stores.store_for,
        )

    def _capacity(self, store: str, ours: int) -> int | None:
        """Ask a store once somebody wants to know: what asks for room is made before it."""
        return self.stores[store].capacity(ours)

    def _seen_bytes_per_s(self, camera_id: CameraId) -> int | None:
        """Ask the recorder, which is made of what asks for room."""
        return self.recorder.seen_bytes_per_s(camera_id)

    @cached_property
    def retention(self) -> RetentionService:
        return RetentionService(self.audit, self.journal, self.clock, self.randomness, self.approvals, self.room)

    @cached_property
    def retention_terms(self) -> OperatorTerms:
        return OperatorTerms(self.retention, self.audit, self.journal, self.clock, self.randomness)

    @cached_property
    def orders(self) -> OrderService:
        return OrderService(self.audit, self.journal, self.clock, self.randomness, self.approvals)

    @cached_property
    def edges(self) -> Edges:
        return Edges(self.keys, self.settings.spool, self.store, self.randomness, self.name_blob)

    @cached_property
    def mandates(self) -> MandateService:
        return MandateService(
            self.audit, self.journal, self.clock, self.randomness, self.approvals, self.edges, self.retention_terms
        )

    def name_blob(self) -> str:
        """Return a name that no file ever had."""
        return random_name(self.randomness)

    @cached_property
    def live_restrictions(self) -> LiveRestrictions:
        return LiveRestrictions(
            self.db, self.revocation.hear_restrictions, self.sessions.hear_camera, self.revocation.close
        )

    @cached_property
    def recorder_tools(self) -> RecorderTools:
        return RecorderTools(
            self.db,
            self.ledger,
            self.retention,
            self.keys,
            self.clock,
            self.randomness,
            self.settings.spool,
            self.name_blob,
            self.region_stores.store_for,
        )

    @cached_property
    def recovery(self) -> Recovery:
        return Recovery(self.db, self.keys, self.settings.spool, self.audit, self.clock, self.randomness)

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
            Tools(
                self.db,
                self.keys,
                self.buckets,
                self.store,
                self.settings.spool,
                self.journal,
                self.audit,
                self.clock,
                self.randomness,
                # Of an installation one process runs at a time: its journal sees to that.
                WorkerId(UUID(self.installation_id)),
                self.edges,
                self.retention_terms,
                (self.footage, self.delivery),
            )
        )

    def growing_segment(self, camera_id: CameraId) -> SegmentId | None:
        """Return which segment of a camera this process is writing."""
        growing = self.recorder.growing(camera_id)
        return None if growing is None else growing.segment_id

    def checker(self) -> Checker:
        """Return what accounts for everything; only the service itself knows what is being written."""
        return Checker(
            self.db,
            self.keyring,
            self.store,
            self.settings.spool,
            self.clock,
            self.settings.sweep_every,
            self.growing_segment,
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

    @cached_property
    def summaries(self) -> MonthlySummaries:
        return MonthlySummaries(
            self.db,
            self.keyring,
            self.receipts,
            self.audit,
            self.clock,
            self.randomness,
            self.settings.sweep_every,
        )

    @cached_property
    def custody(self) -> Custody:
        return Custody(
            self.db,
            self.journal,
            self.audit,
            self.clock,
            self.randomness,
            Rooms(
                self.eraser,
                self.recovery,
                self.store,
                self.settings.spool,
                Shortenings(self.audit, self.clock, self.randomness),
                Revocations(self.audit, self.clock, self.access_memory),
                self.ledger,
            ),
        )
