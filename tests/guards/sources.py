"""The project's own files, as the guards read them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.guards.lints.parsing import nodes

ROOT = Path(__file__).parents[2]
PACKAGES = ("vms_privacy", "auth", "streams", "archive")


def python_files(*folders: str) -> Iterator[tuple[str, str]]:
    """Go through (path from the root, text) of the Python files in these folders."""
    for folder in folders or PACKAGES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def kept_files() -> list[Path]:
    """Return what is in the tree: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def documents() -> Iterator[tuple[str, str]]:
    """Go through (path from the root, text) of every Markdown page in the tree."""
    for path in sorted(kept_files()):
        if path.suffix == ".md":
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def tests_in(source: str) -> set[str]:
    """Return the names of the tests of a module, found without running it; state machines count by their class."""
    found = set()
    for node in nodes(source):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            found.add(node.name)
        if isinstance(node, ast.ClassDef) and any("RuleBasedStateMachine" in ast.unparse(base) for base in node.bases):
            found.add(node.name)
    return found


@cache
def all_tests() -> dict[str, set[str]]:
    """Return the tests of each module, by its path from `tests/`. Nobody changes it."""
    return {
        path.removeprefix("tests/"): tests_in(text)
        for path, text in python_files("tests")
        if path.rsplit("/", 1)[-1].startswith("test_")
    }


def missing_test(test_id: str, tests: dict[str, set[str]], sources: dict[str, str] | None = None) -> str:
    """Say what is wrong with an id such as `archive/test_keys.py::test_x` or `…::test_x[case]`; empty if nothing is.

    `sources` are the modules' texts: with them a case must be spelled out in its module.
    """
    module, _, name = test_id.partition("::")
    name, _, case = name.partition("[")
    if module not in tests:
        return f"{test_id}: there is no tests/{module}"
    if name not in tests[module]:
        return f"{test_id}: there is no {name} in tests/{module}"
    if case and sources is not None and f'"{case.removesuffix("]")}"' not in sources[module]:
        return f"{test_id}: there is no case {case.removesuffix(']')}"
    return ""
