"""What should be destroyed and is not is told to those who may audit, per camera, in the numbers of the metrics."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
from prometheus_client import CollectorRegistry, generate_latest

from auth.principal import Right
from tests.given.destroyed import EXPIRES_IN, record
from tests.given.stage import Stage, Who
from vms_privacy.camera_care import CameraCare
from vms_privacy.metrics import ServiceCollector
from vms_privacy.worker import Jobs

CLEAR: Final[dict[str, Any]] = {"segments": 0, "size_bytes": 0, "oldest_overdue_at": None, "attempts": 0, "reasons": []}


@contextmanager
def _auditor(stage: Stage) -> Iterator[httpx.Client]:
    # Made when the clock has moved on: a log-in does not last for days.
    somebody = stage.somebody(Who.RIGHT, frozenset({Right.AUDIT}))
    assert somebody is not None
    with stage.app.client(stage.log_in(somebody)) as client:
        yield client


def _debt(stage: Stage, auditor: httpx.Client) -> Any:
    answer = auditor.get(f"/api/v1/operators/{stage.operator_id}/deletion-debt")
    assert answer.status_code == 200
    return answer.json()


def _metric(stage: Stage, name: str) -> float:
    registry = CollectorRegistry()
    registry.register(ServiceCollector(stage.parts, Jobs([], stage.app.clock), CameraCare(stage.parts, "a run")))
    (line,) = [
        line
        for line in generate_latest(registry).decode().splitlines()
        if line.startswith(f"vms_deletion_debt_{name} ")
    ]
    return float(line.partition(" ")[2])


def test_what_no_sweep_has_destroyed_is_told_and_after_a_sweep_nothing_is(stage: Stage) -> None:
    record(stage)
    stage.app.forward(EXPIRES_IN)
    with _auditor(stage) as auditor:
        told = _debt(stage, auditor)
        (share,) = told["cameras"]
        assert share == {"camera_id": str(stage.camera.camera_id), "debt": told["total"]}
        assert (told["total"]["segments"], told["total"]["reasons"]) == (1, ["not-begun"])
        assert told["total"]["oldest_overdue_at"] < stage.app.clock.now().isoformat()
        assert _metric(stage, "segments") == told["total"]["segments"]
        assert _metric(stage, "bytes") == told["total"]["size_bytes"] > 0
        stage.parts.eraser.sweep()
        assert _debt(stage, auditor) == {"total": CLEAR, "cameras": []}
        assert _metric(stage, "segments") == 0


def test_a_store_that_does_not_answer_is_named_with_its_attempts(stage: Stage) -> None:
    record(stage)
    stage.parts.recorder.deliver()
    stage.app.forward(EXPIRES_IN)
    marker = next(path for path in stage.parts.settings.archive.iterdir() if path.is_file())
    away = marker.rename(marker.with_name("elsewhere"))
    with _auditor(stage) as auditor:
        for attempt in (1, 2):
            assert not stage.parts.eraser.sweep().is_clean
            told = _debt(stage, auditor)["total"]
            assert (told["attempts"], told["reasons"]) == (attempt, ["store-unavailable"])
            assert _metric(stage, "attempts") == attempt
            stage.app.forward(timedelta(minutes=1))
        away.rename(marker)
        stage.app.forward(timedelta(minutes=15))
        assert stage.parts.eraser.sweep().is_clean
        assert _debt(stage, auditor)["total"] == CLEAR


def test_a_neighbours_debt_is_not_told(stage: Stage) -> None:
    record(stage)
    stage.app.forward(EXPIRES_IN)
    with stage.app.client(stage.log_in(stage.neighbour)) as neighbour:
        answer = neighbour.get(f"/api/v1/operators/{stage.neighbour_id}/deletion-debt")
        assert answer.json() == {"total": CLEAR, "cameras": []}
        # The debt is there: the operator itself is told of it, by name.
    with stage.app.client(stage.log_in(stage.owner)) as owner:
        assert _debt(stage, owner)["total"]["segments"] == 1
    stage.parts.eraser.sweep()
