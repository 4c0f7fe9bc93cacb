"""The peer of recording: one `ffmpeg` process for each camera, that copies its stream to files in clear."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.installation import until

_SEGMENT_S = 60


@dataclass(frozen=True, slots=True)
class Copies:
    """The running processes and where they write."""

    pids: Sequence[int]
    folder: Path

    def stored_bytes(self) -> int:
        """Return how many bytes lie on the disk."""
        return sum(path.stat().st_size for path in self.folder.iterdir())


@contextmanager
def copies(urls: Sequence[str], folder: Path) -> Iterator[Copies]:
    """Copy every camera until the block ends; the block begins once each has written something."""
    folder.mkdir()
    with ExitStack() as stack:
        running = [stack.enter_context(_copy(url, folder / f"{number}-%05d.mp4")) for number, url in enumerate(urls)]
        copying = Copies([process.pid for process in running], folder)
        until(lambda: sum(path.stat().st_size > 0 for path in folder.iterdir()) >= len(urls), "every copy has begun")
        yield copying


@contextmanager
def _copy(url: str, into: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", url]
    command += ["-c", "copy", "-f", "segment", "-segment_time", str(_SEGMENT_S), str(into)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()
