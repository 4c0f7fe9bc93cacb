"""What a child process gives up before it meets bytes that somebody else chose."""

import ctypes
import resource
import signal
from typing import Final

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_MOST_MEMORY: Final = 3 * 1024**3


def lock_down() -> None:
    """Give up what this process never needs: other files, sockets, core dumps, endless memory, a life of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    # No number is left for another file or socket; what libav needs is loaded by now.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
