"""The commands that make an installation and bring it up to date."""

from pathlib import Path
from shlex import quote
from typing import Annotated, Final

import typer

from vms_privacy.app import Assembly, make_store
from vms_privacy.cli.asking import answer
from vms_privacy.cli.files import new_file, refuse_if_there
from vms_privacy.cli.forms import facts
from vms_privacy.cli.key_copies import recipient_in
from vms_privacy.cli.options import AsJson, DataDir, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.parts import (
    closed_afterwards,
    refuse_unless_installed,
    refuse_unless_usable,
    settings_of,
    told_of_the_database,
    warn_of_unknown_variables,
)
from vms_privacy.cli.refusals import AnswerNeeded, NoSuchStore, StoreIsThere, WordsNeeded
from vms_privacy.durable_files import write_durably
from vms_privacy.install import bring_database_up_to_date, initialise, new_bootstrap_code, refuse_if_initialised
from vms_privacy.keyring.envelope import Recipient
from vms_privacy.settings import Settings

app = command_group("Make an installation, and bring it up to date.")

NO_BACKUP_FILE: Final = "no-keyring-backup"
"""Where the words are in which no copy of the keyring was wanted, in the data folder."""
_FEWEST_LETTERS: Final = 10
_OPTIONS: Final = "--backup with --recipient, or --no-backup with the reason"
_WHY_NONE: Final = "A lost keyring is lost footage, and `init --backup` keeps a copy. Why is none wanted?"
_NEXT: Final = "Next, with the code at hand, which is shown this once:"


@app.command("init")
def init(
    data_dir: DataDir = None,
    backup: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write a copy of the keyring.")] = None,
    recipient: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The public half of whoever can open that copy.")
    ] = None,
    no_backup: Annotated[str, typer.Option(metavar="WHY", help="Why no copy of the keyring is wanted, in words.")] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Make an installation: database, keyring, journal, store, and a bootstrap code that is shown once."""
    # Ends with a copy of the keyring for a recipient, or with the words in which somebody did not want one.
    warn_of_unknown_variables()
    settings = settings_of(data_dir)
    refuse_if_initialised(settings)
    wanted = _wanted(backup, recipient, no_backup)
    with told_of_the_database():
        made = initialise(settings)
    copied = _copied(settings, wanted)
    serve = "vms-privacy serve" if data_dir is None else f"vms-privacy serve --data-dir {quote(str(made.data_dir))}"
    # Where the service will be, `serve` says itself.
    steps = [serve, "vms-privacy operator setup"]
    document = {
        "data_dir": made.data_dir,
        "installation_id": made.installation_id,
        "bootstrap_code": made.bootstrap_code,
        "keyring_backup": copied,
        "next": steps,
    }
    told = facts(
        {
            "data folder": made.data_dir,
            "keyring": settings.keyring,
            "archive": settings.archive if settings.store == "folder" else f"bucket {settings.s3_bucket}",
            "installation": made.installation_id,
            "bootstrap code": made.bootstrap_code,
            "copy of the keyring": copied or "none wanted",
        }
    )
    tell(document, [*told, "", _NEXT, *(f"  {one}" for one in steps)], as_json=as_json)


def _wanted(backup: Path | None, recipient: Path | None, no_backup: str) -> tuple[Path, Recipient] | str:
    """Return where a copy goes and for whom, else why there is none; asked for where there is a terminal.

    Raises AnswerNeeded, WordsNeeded, NotARecipient, FileUnusable, FileIsThere: all of it before anything is made.
    """
    if backup is None and recipient is None:
        return _words(no_backup) if no_backup else answer(None, _WHY_NONE, _OPTIONS, _refuse_no_words)
    if backup is None or recipient is None or no_backup:
        raise AnswerNeeded(f"what becomes of the keyring is not clear: give {_OPTIONS}")
    refuse_if_there(backup)
    return backup, recipient_in(recipient)


def _words(why: str) -> str:
    _refuse_no_words(why)
    return why


def _refuse_no_words(why: str) -> None:
    if len(why.strip()) < _FEWEST_LETTERS or "\n" in why:
        raise WordsNeeded("why no copy of the keyring is wanted has to be said in words")


def _copied(settings: Settings, wanted: tuple[Path, Recipient] | str) -> str:
    """Copy the new keyring, or keep the words in which nobody wanted that; return where the copy is."""
    with closed_afterwards(Assembly(settings)) as parts:
        if isinstance(wanted, str):
            write_durably(settings.data_dir / NO_BACKUP_FILE, f"{wanted.strip()}\n".encode())
            parts.key_copies.decline()
            return ""
        to, sealed_for = wanted
        with new_file(to) as file:
            parts.key_copies.back_up(parts.keyring, sealed_for, settings.root_life, settings.root_life, file)
        return str(to)


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


@app.command("make-store")
def make(
    name: Annotated[str, typer.Argument(help="As VMS_STORES_FILE names it.", show_default=False)],
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Make the empty folder or bucket of a store that VMS_STORES_FILE names a store of this installation."""
    settings = settings_of(data_dir)
    refuse_unless_installed(settings)
    place = next((one for one in settings.stores if one.name == name), None)
    if place is None:
        raise NoSuchStore(f"the settings name no store {name}")
    try:
        make_store(place)
    except FileExistsError:
        raise StoreIsThere(f"where the store {name} should be there is something already") from None
    tell(
        {"store": place.name, "region": place.region},
        [*facts({"store": place.name, "region": place.region}), "", "Next: start the service anew"],
        as_json=as_json,
    )
