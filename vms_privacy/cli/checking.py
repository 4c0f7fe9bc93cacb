"""The command that accounts for everything. It changes nothing."""

import typer

from vms_privacy.cli.forms import table
from vms_privacy.cli.options import AsJson, DataDir, command_group
from vms_privacy.cli.output import FOUND_WRONG, tell
from vms_privacy.cli.parts import assembly_of, told_of_the_database

app = command_group("Check what there is.")


@app.command("check")
def check(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Account for every second, row, blob and key. Works beside a running service; exits 6 if anything is found."""
    parts = assembly_of(data_dir)
    with told_of_the_database():
        report = parts.checker(is_service=False).check()
    findings = [str(one) for one in report.findings]
    document = {"clean": report.is_clean, "totals": report.totals, "findings": findings}
    totals = table(
        ("looked at", "how many"), ((name.replace("_", " "), f"{n:,}") for name, n in report.totals.items()), ""
    )
    verdict = "Everything is accounted for." if report.is_clean else f"{len(findings)} finding(s):"
    tell(document, [*totals, "", verdict, *(f"  {one}" for one in findings)], as_json=as_json)
    if not report.is_clean:
        raise typer.Exit(FOUND_WRONG)
