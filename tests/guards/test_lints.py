"""The house's own lint rules: each shown to find what it is for, then run over the tree."""

import pytest

from tests.guards.lints.excuses import unexplained_excuses
from tests.guards.lints.files import opened_files
from tests.guards.lints.inner_imports import inner_imports
from tests.guards.lints.logs import careless_logs
from tests.guards.lints.naive import naive_moments
from tests.guards.lints.swallowed import CALM, swallowed_failures
from tests.guards.sources import PACKAGES, python_files


@pytest.mark.parametrize(
    "body",
    ["pass", "...", "continue", "log.error('x')", "log.error(error)", "print(error)", "time.sleep(1)", "last = None"],
)
def test_a_swallowed_failure_is_found(body: str) -> None:
    source = f"for _ in x:\n    try:\n        y()\n    except OSError as error:\n        {body}\n"
    assert swallowed_failures(source, "a.py") == ["a.py:4 swallows OSError"]


@pytest.mark.parametrize(
    "body",
    [
        "raise",
        "return Refused('x')",
        "failures.inc()",
        "report.failed.append(error)",
        "report.failed[one] = type(error).__name__",
        "self._failed(error)",
        "sys.exit(1)",
    ],
)
def test_a_failure_that_is_raised_returned_counted_or_kept_is_fine(body: str) -> None:
    source = f"def f():\n    try:\n        y()\n    except OSError as error:\n        {body}\n"
    assert swallowed_failures(source, "a.py") == []


def test_no_failure_is_swallowed_anywhere() -> None:
    assert [found for path, text in python_files() for found in swallowed_failures(text, path, CALM)] == []


def test_every_calm_handler_is_still_there() -> None:
    found = [one for path, text in python_files() for one in swallowed_failures(text, path)]
    for path, caught in CALM:
        assert any(one.startswith(f"{path}:") and one.endswith(f" swallows {caught}") for one in found), (path, caught)


def test_an_inner_import_is_found() -> None:
    assert inner_imports("def f():\n    import os\n", "a.py") == ["a.py:2 imports inside f"]


def test_no_import_hides_inside_a_function() -> None:
    assert [found for path, text in python_files() for found in inner_imports(text, path)] == []


@pytest.mark.parametrize(
    "comment", ["# noqa", "# noqa: BLE001", "# noqa: BLE001, S110", "# noqa: BLE001 -", "#noqa:S110"]
)
def test_a_suppression_without_a_reason_is_found(comment: str) -> None:
    assert unexplained_excuses(f"x = 1  {comment}\n", "a.py") == ["a.py:1 suppresses a rule and does not say why"]


@pytest.mark.parametrize("line", ["x = 1  # noqa: BLE001 - it is counted", "x = '# noqa'", "x = 1  # an ordinary word"])
def test_a_suppression_with_a_reason_is_fine(line: str) -> None:
    assert unexplained_excuses(f"{line}\n", "a.py") == []


def test_every_suppression_says_why() -> None:
    files = python_files(*PACKAGES, "tests")
    assert [found for path, text in files for found in unexplained_excuses(text, path)] == []


@pytest.mark.parametrize(
    "call",
    [
        "_log.info(f'camera {name} is gone')",
        "_log.info('the camera is gone')",
        "self._log.error('camera-gone', error=error)",
        "log.warning('camera-gone', why=str(error))",
        "_log.error('camera-gone', what=f'{host}')",
        "_log.info('camera-gone', camera_url=it)",
        "_log.info('logged-in', password=it)",
        "_log.info('token-issued', **claims)",
        "print('hello')",
    ],
)
def test_a_careless_log_line_is_found(call: str) -> None:
    assert len(careless_logs(call, "a.py")) == 1


@pytest.mark.parametrize(
    "call",
    [
        "_log.error('unforeseen-error', error=type(error).__name__)",
        "_log.info('recovered', closed=3)",
        "audit.log('x y')",
        "math.log(2)",
    ],
)
def test_a_careful_log_line_is_fine(call: str) -> None:
    assert careless_logs(call, "a.py") == []


def test_no_log_line_is_careless_and_nothing_prints() -> None:
    assert [found for path, text in python_files() for found in careless_logs(text, path)] == []


@pytest.mark.parametrize(
    "source", ["now.replace(tzinfo=None)", "x = mapped_column(DateTime)", "Column('x', DateTime())"]
)
def test_a_moment_without_a_zone_is_found(source: str) -> None:
    assert len(naive_moments(source, "a.py")) == 1


@pytest.mark.parametrize("source", ["now.replace(tzinfo=UTC)", "x = mapped_column(UTCDateTime)"])
def test_a_moment_with_a_zone_is_fine(source: str) -> None:
    assert naive_moments(source, "a.py") == []


def test_no_moment_loses_its_zone() -> None:
    assert [found for path, text in python_files() for found in naive_moments(text, path)] == []


@pytest.mark.parametrize(
    "source",
    [
        "open(path, 'wb')",
        "os.open(path, flags)",
        "Path(path).open('wb')",
        "Path(path).write_bytes(data)",
        "import tempfile",
        "from tempfile import TemporaryFile",
        "import mmap",
        "gzip.open(path)",
    ],
)
def test_a_file_opened_in_a_live_path_is_found(source: str) -> None:
    assert len(opened_files(source, "a.py")) == 1


@pytest.mark.parametrize(
    "source", ["av.open(io.BytesIO(data))", "keyring.open(sealed)", "codec.open()", "io.BytesIO(x)"]
)
def test_opening_something_else_is_fine(source: str) -> None:
    assert opened_files(source, "a.py") == []


def test_nothing_in_streams_opens_a_file() -> None:
    assert [found for path, text in python_files("streams") for found in opened_files(text, path)] == []
