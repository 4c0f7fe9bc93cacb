"""What the service tells a collector: counts and ages, never an id, a name or an address."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.cameras.rules import CameraState
from vms_privacy.app import Assembly
from vms_privacy.camera_care import CameraCare
from vms_privacy.worker import Jobs


class ServiceCollector(Collector):
    """Reads the parts when it is asked; keeps nothing. Times are seconds, sizes bytes."""

    def __init__(self, parts: Assembly, jobs: Jobs, cameras: CameraCare) -> None:
        self._parts = parts
        self._jobs = jobs
        self._care = cameras

    def describe(self) -> Iterable[Metric]:
        """Name nothing before the first question: the parts may not have started."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Give out every number anew."""
        yield from self._debt()
        yield from self._rounds()
        yield from self._recording()
        yield from self._cameras()
        yield _gauge("media_sessions", "People looking now.", self._parts.sessions.count)
        yield _gauge("time_doubt", "1 while the clock is in doubt.", self._parts.guarded_clock.doubt is not None)
        yield _gauge(
            "root_seconds_left",
            "Time until the keyring's root must be gone; below zero receipts are not kept to.",
            self._parts.keyring.root_seconds_left,
        )
        yield _gauge("keys_remembered", "Opened segment keys in memory.", self._parts.keys.remembered)
        yield _counter(
            "listener_failures", "Listeners of the opt-in ledger that failed.", self._parts.ledger.listener_failures
        )

    def _debt(self) -> Iterable[Metric]:
        parts = self._parts
        debt = parts.eraser.debt(parts.settings.sweep_every)
        now_us = parts.clock.for_destroying().timestamp() * 1_000_000
        age_s = 0.0 if debt.oldest_overdue_us is None else (now_us - debt.oldest_overdue_us) / 1_000_000
        yield _gauge("deletion_debt_segments", "Segments that should be destroyed and are not.", debt.segments)
        yield _gauge("deletion_debt_bytes", "Bytes of them.", debt.size_bytes)
        yield _gauge("deletion_debt_age_seconds", "How long the oldest of them is overdue.", age_s)
        yield _gauge("deletion_debt_attempts", "Failed attempts of the worst erasure.", debt.attempts)

    def _rounds(self) -> Iterable[Metric]:
        rounds = CounterMetricFamily("vms_job_rounds", "Rounds of work that comes by time.", labels=["job"])
        failures = CounterMetricFamily("vms_job_failures", "Rounds that did not do all of it.", labels=["job"])
        for name, state in self._jobs.states().items():
            rounds.add_metric([name], state.rounds)
            failures.add_metric([name], state.failures)
        return rounds, failures

    def _recording(self) -> Iterable[Metric]:
        tallies = list(self._parts.recorder.tallies().values())
        yield _counter(
            "recorded_fragments", "Fragments that reached a recorder.", sum(one.fragments for one in tallies)
        )
        yield _counter("left_out_fragments", "Fragments not written.", sum(one.left_out for one in tallies))
        yield _counter("recorded_segments", "Segments begun.", sum(one.segments for one in tallies))
        yield _counter("recorder_failures", "Failures of recorders.", sum(one.failures for one in tallies))
        yield _gauge(
            "spool_undelivered",
            "Segments the store refused in the last round.",
            len(self._parts.recorder.last_delivery.failed),
        )

    def _cameras(self) -> Iterable[Metric]:
        states = GaugeMetricFamily("vms_cameras", "Cameras by state.", labels=["state"])
        found = self._parts.ingest.states()
        for state in CameraState:
            states.add_metric([state], found.get(state, 0))
        yield states
        yield _gauge(
            "cameras_failed",
            "Cameras that could not be started or stopped, and are tried again.",
            len(self._care.failed),
        )
        yield _counter("demux_children_died", "Demux children that died or hung.", self._parts.ingest.children_died)


def _gauge(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"vms_{name}", says, value=float(value))


def _counter(name: str, says: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"vms_{name}", says, value=float(value))
