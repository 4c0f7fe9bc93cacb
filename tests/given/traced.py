"""What a process and all its children hand to the kernel for files, as strace tells it."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.given.tools import missing

# Everything that can put bytes into a file; `%file` names the files, and io_uring would be a way round all of it.
CALLS = (
    "%file,write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range,splice,tee,vmsplice,mmap,memfd_create,"
    "io_uring_setup"
)
WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2")
# More than any single write here; strace would cut what is longer, and the cut is looked for.
_LONGEST = 8 * 1024 * 1024
_CALL = re.compile(r"^(?P<pid>\d+) (?:<\.\.\. )?(?P<name>\w+)(?P<rest>.*)")
_FILE = re.compile(r"^\((?P<fd>\d+)<(?P<path>/(?!dev/|proc/)[^>]*)>")


@dataclass(frozen=True)
class Call:
    """One system call: its name, and everything behind it as strace writes it, bytes as \\x.."""

    name: str
    rest: str

    @property
    def file(self) -> str:
        """The regular file that its first argument is open on; empty for pipes, sockets and devices."""
        found = _FILE.match(self.rest)
        return found["path"] if found else ""

    def holds(self, data: bytes) -> bool:
        """Whether these bytes are among its own."""
        return "".join(f"\\x{octet:02x}" for octet in data) in self.rest


@dataclass(frozen=True)
class Traced:
    """What was told, and where the trace lies."""

    returncode: int
    stdout: str
    stderr: str
    trace: Path

    def calls(self) -> Iterator[Call]:
        """Every call, in order."""
        with self.trace.open(encoding="latin-1") as lines:
            for line in lines:
                found = _CALL.match(line)
                if found is not None:
                    yield Call(found["name"], found["rest"])

    def writes_to_files(self) -> Iterator[Call]:
        """Every write of bytes to a regular file."""
        return (call for call in self.calls() if call.name in WRITES and call.file)


def trace(command: Sequence[str], cwd: Path, into: Path, within_s: float) -> Traced:
    """Run a command under strace with all its children."""
    strace = shutil.which("strace") or missing("strace")
    options = ["-f", "-y", "-qq", "-xx", "-s", str(_LONGEST), "-e", f"trace={CALLS}", "--seccomp-bpf"]
    ran = subprocess.run(
        [strace, *options, "-e", "signal=none", "-o", str(into), *command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    if ran.returncode and "ptrace" in ran.stderr:
        missing(f"the right to trace: {ran.stderr.strip()}")
    return Traced(ran.returncode, ran.stdout, ran.stderr, into)
