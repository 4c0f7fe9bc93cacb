"""The installation in a data folder, as commands open it; what the database says becomes a refusal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from sqlalchemy.exc import DatabaseError, OperationalError

from vms_privacy.app import Assembly
from vms_privacy.cli.output import note
from vms_privacy.cli.refusals import DatabaseIsDamaged, DatabaseUnavailable, SettingsAreWrong
from vms_privacy.install import NotInitialised, refuse_unless_ready
from vms_privacy.settings import Settings, unknown_variables

_SAID_BY_PYDANTIC: Final = "Value error, "


def settings_of(data_dir: Path | None) -> Settings:
    """Read the settings, with this data folder if one is named. Raises SettingsAreWrong, which repeats no value."""
    try:
        return Settings() if data_dir is None else Settings(data_dir=data_dir.absolute())
    except ValidationError as error:
        told = [
            ": ".join(
                [*(f"VMS_{str(part).upper()}" for part in one["loc"][:1]), one["msg"].removeprefix(_SAID_BY_PYDANTIC)]
            )
            for one in error.errors(include_url=False, include_input=False)
        ]
        raise SettingsAreWrong("; ".join(told)) from None


def warn_of_unknown_variables() -> None:
    """Say which variables look like settings and are none: what was meant by them is not done."""
    for name, nearest in unknown_variables().items():
        meant = f"; did you mean {nearest}?" if nearest else "; `vms-privacy settings-manual` lists them"
        note(f"warning: {name} is no setting and changes nothing{meant}")


@contextmanager
def told_of_the_database() -> Iterator[None]:
    """Turn what the database says into a refusal, without its text: it holds values of rows."""
    try:
        yield
    except OperationalError:
        raise DatabaseUnavailable("the database cannot be opened, or does not answer") from None
    except DatabaseError:
        raise DatabaseIsDamaged("what lies where the database should be is no database, or not a whole one") from None


def refuse_unless_installed(settings: Settings) -> None:
    """Raise NotInitialised where there is no installation, DatabaseUnavailable where its database file is missing."""
    if not (settings.data_dir / "installation-id").exists():
        raise NotInitialised(f"there is no installation in {settings.data_dir}")
    if settings.database_url is None and not (settings.data_dir / "vms-privacy.db").exists():
        # Left to itself, the library would make an empty one.
        raise DatabaseUnavailable(f"there is an installation in {settings.data_dir}, but its database is missing")


def refuse_unless_usable(settings: Settings) -> None:
    """Raise what stands against starting anything on this installation."""
    refuse_unless_installed(settings)
    with told_of_the_database():
        refuse_unless_ready(settings)


@contextmanager
def closed_afterwards(parts: Assembly) -> Iterator[Assembly]:
    """Give the journal's lock and the database's connections back at the end, also of a command that is refused.

    What the database says becomes a refusal.
    """
    try:
        with told_of_the_database():
            yield parts
    finally:
        made = vars(parts)
        if "journal" in made:
            parts.journal.close()
        if "db" in made:
            parts.db.close()


def assembly_of(data_dir: Path | None) -> Assembly:
    """Return the parts of the installation in a folder. Raises what stands against using it."""
    settings = settings_of(data_dir)
    refuse_unless_usable(settings)
    return Assembly(settings)
