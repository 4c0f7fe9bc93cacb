"""Every promise and every obligation says what keeps it, and that exists; what is missing is said in words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pytest

from tests.guards.sources import ROOT, all_tests, missing_test

PROMISES: Final = tuple(f"P{number}" for number in range(1, 13))
OBLIGATIONS: Final = (
    *(f"SF-{number}" for number in range(1, 13)),
    *("AC-1", "AC-2", "AC-3", "AC-4", "AC-8", "AC-11", "CP-1", "CP-2"),
    *("RT-1", "RT-2", "RT-14", "RT-15", "RT-16", "SR-4", "SR-5", "SR-8"),
    *("DR-1", "DR-4", "DR-5", "DR-7", "DR-8", "BR-3", "PV-1", "PV-7", "TL-11", "LT-1", "SE-1", "SE-2", "SE-4"),
)
NONE_YET: Final = "none yet"
_ID: Final = re.compile(r"`([\w/]+\.py::[\w]+(?:\[[\w-]+\])?)`")
_CODE: Final = re.compile(r"`([\w/.]+)`")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its id, whether it is kept, and the cells behind."""

    number: str
    kept: str
    code: str
    tests: str
    sabotage: str


def promises(page: str) -> list[Row]:
    """Read `| P1 | promise | kept | code | tests | sabotage |`."""
    lines = [line for line in page.splitlines() if re.match(r"\| P\d+ \|", line)]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [Row(one[0], one[2], one[3], one[4], one[5]) for one in cells]


def obligations(page: str) -> list[Row]:
    """Read `| SF-1 | what | state | tests |`; the state is `kept`, or `partly` or `not yet` with what is missing."""
    lines = [line for line in page.splitlines() if re.match(r"\| [A-Z]{2}-\d+ \|", line)]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [Row(one[0], "yes" if one[2] == "kept" else one[2], "", one[3], NONE_YET) for one in cells]


def faults(row: Row, tests: Mapping[str, set[str]], sources: Mapping[str, str]) -> list[str]:
    """Say what a row claims without showing it."""
    found = []
    if row.kept != "yes" and re.fullmatch(r"(partly|not yet): .{10,}", row.kept) is None:
        found.append(f"{row.number}: kept is yes, or partly or not yet with what is missing")
    for name, cell in (("tests", row.tests), ("sabotage", row.sabotage)):
        ids = _ID.findall(cell)
        if not ids and cell != NONE_YET:
            found.append(f"{row.number}: {name} are ids, or the words '{NONE_YET}'")
        found += [f"{row.number}: {wrong}" for one in ids if (wrong := missing_test(one, dict(tests), dict(sources)))]
    if not row.kept.startswith("not yet") and not _ID.findall(row.tests):
        found.append(f"{row.number}: what is kept is shown by a test")
    found += [f"{row.number}: {path} is not there" for path in _CODE.findall(row.code) if not (ROOT / path).exists()]
    return found


@pytest.fixture(scope="module")
def tests() -> dict[str, set[str]]:
    return all_tests()


@pytest.fixture(scope="module")
def sources(tests: dict[str, set[str]]) -> dict[str, str]:
    """Return where the cases of each module may be spelled out: in it, or in what lies in folders beside it."""
    folders = {(ROOT / "tests" / module).parent for module in tests}
    texts = {folder: "\n".join(path.read_text() for path in sorted(folder.rglob("*.py"))) for folder in folders}
    return {module: texts[(ROOT / "tests" / module).parent] for module in tests}


def test_every_promise_has_its_row_in_order() -> None:
    assert tuple(row.number for row in promises((ROOT / "docs/promises.md").read_text())) == PROMISES


def test_every_promise_shows_what_it_claims(tests: dict[str, set[str]], sources: dict[str, str]) -> None:
    rows = promises((ROOT / "docs/promises.md").read_text())
    assert [fault for row in rows for fault in faults(row, tests, sources)] == []


def test_every_broken_part_stands_beside_a_promise() -> None:
    told = "".join(row.sabotage for row in promises((ROOT / "docs/promises.md").read_text()))
    parts = set(re.findall(r'^    "([a-z-]+)": \(', (ROOT / "tests/stories/broken/parts.py").read_text(), re.MULTILINE))
    assert len(parts) > 10
    assert sorted(part for part in parts if f"[{part}]" not in told) == []


def test_every_core_obligation_has_its_row_in_order() -> None:
    assert len(OBLIGATIONS) == 41
    assert tuple(row.number for row in obligations((ROOT / "docs/obligations.md").read_text())) == OBLIGATIONS


def test_every_obligation_shows_what_it_claims(tests: dict[str, set[str]], sources: dict[str, str]) -> None:
    rows = obligations((ROOT / "docs/obligations.md").read_text())
    assert [fault for row in rows for fault in faults(row, tests, sources)] == []


def test_the_page_counts_its_rows_right() -> None:
    page = (ROOT / "docs/obligations.md").read_text()
    states = [row.kept.partition(":")[0] for row in obligations(page)]
    said = f"Now: {states.count('yes')} kept, {states.count('partly')} partly, {states.count('not yet')} not yet."
    assert said in page


def test_what_holds_against_each_attacker_is_shown(tests: dict[str, set[str]], sources: dict[str, str]) -> None:
    rows = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if line.startswith("| **")]
    assert len(rows) == 10
    ids = [_ID.findall(row.rpartition(" | ")[2]) for row in rows]
    assert [row for row, named in zip(rows, ids, strict=True) if not named] == []
    assert [wrong for named in ids for one in named if (wrong := missing_test(one, tests, sources))] == []


def test_a_claim_that_is_not_shown_is_found() -> None:
    lines = (
        "| # | promise | kept | code | tests | sabotage |",
        "| P1 | it | yes | `auth/gate.py` | `a.py::test_it` | `a.py::test_it[cipher-off]` |",
        "| P2 | it | yes | `auth/gates.py` | `a.py::test_it` | none yet |",
        "| P3 | it | partly | `auth/gate.py` | `a.py::test_it` | none yet |",
        "| P4 | it | yes | `auth/gate.py` | none yet | none yet |",
        "| P5 | it | partly: no backup is taken | `auth/gate.py` | `a.py::test_gone` | soon |",
        "| P6 | it | not yet: there are no holds | `auth/gate.py` | none yet | `a.py::test_it[cipher-on]` |",
    )
    page = "\n".join(lines)
    tests, sources = {"a.py": {"test_it"}}, {"a.py": 'parametrize("cipher-off")'}
    found = {row.number: faults(row, tests, sources) for row in promises(page)}
    assert found["P1"] == []
    assert found["P2"] == ["P2: auth/gates.py is not there"]
    assert found["P3"] == ["P3: kept is yes, or partly or not yet with what is missing"]
    assert found["P4"] == ["P4: what is kept is shown by a test"]
    assert len(found["P5"]) == 2
    assert found["P6"] == ["P6: a.py::test_it[cipher-on]: there is no case cipher-on"]


def test_an_obligation_is_read_from_its_row() -> None:
    page = "| id | what | state | tests |\n| SF-1 | kinds of data | partly: no list of kinds | `a.py::test_it` |\n"
    assert obligations(page) == [Row("SF-1", "partly: no list of kinds", "", "`a.py::test_it`", NONE_YET)]
