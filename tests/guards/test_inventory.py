"""Every table says what it holds, and docs/reference/data-inventory.md says for how long and why."""

import importlib
import pkgutil
import re
from typing import Final

import pytest

from tests.guards.sources import PACKAGES, ROOT
from vms_privacy.db import Base

PAGE: Final = ROOT / "docs/reference/data-inventory.md"
_ROW: Final = re.compile(r"^\| `([a-z_]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
CLASSES: Final = frozenset({"footage", "keys", "camera", "opt-in", "account", "access", "audit", "evidence"})


@pytest.fixture(scope="module", autouse=True)
def every_table_is_known() -> None:
    for room in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}."):
            if module.name.endswith(".tables"):
                importlib.import_module(module.name)


def faults(page: str, tables: set[str]) -> list[str]:
    """List tables that the page leaves out, lists twice, or knows though they are gone, and classes it invents."""
    rows = _ROW.findall(page)
    names = [row[0] for row in rows]
    return [
        *(f"{name} is not in the inventory" for name in sorted(tables - set(names))),
        *(f"{name} is no table" for name in names if name not in tables),
        *(f"{name} is listed twice" for name in sorted({name for name in names if names.count(name) > 1})),
        *(f"{row[0]}: {row[2].strip()} is no class" for row in rows if row[2].strip() not in CLASSES),
    ]


def test_every_table_is_in_the_inventory_once() -> None:
    assert faults(PAGE.read_text(), set(Base.metadata.tables)) == []


def test_a_table_without_a_row_and_a_row_without_a_table_are_found() -> None:
    page = "| `a` | x | audit | always | because |\n| `b` | x | profiling | always | because |\n"
    assert faults(page, {"a", "c"}) == ["c is not in the inventory", "b is no table", "b: profiling is no class"]


def test_every_table_says_what_it_holds() -> None:
    silent = [mapper.class_.__name__ for mapper in Base.registry.mappers if not (mapper.class_.__doc__ or "").strip()]
    assert silent == []


def test_no_table_could_hold_a_picture_in_clear() -> None:
    """Footage is in files alone; what is binary in a row is a digest, an id, a wrap, a seal or a signed document."""
    binary = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if "BLOB" in str(column.type.compile()) or "Binary" in type(column.type).__name__
    }
    small = {"_digest", "digest", "_tag", "salt", "_id", "leaf", "head"}
    rest = {name for name in binary if not name.endswith(tuple(small))}
    assert rest == {
        "segment.wrapped_key",
        "segment_ahead.wrapped_key",
        "camera.sealed_url",
        "receipt.document",
        "receipt_summary.document",
        "subject_request.sealed_contact",
        "subject_request.sealed_words",
    }
