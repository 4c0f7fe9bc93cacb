"""The parts that take pictures from cameras and show them live."""

from collections.abc import AsyncGenerator
from datetime import datetime
from functools import cached_property
from typing import Final

from auth.resources.store import ResourceStore
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
from vms_privacy.app.auth import AuthParts
from vms_privacy.ids import CameraId

TAP_BYTES: Final = 16 * 1024 * 1024


class StreamParts(AuthParts):
    """Cameras, and the pictures coming from them now."""

    @cached_property
    def cameras(self) -> CameraService:
        networks = self.settings.camera_networks
        return CameraService(
            self.keyring, ResourceStore(), self.audit, self.clock, self.randomness, networks, self.journal
        )

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
