"""Every fault of the page names the tests that bring it about, and they exist."""

import re
from typing import Final

import pytest

from tests.guards.sources import ROOT, all_tests, missing_test

PAGE: Final = ROOT / "docs/design/faults.md"
_ROW: Final = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_ID: Final = re.compile(r"`([\w/]+\.py::\w+)`")


def faults_of(page: str) -> dict[str, list[str]]:
    """Return the tests of each fault of the table."""
    rows = [row for row in _ROW.findall(page) if row[0] != "fault"]
    return {row[0]: _ID.findall(row[3]) for row in rows}


def test_every_fault_names_tests_that_exist() -> None:
    found, tests = faults_of(PAGE.read_text()), all_tests()
    assert len(found) > 20
    assert [fault for fault, ids in found.items() if not ids] == []
    assert [wrong for ids in found.values() for one in ids if (wrong := missing_test(one, tests))] == []


def test_every_test_of_faults_stands_in_the_page() -> None:
    named = {one for ids in faults_of(PAGE.read_text()).values() for one in ids}
    mine = {f"archive/test_faults.py::{name}" for name in all_tests()["archive/test_faults.py"]}
    assert mine <= named


@pytest.mark.parametrize("cell", ["", "`archive/test_faults.py::test_that_nobody_wrote`"])
def test_a_fault_without_a_test_is_found(cell: str) -> None:
    head = "| fault | meanwhile | at the end | shown by |\n|---|---|---|---|\n"
    page = f"{head}| fire | nothing | clean | {cell or '-'} |\n"
    ((fault, ids),) = faults_of(page).items()
    assert fault == "fire"
    assert not ids or missing_test(ids[0], all_tests())
