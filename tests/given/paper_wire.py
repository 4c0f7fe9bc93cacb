"""The connection of an RTSP conversation, on paper."""

from collections.abc import Sequence


class PaperWire:
    """Only notes what is written; nothing waits, nothing can be cut."""

    def __init__(self, peer: str = "127.0.0.1", secure: bool = False) -> None:
        self.secure = secure
        self.local: Sequence[object] = ("127.0.0.1", 8554)
        self.peer: Sequence[object] = (peer, 50000)
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def waiting(self) -> int:
        return 0

    def heard(self) -> None:
        """Nothing has a time-out here."""

    def cut(self) -> None:
        """There is nothing to cut."""

    def play_is_over(self, fault: BaseException | None) -> None:
        """Nobody waits for the end."""
