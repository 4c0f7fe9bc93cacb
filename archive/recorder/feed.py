"""From a camera's tap to its recorder."""

from collections.abc import AsyncIterable

from archive.recorder.rules import Why
from archive.recorder.service import RecorderService
from streams.ingest.subscription import Item, Lost
from streams.media.packets import Epoch, Fragment
from vms_privacy.ids import CameraId


async def feed_recorder(recorder: RecorderService, camera_id: CameraId, run: str, items: AsyncIterable[Item]) -> None:
    """Hand over what the tap gives, until it is over. `run` names the tap: decode times go on within its epochs."""
    async for item in items:
        if isinstance(item, Fragment):
            recorder.fragment(camera_id, item)
        elif isinstance(item, Epoch):
            recorder.epoch(camera_id, run, item)
        elif isinstance(item, Lost):
            recorder.lost(camera_id, Why.CAMERA_LOST)
    recorder.lost(camera_id, Why.CAMERA_LOST)
