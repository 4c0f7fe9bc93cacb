"""Every route asks somebody, and the ones that ask nobody are counted here one by one."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry

from tests.guards.lints.parsing import nodes
from tests.guards.sources import python_files

OPEN: Final = frozenset(
    {
        "GET /healthz",
        "GET /readyz",
        "POST /api/v1/auth/token",
        "POST /api/v1/auth/bootstrap",
        "POST /api/v1/auth/enrolment",
        "GET /api/v1/opt-in-wordings/{kind}",
        "GET /.well-known/jwks.json",
        "GET /api/v1/receipt-keys",
        "GET /api/v1/receipt-keys/document",
    }
)
"""Routes for nobody in particular. A new one is a decision: add it here and say why at the route."""
HIDDEN: Final = frozenset({"/metrics", "/openapi.json", "/docs"})
"""Routes that the document leaves out, so that the look at the document does not see them; the backstop does."""


def ungated(document: dict[str, Any]) -> list[str]:
    """List the operations that say of nobody that they may call them."""
    return [name for name, operation in operations(document) if not operation.get("x-needs")]


def open_to_all(document: dict[str, Any]) -> set[str]:
    """Return the operations that need nobody."""
    return {name for name, operation in operations(document) if operation.get("x-needs") == "nobody"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def hidden(source: str) -> list[str]:
    """List what the document cannot show: routes left out of it, mounts, websockets, routes added by hand."""
    found = []
    for call in nodes(source):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            continue
        path = ast.literal_eval(call.args[0]) if call.args and isinstance(call.args[0], ast.Constant) else "?"
        is_left_out = any(
            one.arg == "include_in_schema" and isinstance(one.value, ast.Constant) and one.value.value is False
            for one in call.keywords
        )
        by_hand = call.func.attr in {"mount", "websocket", "add_route", "add_api_route", "add_websocket_route"}
        if is_left_out or by_hand:
            found.append(str(path))
    return found


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from vms_privacy.app import Assembly
    from vms_privacy.faces import build_api
    from vms_privacy.install import initialise
    from vms_privacy.settings import Settings

    settings = Settings(data_dir=Path(tmp_path_factory.mktemp("install")) / "data")
    initialise(settings)
    parts = Assembly(settings)
    try:
        return build_api(parts, {}, CollectorRegistry()).openapi()
    finally:
        parts.journal.close()
        parts.db.close()


def test_every_route_asks_somebody(document: dict[str, Any]) -> None:
    assert len(list(operations(document))) > 40
    assert ungated(document) == []


def test_the_routes_that_ask_nobody_are_those_counted_here_and_say_why(document: dict[str, Any]) -> None:
    assert open_to_all(document) == OPEN
    assert all(operation["x-public"] for name, operation in operations(document) if name in OPEN)


def test_the_routes_that_the_document_cannot_show_are_those_counted_here() -> None:
    assert {path for name, text in python_files() if name.endswith(".py") for path in hidden(text)} == HIDDEN


def test_a_route_that_asks_nobody_is_found() -> None:
    document = {"paths": {"/a": {"get": {}, "post": {"x-needs": "self"}}, "/b": {"get": {"x-needs": "nobody"}}}}
    assert ungated(document) == ["GET /a"]
    assert open_to_all(document) == {"GET /b"}


@pytest.mark.parametrize(
    "source",
    ["routes.get('/x', include_in_schema=False)", "app.mount('/x', files)", "app.add_route('/x', f)"],
)
def test_a_hidden_route_is_found(source: str) -> None:
    assert hidden(source) == ["/x"]
