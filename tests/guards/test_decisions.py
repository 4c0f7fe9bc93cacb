"""A decision record says why, what it costs, what was not chosen, and which test holds it."""

import re
from pathlib import Path
from typing import Final

from tests.guards.sources import ROOT, all_tests, missing_test

FOLDER: Final = ROOT / "docs/decisions"
SECTIONS: Final = ["Context", "Decision", "Consequences", "Not chosen", "Enforced by"]
_ID: Final = re.compile(r"`tests/([\w/]+\.py(?:::\w+)?)`")


def faults(name: str, text: str, tests: dict[str, set[str]]) -> list[str]:
    """List what a record lacks."""
    found = []
    number = name[:4]
    if not re.match(
        rf"# {number}: \S[^\n]+\n\nStatus: (accepted|replaced by \d{{4}}) · Date: \d{{4}}-\d\d-\d\d · Area: \S", text
    ):
        found.append(f"{name}: begins with title, status, date and area")
    if re.findall(r"^## (.+)$", text, re.MULTILINE) != SECTIONS:
        found.append(f"{name}: has the sections {', '.join(SECTIONS)}")
    ids = _ID.findall(text.partition("## Enforced by")[2])
    if not ids:
        found.append(f"{name}: names no test that enforces it")
    for one in ids:
        wrong = (
            missing_test(one, tests) if "::" in one else "" if (ROOT / "tests" / one).exists() else f"no tests/{one}"
        )
        found += [f"{name}: {wrong}"] if wrong else []
    return found


def records(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.md"))


def test_every_record_has_its_form_and_a_test() -> None:
    tests = all_tests()
    assert [fault for path in records(FOLDER) for fault in faults(path.name, path.read_text(), tests)] == []


def test_records_are_counted_without_a_gap_and_listed_with_their_titles() -> None:
    paths = records(FOLDER)
    assert [int(path.name[:4]) for path in paths] == list(range(1, len(paths) + 1))
    index = (FOLDER / "README.md").read_text()
    for path in paths:
        title = path.read_text().splitlines()[0].removeprefix(f"# {path.name[:4]}: ")
        assert f"| [{path.name[:4]}]({path.name}) | {title} |" in index


def test_a_record_without_its_parts_is_found() -> None:
    whole = "# 0001: It\n\nStatus: accepted · Date: 2026-11-22 · Area: x\n\n" + "".join(
        f"## {one}\n\nx\n" for one in SECTIONS
    )
    tests = {"a.py": {"test_it"}}
    assert faults("0001-it.md", whole + "`tests/a.py::test_it`\n", tests) == []
    assert faults("0001-it.md", whole, tests) == ["0001-it.md: names no test that enforces it"]
    assert len(faults("0001-it.md", whole + "`tests/a.py::test_other`\n", tests)) == 1
    assert len(faults("0002-it.md", whole.replace("## Context\n\nx\n", "") + "`tests/a.py::test_it`\n", tests)) == 2
