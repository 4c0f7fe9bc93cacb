"""What the service tells a collector: counts and ages, never an id, a name or an address."""

from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from archive.forecast.rules import Basis, rate_of
from archive.orders import store as orders
from streams.cameras.rules import CameraState
from vms_privacy.app import Assembly
from vms_privacy.camera_care import CameraCare
from vms_privacy.off_boarding import store as off_boardings
from vms_privacy.off_boarding.rules import Step
from vms_privacy.subject_requests import store as requests
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
        yield from self._orders()
        yield from self._room()
        yield from self._requests()
        yield from self._off_boardings()
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
        yield from self._failures()

    def _debt(self) -> Iterable[Metric]:
        parts = self._parts
        debt = parts.eraser.debt(parts.settings.sweep_every)
        now_us = parts.clock.for_destroying().timestamp() * 1_000_000
        age_s = 0.0 if debt.oldest_overdue_us is None else (now_us - debt.oldest_overdue_us) / 1_000_000
        yield _gauge("deletion_debt_segments", "Segments that should be destroyed and are not.", debt.segments)
        yield _gauge("deletion_debt_bytes", "Bytes of them.", debt.size_bytes)
        yield _gauge("deletion_debt_age_seconds", "How long the oldest of them is overdue.", age_s)
        yield _gauge("deletion_debt_attempts", "Failed attempts of the worst erasure.", debt.attempts)

    def _orders(self) -> Iterable[Metric]:
        with self._parts.db.glancing() as connection:
            overdue = orders.count_overdue(connection, self._parts.clock.now())
        yield _gauge("orders_overdue", "Holds and restrictions that should have been reviewed by now.", overdue)

    def _room(self) -> Iterable[Metric]:
        """What footage will come to, and what the store holds: no number where it does not tell."""
        with self._parts.db.reading() as session:
            found = self._parts.room.forecast(session)
        unknown = sum(one.is_recorded and rate_of(one).basis is Basis.UNKNOWN for one in found.cameras.values())
        yield _gauge("forecast_bytes", "What all footage will come to, as it stands.", found.room.promised_bytes)
        yield _gauge("forecast_unknown_cameras", "Recorded cameras of which nobody knows what they send.", unknown)
        if found.room.capacity_bytes is not None:
            yield _gauge("store_capacity_bytes", "What the store holds of ours in all.", found.room.capacity_bytes)

    def _requests(self) -> Iterable[Metric]:
        now = self._parts.clock.now()
        with self._parts.db.glancing() as connection:
            found = requests.clocks(connection, now)
        left_s = 0.0 if found.next_answer_by is None else (found.next_answer_by - now).total_seconds()
        yield _gauge("requests_open", "Requests about footage that are not closed.", found.open)
        yield _gauge("requests_overdue", "Of these, beyond the date that the law sets.", found.overdue)
        yield _gauge(
            "requests_promise_missed", "Of these, beyond 30 days or a month, extended or not.", found.promise_missed
        )
        yield _gauge("requests_seconds_left", "Until the next answer is due; below zero: since.", left_s)
        yield _counter("request_reminders", "Reminders of answers that are due.", self._parts.request_care.reminded)

    def _off_boardings(self) -> Iterable[Metric]:
        with self._parts.db.glancing() as connection:
            found = off_boardings.count_by_step(connection)
        steps = GaugeMetricFamily(
            "vms_off_boardings", "Operators that leave or have left, by the last step that is done.", labels=["step"]
        )
        for step in Step:
            steps.add_metric([step.name.lower().replace("_", "-")], found.get(step, 0))
        yield steps

    def _rounds(self) -> Iterable[Metric]:
        rounds = CounterMetricFamily("vms_job_rounds", "Rounds of work that comes by time.", labels=["job"])
        failures = CounterMetricFamily("vms_job_failures", "Rounds that did not do all of it.", labels=["job"])
        for name, state in self._jobs.states().items():
            rounds.add_metric([name], state.rounds)
            failures.add_metric([name], state.failures)
        return rounds, failures

    def _failures(self) -> Iterable[Metric]:
        """What failed and was not raised to anybody: counted where it happened, shown here (P12)."""
        parts, ingest = self._parts, self._parts.ingest
        counted = {
            "listener_failures": ("Listeners of the opt-in ledger that failed.", parts.ledger.listener_failures),
            "camera_listener_failures": (
                "Listeners of the registry of cameras that failed.",
                parts.cameras.listener_failures,
            ),
            "order_listener_failures": (
                "Listeners of holds and restrictions that failed.",
                parts.orders.listener_failures,
            ),
            "retention_listener_failures": ("Listeners of retention that failed.", parts.retention.listener_failures),
            "recording_times_listener_failures": (
                "Listeners of recording times that failed.",
                parts.recording_times.listener_failures,
            ),
            "camera_event_failures": ("Notes of outages that the database refused.", parts.camera_events.failed),
            "camera_events_dropped": ("Notes of outages given up for newer ones.", parts.camera_events.dropped),
            "ingest_round_failures": ("Rounds of moving the cameras' bytes that failed.", ingest.failed_rounds),
            "live_feed_failures": ("Live channels whose feed failed.", parts.live.failed_feeds),
            "recorder_feed_failures": ("Recorders whose feed failed.", self._care.failed_feeds),
            "judgement_failures": ("Times the grants could not be asked again.", parts.sessions.failed_judgements),
            "session_end_failures": ("Times ends of looks could not be written.", parts.sessions.unwritten_ends),
            "delivery_failures": ("Rounds of delivery between timers that failed.", parts.recorder.failed_deliveries),
            "damaged_segments_met": ("Segments left out of an answer because damaged.", parts.footage.damaged),
            "off_boarding_failures_unnoted": (
                "Failures of off-boardings that the database could not note.",
                parts.off_boarding_rounds.uncounted_failures,
            ),
            "writes_untold": ("Writes whose outcome nobody was left to hear.", parts.group.untold),
        }
        for name, (says, value) in counted.items():
            yield _counter(name, says, value)
        yield _gauge("camera_events_waiting", "Notes of outages not written yet.", parts.camera_events.waiting)
        failures = CounterMetricFamily("vms_camera_failures", "Connections that failed, by reason.", labels=["why"])
        for why, times in ingest.failures().items():
            failures.add_metric([why], times)
        yield failures

    def _recording(self) -> Iterable[Metric]:
        tallies = list(self._parts.recorder.tallies().values())
        yield _counter(
            "recorded_fragments", "Fragments that reached a recorder.", sum(one.fragments for one in tallies)
        )
        yield _counter("left_out_fragments", "Fragments not written.", sum(one.left_out for one in tallies))
        yield _counter("recorded_segments", "Segments begun.", sum(one.segments for one in tallies))
        yield _counter("recorder_failures", "Failures of recorders.", sum(one.failures for one in tallies))
        reasons = GaugeMetricFamily(
            "vms_recorders", "Recorders by why they last left something out or ended a segment.", labels=["last_why"]
        )
        for why, count in Counter(one.last_why for one in tallies).items():
            reasons.add_metric([why], count)
        yield reasons
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
