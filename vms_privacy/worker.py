"""Work that comes round by time: sealing, sweeping, delivering, judging again. No scheduler, only threads that wait.

A round that fails is counted and told, and the next one comes all the same (P12).
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from vms_privacy.clock import Clock

_log = structlog.get_logger("worker")
_LONGEST_STOP_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do every so often. `run` returns a short text where it did not do all of it, else an empty one."""

    name: str
    every: timedelta
    run: Callable[[], str]


@dataclass(slots=True)
class JobState:
    """What became of one job's rounds; `last_failure` is a code or a type, empty after a good round."""

    rounds: int = 0
    failures: int = 0
    last_failure: str = ""
    last_round_s: float | None = None


@dataclass(slots=True)
class _Running:
    job: Job
    state: JobState = field(default_factory=JobState)
    thread: threading.Thread | None = None


class Jobs:
    """Runs each job on a thread of its own, so that a slow sweep delays nobody's cut."""

    def __init__(self, jobs: Sequence[Job], clock: Clock) -> None:
        self._running = {job.name: _Running(job) for job in jobs}
        self._clock = clock
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin; the first round of each job is at once."""
        for running in self._running.values():
            running.thread = threading.Thread(
                target=self._keep_running, args=(running,), name=f"job-{running.job.name}", daemon=True
            )
            running.thread.start()

    def stop(self) -> bool:
        """Let running rounds end and begin no more; say whether all ended in time."""
        self._stopping.set()
        threads = [running.thread for running in self._running.values() if running.thread is not None]
        for thread in threads:
            thread.join(_LONGEST_STOP_S)
        return not any(thread.is_alive() for thread in threads)

    def states(self) -> dict[str, JobState]:
        """Return what became of each job's rounds."""
        return {name: running.state for name, running in self._running.items()}

    def run_once(self, name: str) -> str:
        """Run one round now, in this thread; return what it could not do."""
        return self._round(self._running[name])

    def _keep_running(self, running: _Running) -> None:
        while not self._stopping.is_set():
            self._round(running)
            self._stopping.wait(running.job.every.total_seconds())

    def _round(self, running: _Running) -> str:
        try:
            failure = running.job.run()
        except Exception as error:  # noqa: BLE001 - whatever it was, it is counted, and the next round comes
            failure = type(error).__name__
        state = running.state
        state.rounds += 1
        state.last_round_s = self._clock.monotonic()
        if failure:
            state.failures += 1
            _log.warning("round-failed", job=running.job.name, failure=failure, failures=state.failures)
        state.last_failure = failure
        return failure
