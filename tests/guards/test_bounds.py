"""Every number that somebody may send has an end: past 64 bits a database raises, and that would be our error."""

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.guards.sources import ROOT

LARGEST: Final = 2**63 - 1


def unbounded(document: dict[str, Any]) -> Iterator[str]:
    """Go through the parameters and the members of bodies that are numbers without a largest value."""
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            for parameter in route.get("parameters", ()):
                if any(not _ends(schema) for schema in _schemas(parameter["schema"])):
                    yield f"{method} {path} {parameter['name']}"
    for name, schema in document["components"]["schemas"].items():
        if name.endswith("Body"):
            for member, inner in schema.get("properties", {}).items():
                if any(not _ends(one) for one in _schemas(inner)):
                    yield f"{name}.{member}"


def _schemas(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [schema, *schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])]


def _ends(schema: dict[str, Any]) -> bool:
    return schema.get("type") not in {"integer", "number"} or schema.get("maximum", LARGEST + 1) <= LARGEST


def test_every_number_that_may_be_sent_has_a_largest_value() -> None:
    assert list(unbounded(json.loads((ROOT / "docs/reference/openapi.json").read_text()))) == []


def test_a_number_without_an_end_is_found() -> None:
    found = unbounded(
        {
            "paths": {"/a": {"get": {"parameters": [{"name": "n", "schema": {"anyOf": [{"type": "integer"}]}}]}}},
            "components": {
                "schemas": {"ABody": {"properties": {"m": {"type": "integer", "maximum": 9}, "k": {"type": "integer"}}}}
            },
        }
    )
    assert list(found) == ["get /a n", "ABody.k"]
