"""What footage will come to, over the API and in the metrics; what there is no room for is refused in so many words."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from auth.principal import Right
from tests.given.destroyed import record
from tests.given.stage import Stage, Who
from tests.vms_privacy.http.asking import opted_in
from vms_privacy.camera_care import CameraCare
from vms_privacy.metrics import ServiceCollector
from vms_privacy.worker import Jobs

LONGER = {"keep_for": "P300D", "justification": "the insurer asks for it in writing"}


@pytest.fixture
def full(stage: Stage) -> Iterator[Stage]:
    """Somebody has recorded, and then the store has no more room than what is promised."""
    record(stage)
    stage.parts.holds = 1000
    yield stage
    stage.parts.holds = 10**15


def _metrics(stage: Stage) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(ServiceCollector(stage.parts, Jobs([], stage.app.clock), CameraCare(stage.parts, "a run")))
    lines = [line.split(" ") for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
    return {line[0]: float(line[-1]) for line in lines}


def test_a_longer_retention_without_room_is_refused_and_previewed_as_that(full: Stage) -> None:
    owner = full.somebody(Who.RIGHT, frozenset({Right.RETAIN}))
    assert owner is not None
    path = f"/api/v1/cameras/{full.camera.camera_id}/retention"
    with full.app.client(full.log_in(owner)) as client:
        preview = client.get(f"{path}/preview", params=LONGER).json()
        refused = client.put(path, json=LONGER)
        forecast = client.get(f"/api/v1/operators/{full.operator_id}/forecast").json()
        full.parts.holds = 10**15
        again = client.get(f"{path}/preview", params=LONGER).json()
        assert client.put(path, json=LONGER).status_code == 200
    assert (preview["fits"], again["fits"]) == (False, True)
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["left_bytes"]) == (409, "store-over-committed", 0)
    [mine] = forecast["cameras"]
    assert (mine["basis"], mine["is_recorded"], forecast["left_bytes"]) == ("recorded", True, 0)
    assert problem["adds_bytes"] == preview["forecast_bytes"] - mine["forecast_bytes"] > 0
    assert forecast["forecast_bytes"] == mine["forecast_bytes"]


def test_an_opt_in_without_room_is_refused(full: Stage) -> None:
    asker = full.somebody(Who.RIGHT, frozenset({Right.RECORD}))
    assert asker is not None
    with full.app.client(full.log_in(asker)) as client:
        path = f"/api/v1/cameras/{full.other_camera.camera_id}/opt-ins"
        refused = client.post(path, json=opted_in(full).body)
        assert (refused.status_code, refused.json()["code"]) == (409, "store-over-committed")
        full.parts.holds = 10**15
        assert client.post(path, json=opted_in(full).body).status_code == 201


def test_a_neighbours_footage_is_no_part_of_a_forecast(full: Stage) -> None:
    with full.app.client(full.log_in(full.neighbour)) as client:
        assert client.get(f"/api/v1/operators/{full.operator_id}/forecast").status_code == 404
        assert client.get(f"/api/v1/operators/{full.neighbour_id}/forecast").json()["cameras"] == []


def test_the_metrics_tell_what_is_promised_and_what_the_store_holds(full: Stage) -> None:
    found = _metrics(full)
    assert found["vms_store_capacity_bytes"] == 1000
    assert found["vms_forecast_bytes"] > 1000
    full.parts.holds = None
    assert _metrics(full)["vms_store_capacity_bytes"] > 10**6, "the folder's file system tells"
