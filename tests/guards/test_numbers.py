"""The numbers that the documents promise are the numbers that the code has."""

import importlib
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from pydantic_settings import BaseSettings

from tests.guards.sources import ROOT, python_files

PAGE: Final = ROOT / "docs/design/goals.md"
_ROW: Final = re.compile(r"^\| [^|]+ \| (?P<value>[\d,]+ ?[A-Za-z]*) \| `(?P<where>[\w.]+)` \|$", re.MULTILINE)
_UNITS: Final = {
    "ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400, "": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3,
}  # fmt: skip


def rows(page: str) -> Iterator[tuple[str, str]]:
    """Go through (value, where) of the table of numbers."""
    for row in _ROW.finditer(page):
        yield row["value"], row["where"]


def told(value: str) -> float:
    """Read a number with its unit: seconds, bytes, or a plain count."""
    found = re.fullmatch(r"([\d,]+) ?([A-Za-z]*)", value)
    if found is None or found[2] not in _UNITS:
        raise ValueError(f"{value} is no number with a unit")
    return int(found[1].replace(",", "")) * _UNITS[found[2]]


def meant(where: str) -> float:
    """Return what the code has, in seconds, bytes, or as a count. A name ending in `_US` holds microseconds."""
    module, _, name = where.rpartition(".")
    if module.endswith(".Settings"):
        return in_units(_settings(module.rpartition(".")[0])[name].default, name)
    if module.rpartition(".")[2][:1].isupper():
        module, _, owner = module.rpartition(".")
        return in_units(getattr(getattr(importlib.import_module(module), owner)(), name), name)
    return in_units(getattr(importlib.import_module(module), name), name)


def in_units(value: Any, name: str) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return float(value) / 1_000_000 if name.lower().endswith("_us") else float(value)


def _settings(module: str) -> Any:
    found: type[BaseSettings] = importlib.import_module(module).Settings
    return found.model_fields


@pytest.mark.parametrize(("value", "where"), list(rows(PAGE.read_text())) if PAGE.exists() else [])
def test_a_number_of_the_page_is_the_number_of_the_code(value: str, where: str) -> None:
    assert meant(where) == told(value)


def test_the_page_has_its_numbers() -> None:
    assert len(list(rows(PAGE.read_text()))) > 20


@pytest.mark.parametrize(
    ("value", "number"), [("72 h", 259200), ("500 ms", 0.5), ("64 KiB", 65536), ("1,024", 1024), ("30 d", 2592000)]
)
def test_a_number_is_read_with_its_unit(value: str, number: float) -> None:
    assert told(value) == number


def test_a_wrong_number_is_found() -> None:
    assert list(rows("| retention | 71 h | `archive.retention.rules.DEFAULT_KEEP_FOR` |\n")) != []
    assert meant("archive.retention.rules.DEFAULT_KEEP_FOR") != told("71 h")


def test_the_audit_is_sealed_each_second_and_signed_each_minute(tmp_path: Any) -> None:
    from vms_privacy.app import Assembly
    from vms_privacy.rounds import jobs_of
    from vms_privacy.settings import Settings

    every = {job.name: job.every for job in jobs_of(Assembly(Settings(data_dir=tmp_path)))}
    assert every["seal"] <= timedelta(seconds=1)
    assert every["checkpoint"] <= timedelta(seconds=60)
    assert every["rejudge"] <= timedelta(milliseconds=500)
    assert every["heartbeat"] < timedelta(seconds=1)


def unused_settings(fields: set[str], sources: str) -> list[str]:
    return sorted(name for name in fields if re.search(rf"(?:settings|self)\.{name}\b", sources) is None)


def test_every_setting_does_something() -> None:
    from vms_privacy.settings import Settings

    read = "\n".join(
        text.partition("def manual()")[0] if path == "vms_privacy/settings.py" else text
        for path, text in python_files()
    )
    assert unused_settings(set(Settings.model_fields), read) == []


def test_a_setting_that_nothing_reads_is_found() -> None:
    assert unused_settings({"host", "hosts"}, "bind(settings.host)") == ["hosts"]
