"""Which packets a viewer gets when it is slower than the camera. Pure."""

from dataclasses import dataclass

from streams.media.packets import Packet, Track


@dataclass(frozen=True, slots=True)
class Send:
    """The packet goes out."""


@dataclass(frozen=True, slots=True)
class Skip:
    """The packet is left out for this viewer, and why."""

    why: str


class Pace:
    """Drops a slow viewer forward to the next key picture; what a decoder gets is always whole from a key picture on.

    `most_waiting` is in bytes not yet taken by the kernel; after an overflow sending goes on only when half of
    it is free again, so that one key picture does not fill it at once.
    """

    def __init__(self, has_video: bool, most_waiting: int) -> None:
        self._needs_key = has_video
        self._has_video = has_video
        self._most = most_waiting
        self.skipped = 0

    def judge(self, packet: Packet, waiting: int) -> Send | Skip:
        """Say what happens to the next packet while `waiting` bytes wait for the kernel."""
        if waiting > self._most:
            self._needs_key = self._has_video
            return self._skip("the viewer is slower than the camera")
        if self._needs_key:
            if packet.track is not Track.VIDEO or not packet.is_key:
                return self._skip("it waits for a key picture")
            if waiting > self._most // 2:
                return self._skip("the viewer is still behind")
            self._needs_key = False
        return Send()

    def begin_again(self) -> None:
        """Wait for a key picture: what came before cannot be decoded with what comes next."""
        self._needs_key = self._has_video

    def _skip(self, why: str) -> Skip:
        self.skipped += 1
        return Skip(why)
