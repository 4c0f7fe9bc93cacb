"""What `check` says of what it found, and of what it lets pass."""

from archive.check.rules import Finding, Kind
from archive.check.service import CheckReport
from vms_privacy.cli.checking import document_of, lines_of


def test_time_that_is_not_accounted_for_and_no_finding_is_told_with_its_tolerance() -> None:
    report = CheckReport([], {"unaccounted_ms": 89, "tolerated_ms": 89})
    lines = lines_of(report)
    assert lines[-2] == "Everything is accounted for."
    assert lines[-1].startswith("89 ms of the opted-in time are in no segment and no gap")
    assert "the 1 s between segments that is tolerated" in lines[-1]
    assert document_of(report)["tolerated"] == lines[-1]


def test_where_nothing_is_tolerated_nothing_is_said_of_it() -> None:
    report = CheckReport([Finding(Kind.UNACCOUNTED)], {"unaccounted_ms": 2000, "tolerated_ms": 0})
    assert lines_of(report)[-2:] == ["1 finding(s):", "  unaccounted"]
    assert document_of(report)["tolerated"] == ""
