"""One segment while it is being written: the sealed file, its index in memory, and what a reader may rely on."""

from dataclasses import dataclass
from typing import BinaryIO

from archive.format import rules as sizes
from archive.format.index import FragmentEntry, FragmentIndex
from archive.format.sealed_file import SealedSummary, SealedWriter
from streams.media.packets import Fragment, Track
from vms_privacy.ids import CameraId, SegmentId


@dataclass(frozen=True, slots=True)
class Growing:
    """What a reader may rely on of a growing segment at one moment: whole chunks, and fragments that lie in them."""

    segment_id: SegmentId
    camera_id: CameraId
    sealed_size: int
    init_length: int
    entries: tuple[FragmentEntry, ...]

    @property
    def index(self) -> FragmentIndex:
        """Return the index of what was written so far; made for whoever looks, not at every fragment."""
        return FragmentIndex(self.init_length, self.entries)


class GrowingFile:
    """Writes one segment's fragments. One thread writes; any thread may take a `snapshot`.

    Each video fragment ends in a whole chunk, so what is lost by a kill is the fragment still being put together
    (sealed-file-v1, W5). Raises NotWritten; then the file is left to recovery.
    """

    def __init__(
        self,
        segment_id: SegmentId,
        camera_id: CameraId,
        from_us: int,
        file: BinaryIO,
        writer: SealedWriter,
        init: bytes,
        beginning: bytes = b"",
    ) -> None:
        """Write the init segment. `beginning` follows it where the row is not there to say the same."""
        self.segment_id = segment_id
        self.camera_id = camera_id
        self.from_us = from_us
        self._file = file
        self._writer = writer
        self._init_length = len(init)
        self._entries: list[FragmentEntry] = []
        self._synced_at = 0.0
        self._snapshot: Growing | None = None
        self.until_us = from_us
        self.last_packet_until_us = from_us
        writer.write(init + beginning)

    def add(self, fragment: Fragment, monotonic_s: float) -> None:
        """Write one fragment."""
        self._entries.append(
            FragmentEntry(
                track=fragment.track,
                captured_from_us=fragment.captured_from_us,
                captured_until_us=fragment.captured_until_us,
                offset=self._writer.plain_length,
                length=len(fragment.data),
                starts_with_key=fragment.starts_with_key,
                decode_time=fragment.decode_time,
                duration=fragment.duration,
            )
        )
        self._writer.write(fragment.data)
        self.last_packet_until_us = max(self.last_packet_until_us, fragment.captured_until_us)
        if fragment.track is not Track.VIDEO:
            return
        self._writer.fill_chunk()
        # Only now: what follows a failed write begins where the last whole fragment ends.
        self.until_us = fragment.captured_until_us
        self._snapshot = Growing(
            self.segment_id,
            self.camera_id,
            self._writer.sealed_size,
            self._init_length,
            tuple(self._entries),
        )
        if sizes.sync_is_due(self._writer.unsynced, monotonic_s - self._synced_at):
            self._writer.sync()
            self._synced_at = monotonic_s

    def finish(self) -> SealedSummary:
        """Seal the index and close the file, durable on return."""
        summary = self._writer.finish(FragmentIndex(self._init_length, tuple(self._entries)))
        self._writer.sync()
        self._file.close()
        return summary

    def abandon(self) -> None:
        """Close the file as it is; recovery will finish it."""
        self._file.close()

    def snapshot(self) -> Growing | None:
        """Return what a reader may rely on now, or None before the first video fragment."""
        return self._snapshot
