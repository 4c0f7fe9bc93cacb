"""The command that accounts for everything. It changes nothing."""

from collections.abc import Mapping

import typer

from archive.check.rules import SECOND_US
from archive.check.service import CheckReport
from vms_privacy.cli.forms import table
from vms_privacy.cli.options import AsJson, DataDir, command_group
from vms_privacy.cli.output import FOUND_WRONG, tell
from vms_privacy.cli.parts import assembly_of, told_of_the_database, warn_of_unknown_variables

app = command_group("Check what there is.")


@app.command("check")
def check(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Account for every second, row, blob and key. Works beside a running service; exits 6 if anything is found."""
    warn_of_unknown_variables()
    parts = assembly_of(data_dir)
    with told_of_the_database():
        report = parts.checker(is_service=False).check()
    tell(document_of(report), lines_of(report), as_json=as_json)
    if not report.is_clean:
        raise typer.Exit(FOUND_WRONG)


def document_of(report: CheckReport) -> Mapping[str, object]:
    """Return a report for programs."""
    findings = [str(one) for one in report.findings]
    return {
        "clean": report.is_clean,
        "totals": report.totals,
        "tolerated": _tolerated(report),
        "findings": findings,
    }


def lines_of(report: CheckReport) -> list[str]:
    """Return a report for people."""
    told = ((name.replace("_", " "), f"{n:,}") for name, n in report.totals.items())
    verdict = "Everything is accounted for." if report.is_clean else f"{len(report.findings)} finding(s):"
    found = [f"  {one}" for one in report.findings]
    tolerated = _tolerated(report)
    return [*table(("looked at", "how many"), told, ""), "", verdict, *found, *([tolerated] if tolerated else [])]


def _tolerated(report: CheckReport) -> str:
    """Say why time that is not accounted for is no finding; nothing where there is none."""
    milliseconds = report.totals.get("tolerated_ms", 0)
    if not milliseconds:
        return ""
    return (
        f"{milliseconds:,} ms of the opted-in time are in no segment and no gap, in stretches that are each shorter "
        f"than the {SECOND_US // 1_000_000} s between segments that is tolerated."
    )
