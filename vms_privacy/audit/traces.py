"""Whether a refusal has left its trace: the edge leaves one exactly where nobody below it did.

Known per piece of work: what is watched here is also seen by the threads to which that work is handed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final


class Trace:
    """Whether one piece of work has left the trace of a refusal so far."""

    __slots__ = ("is_left",)

    def __init__(self) -> None:
        self.is_left = False


# All copies of a context share the object: what a thread leaves in it is seen by the task that waits for the thread.
_OF_THIS_WORK: Final[ContextVar[Trace | None]] = ContextVar("vms.trace", default=None)


@contextmanager
def watching() -> Iterator[Trace]:
    """Watch for traces from here on, in this task and in what it calls."""
    trace = Trace()
    token = _OF_THIS_WORK.set(trace)
    try:
        yield trace
    finally:
        _OF_THIS_WORK.reset(token)


def leave_trace() -> None:
    """Say that a refusal was noted or counted; nobody has to be watching."""
    trace = _OF_THIS_WORK.get()
    if trace is not None:
        trace.is_left = True


def has_left_trace() -> bool:
    """Say whether the work that runs now has left a trace; false where nobody watches."""
    trace = _OF_THIS_WORK.get()
    return trace is not None and trace.is_left
