"""Another time of day beneath a whole process: libfaketime, told by a file that may be written again at any moment.

Monotonic time is left alone, as a machine's is when its clock is set.
"""

from pathlib import Path
from typing import Final

from tests.given.tools import missing

_LIBRARIES: Final = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
)


class FakedTime:
    """How far the clock of a process is from this machine's. Begins with none."""

    def __init__(self, folder: Path) -> None:
        library = next((one for one in _LIBRARIES if Path(one).exists()), None)
        if library is None:
            missing("libfaketime (Debian: faketime)")
        self._file = folder / "faked-time"
        self.step("+0")
        self.environment = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            # Its name was changed between versions.
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def step(self, by: str) -> None:
        """Set the clock, such as `-1h` or `+1d` from this machine's, at once and for everything."""
        made = self._file.with_name(f"{self._file.name}.made")
        made.write_text(f"{by}\n")
        made.replace(self._file)
