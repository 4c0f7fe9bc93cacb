"""The tables of outcomes are complete: each operation of the OpenAPI document has its row, and each row exists."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.given.stage import Who
from tests.guards.test_routes import HIDDEN as HIDDEN_PATHS
from tests.guards.test_routes import operations
from tests.vms_privacy.http.asking import ASKS
from tests.vms_privacy.http.media_outcomes import BY_KEY, BY_TOKEN, Holder
from tests.vms_privacy.http.outcomes import API, HIDDEN, Row
from vms_privacy.app import Assembly
from vms_privacy.faces import build_api
from vms_privacy.install import initialise
from vms_privacy.settings import Settings


def missing_rows(document: dict[str, Any], told: Sequence[tuple[str, str]]) -> list[str]:
    """List operations without a row, rows without an operation, and rows that say another gate line."""
    there = {name: operation["x-needs"] for name, operation in operations(document)}
    rows = dict(told)
    found = [f"{name}: no row" for name in there if name not in rows]
    found += [f"{name}: no such operation" for name in rows if name not in there]
    found += [f"{name}: needs {there[name]}" for name in rows if name in there and there[name] != rows[name]]
    return found + [f"{name}: twice" for name in rows if [one for one, _ in told].count(name) > 1]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    settings = Settings(data_dir=Path(tmp_path_factory.mktemp("install")) / "data")
    initialise(settings)
    parts = Assembly(settings)
    yield build_api(parts, {}, CollectorRegistry()).openapi()
    parts.journal.close()
    parts.db.close()


def test_every_operation_has_its_row_of_outcomes_and_every_row_its_operation(document: dict[str, Any]) -> None:
    rows = [(row.operation, row.needs) for row in (*API, *BY_TOKEN, *BY_KEY)]
    assert missing_rows(document, rows) == []


def test_every_hidden_route_has_its_row() -> None:
    assert {row.operation for row in HIDDEN} == {f"GET {path}" for path in HIDDEN_PATHS}


def test_every_row_says_something_of_everybody() -> None:
    assert [row.operation for row in (*API, *HIDDEN) if set(row.outcomes) != set(Who)] == []
    every = {**dict.fromkeys(BY_TOKEN, Holder.of_tokens()), **dict.fromkeys(BY_KEY, Holder.of_keys())}
    assert [row.operation for row, holders in every.items() if set(row.outcomes) != holders] == []


def test_every_row_is_asked() -> None:
    assert set(ASKS) == {row.operation for row in (*API, *HIDDEN)}


def test_a_missing_row_a_false_one_and_another_gate_line_are_found() -> None:
    document = {"paths": {"/a": {"get": {"x-needs": "self"}}, "/b": {"get": {"x-needs": "self"}}}}
    told = [("GET /a", "nobody"), ("GET /c", "self"), ("GET /c", "self")]
    assert missing_rows(document, told) == [
        "GET /b: no row",
        "GET /c: no such operation",
        "GET /a: needs self",
        "GET /c: twice",
    ]
    assert set(Row("GET /a", "self", {}).outcomes) != set(Who)
