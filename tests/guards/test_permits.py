"""A `RecordingPermit` is built in `vms_privacy/consent/rules.py` and nowhere else.

A recorder that makes its own permit records without an opt-in, and no type error shows it. A test may forge one, to
show what happens then.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOME = "vms_privacy/consent/rules.py"
ROOMS = ("vms_privacy", "auth", "streams", "archive")
PERMIT = "RecordingPermit"
HARMLESS = frozenset({"isinstance", "issubclass"})


def forged_permits(source: str, path: str) -> list[str]:
    """Name each place that builds, copies, subclasses or renames the permit's class."""
    if path == HOME:
        return []
    return [f"{path}:{line} {what}" for line, what in sorted(_findings(ast.parse(source)))]


def _findings(tree: ast.Module) -> set[tuple[int, str]]:
    return {
        (node.lineno, what)
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt | ast.expr) and (what := _forgery(node)) is not None
    }


def _forgery(node: ast.stmt | ast.expr) -> str | None:
    match node:
        case ast.Call(func=func) if _is_permit(func):
            return "builds a permit"
        case ast.Call(func=func) if _name(func) == "replace" and _speaks_of_permit(node):
            return "copies a permit"
        case ast.Call(func=func, args=args) if any(map(_is_permit, args)) and _name(func) not in HARMLESS:
            return "hands the class on"
        case ast.ClassDef(bases=bases) if any(map(_is_permit, bases)):
            return "subclasses the permit"
        case ast.ImportFrom(names=names) if any(map(_is_renamed, names)):
            return "renames the permit"
        case ast.Assign(value=value) if _is_permit(value):
            return "renames the permit"
    return None


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_permit(node: ast.expr) -> bool:
    return _name(node) == PERMIT


def _is_renamed(alias: ast.alias) -> bool:
    return alias.name == PERMIT and alias.asname not in {None, PERMIT}


def _speaks_of_permit(call: ast.Call) -> bool:
    return any("permit" in _name(argument).lower() for argument in call.args)


def test_permits_are_built_only_where_the_ledger_is_folded() -> None:
    found = []
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            found += forged_permits(file.read_text(), file.relative_to(ROOT).as_posix())
    assert found == []


def test_the_home_of_the_permit_is_where_the_guard_thinks() -> None:
    assert f"class {PERMIT}:" in (ROOT / HOME).read_text()


@pytest.mark.parametrize(
    "source",
    [
        "RecordingPermit(camera, entry, given, None, later)",
        "rules.RecordingPermit(camera, entry, given, None, later)",
        "replace(permit, ask_again_at=later)",
        "dataclasses.replace(self.permit, camera_id=other)",
        "class Mine(RecordingPermit): pass",
        "from vms_privacy.consent.rules import RecordingPermit as Quiet",
        "Quiet = RecordingPermit",
        "object.__new__(RecordingPermit)",
        "make(RecordingPermit)",
    ],
)
def test_a_forged_permit_is_seen(source: str) -> None:
    assert len(forged_permits(source, "archive/recorder/service.py")) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from vms_privacy.consent.rules import RecordingPermit",
        "def record(permit: RecordingPermit | None) -> None: ...",
        "isinstance(value, RecordingPermit)",
        "permit = permit_at(entries, camera_id, now)",
        "replace(segment, ends_at=now)",
    ],
)
def test_using_a_permit_is_not_forging_one(source: str) -> None:
    assert forged_permits(source, "archive/recorder/service.py") == []


def test_the_fold_itself_may_build_one() -> None:
    assert forged_permits("RecordingPermit(camera)", HOME) == []
