"""What is counted is shown (P12): each count of a failure in the parts has its number in the metrics."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from archive.recorder.rules import Why
from streams.media.faults import Fault
from tests.given.databases import DatabaseServer
from tests.given.whole_app import WholeApp, whole_app
from vms_privacy.camera_care import CameraCare
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.metrics import ServiceCollector
from vms_privacy.worker import Jobs


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, database_server: DatabaseServer) -> Iterator[WholeApp]:
    with whole_app(tmp_path_factory.mktemp("whole"), database_server) as served:
        yield served


def metrics_of(app: WholeApp, care: CameraCare) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(ServiceCollector(app.parts, Jobs([], app.clock), care))
    return registry


def test_every_failure_that_is_counted_is_shown(app: WholeApp) -> None:
    parts, care = app.parts, CameraCare(app.parts, "a run")
    counts = {
        "vms_listener_failures_total": (parts.ledger, "listener_failures"),
        "vms_camera_listener_failures_total": (parts.cameras, "listener_failures"),
        "vms_camera_event_failures_total": (parts.camera_events, "failed"),
        "vms_camera_events_dropped_total": (parts.camera_events, "dropped"),
        "vms_live_feed_failures_total": (parts.live, "failed_feeds"),
        "vms_recorder_feed_failures_total": (care, "failed_feeds"),
        "vms_judgement_failures_total": (parts.sessions, "failed_judgements"),
        "vms_session_end_failures_total": (parts.sessions, "unwritten_ends"),
        "vms_delivery_failures_total": (parts.recorder, "failed_deliveries"),
        "vms_damaged_segments_met_total": (parts.footage, "damaged"),
        "vms_writes_untold_total": (parts.group, "untold"),
    }
    metrics = metrics_of(app, care)
    for number, (name, (part, field)) in enumerate(counts.items(), start=1):
        before = metrics.get_sample_value(name)
        assert before is not None
        setattr(part, field, getattr(part, field) + number)
        assert metrics.get_sample_value(name) == before + number
    assert metrics.get_sample_value("vms_ingest_round_failures_total") == 0
    assert metrics.get_sample_value("vms_camera_events_waiting") == 0
    for fault in Fault:
        assert metrics.get_sample_value("vms_camera_failures_total", {"why": fault}) == 0


def test_recorders_are_counted_by_why_they_last_wrote_nothing(app: WholeApp) -> None:
    recorder = app.parts.recorder
    for number, why in enumerate((Why.NO_OPT_IN, Why.NO_OPT_IN, Why.DISK_FULL)):
        camera_id = CameraId(UUID(int=number + 1))
        recorder.add(OperatorId(UUID(int=9)), camera_id)
        recorder.tallies()[camera_id].last_why = why
    metrics = metrics_of(app, CameraCare(app.parts, "a run"))
    assert metrics.get_sample_value("vms_recorders", {"last_why": "no-opt-in"}) == 2
    assert metrics.get_sample_value("vms_recorders", {"last_why": "disk-full"}) == 1
