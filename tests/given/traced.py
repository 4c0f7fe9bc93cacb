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
# libuv opens an io_uring, and what goes through one is told to nobody; refused one, it does the same by calls.
_NO_RING = ("-e", "inject=io_uring_setup:error=ENOSYS")
# More than any single write here; strace would cut what is longer, and the cut is looked for.
_LONGEST = 8 * 1024 * 1024
_CALL = re.compile(r"^\d+ +(?:<\.\.\. )?(?P<name>\w+)(?P<rest>.*)")
_OPEN_ON = re.compile(r"\d+<(?P<name>(?:\\x[0-9a-f]{2})+)>")
_NO_FILES = ("/dev/", "/proc/")


@dataclass(frozen=True)
class Call:
    """One system call: its name, and everything behind it as strace writes it, bytes as \\x.."""

    name: str
    rest: str

    @property
    def files(self) -> list[str]:
        """The regular files that its arguments are open on: neither pipes, sockets nor devices."""
        names = [bytes.fromhex(name.replace("\\x", "")).decode() for name in _OPEN_ON.findall(self.rest)]
        return [name for name in names if name.startswith("/") and not name.startswith(_NO_FILES)]

    @property
    def is_cut(self) -> bool:
        """Whether strace left bytes out."""
        return '"...' in self.rest

    def holds(self, data: bytes) -> bool:
        """Whether these bytes are among its own."""
        return "".join(f"\\x{octet:02x}" for octet in data) in self.rest


@dataclass(frozen=True)
class Traced:
    """How it ended, what it said, and where the trace lies."""

    returncode: int
    stdout: str
    stderr: str
    trace: Path

    def calls(self, *names: str) -> Iterator[Call]:
        """Every call of these names, in order."""
        with self.trace.open(encoding="latin-1") as lines:
            for line in lines:
                found = _CALL.match(line)
                if found is not None and found["name"] in names:
                    yield Call(found["name"], found["rest"])

    def writes_to_files(self) -> Iterator[Call]:
        """Every write of bytes to a regular file."""
        return (call for call in self.calls(*WRITES) if call.files)


def trace(command: Sequence[str], cwd: Path, into: Path, within_s: float) -> Traced:
    """Run a command under strace with all its children."""
    strace = shutil.which("strace") or missing("strace")
    options = ["-f", "-y", "-qq", "-xx", "-s", str(_LONGEST), "-e", f"trace={CALLS}", "--seccomp-bpf"]
    ran = subprocess.run(
        [strace, *options, "-e", "signal=none", *_NO_RING, "-o", str(into), *command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    if ran.returncode and "ptrace" in ran.stderr:
        missing(f"the right to trace: {ran.stderr.strip()}")
    return Traced(ran.returncode, ran.stdout, ran.stderr, into)
