"""The house's own lint rules: each shown to find what it is for, then run over the tree."""

import pytest

from tests.guards.lints.inner_imports import inner_imports
from tests.guards.lints.swallowed import swallowed_failures
from tests.guards.sources import python_files


@pytest.mark.parametrize(
    "body",
    ["pass", "...", "continue", "log.error('x')", "print(error)", "time.sleep(1)"],
)
def test_a_swallowed_failure_is_found(body: str) -> None:
    source = f"for _ in x:\n    try:\n        y()\n    except OSError as error:\n        {body}\n"
    assert swallowed_failures(source, "a.py") == ["a.py:4 swallows OSError"]


@pytest.mark.parametrize("body", ["raise", "return Refused('x')", "failures.inc()", "report.failed.append(error)"])
def test_a_failure_that_is_raised_returned_or_counted_is_fine(body: str) -> None:
    source = f"def f():\n    try:\n        y()\n    except OSError as error:\n        {body}\n"
    assert swallowed_failures(source, "a.py") == []


def test_no_failure_is_swallowed_anywhere() -> None:
    assert [found for path, text in python_files() for found in swallowed_failures(text, path)] == []


def test_an_inner_import_is_found() -> None:
    assert inner_imports("def f():\n    import os\n", "a.py") == ["a.py:2 imports inside f"]


def test_no_import_hides_inside_a_function() -> None:
    assert [found for path, text in python_files() for found in inner_imports(text, path)] == []
