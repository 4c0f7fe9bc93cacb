"""The commands that make an installation and bring it up to date."""

from shlex import quote
from typing import Final

from vms_privacy.cli.forms import facts
from vms_privacy.cli.options import AsJson, DataDir, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.parts import (
    refuse_unless_installed,
    refuse_unless_usable,
    settings_of,
    told_of_the_database,
    warn_of_unknown_variables,
)
from vms_privacy.install import bring_database_up_to_date, initialise, new_bootstrap_code

app = command_group("Make an installation, and bring it up to date.")

_NEXT: Final = "Next, with the code at hand, which is shown this once:"


@app.command("init")
def init(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Make an installation: database, keyring, journal, store, and a bootstrap code that is shown once."""
    warn_of_unknown_variables()
    settings = settings_of(data_dir)
    with told_of_the_database():
        made = initialise(settings)
    serve = "vms-privacy serve" if data_dir is None else f"vms-privacy serve --data-dir {quote(str(made.data_dir))}"
    # Where the service will be, `serve` says itself.
    steps = [serve, "vms-privacy operator setup"]
    document = {
        "data_dir": made.data_dir,
        "installation_id": made.installation_id,
        "bootstrap_code": made.bootstrap_code,
        "next": steps,
    }
    told = facts(
        {
            "data folder": made.data_dir,
            "keyring": settings.keyring,
            "archive": settings.archive if settings.store == "folder" else f"bucket {settings.s3_bucket}",
            "installation": made.installation_id,
            "bootstrap code": made.bootstrap_code,
        }
    )
    tell(document, [*told, "", _NEXT, *(f"  {one}" for one in steps)], as_json=as_json)


@app.command("bootstrap-code")
def bootstrap_code(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Make another bootstrap code where the first was lost; the old one stops working."""
    settings = settings_of(data_dir)
    refuse_unless_usable(settings)
    with told_of_the_database():
        code = new_bootstrap_code(settings)
    tell(
        {"bootstrap_code": code},
        [*facts({"bootstrap code": code}), "", "Next: vms-privacy operator setup"],
        as_json=as_json,
    )


@app.command("migrate")
def migrate(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Bring the database to this program's version. Stop the service and back up before."""
    settings = settings_of(data_dir)
    refuse_unless_installed(settings)
    with told_of_the_database():
        bring_database_up_to_date(settings)
    tell({"schema": "current"}, ["The database is of this program's version."], as_json=as_json)
