"""What many commands take: where the service is, where the data lies, which form the answer has."""

from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from vms_privacy.cli.refusals import SettingsAreWrong
from vms_privacy.settings import Settings

DEFAULT_URL: Final = "http://127.0.0.1:8080"
_SAID_BY_PYDANTIC: Final = "Value error, "

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines for people.")]
DataDir = Annotated[Path | None, typer.Option(help="Data folder; VMS_DATA_DIR and other settings apply as well.")]
Url = Annotated[str, typer.Option(envvar="VMS_URL", help="Where the service is.")]
CameraName = Annotated[str, typer.Argument(metavar="NAME", help="The camera's name.", show_default=False)]


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


def command_group(says: str) -> typer.Typer:
    """Return a group of commands. A failure never shows the values of variables: they may be secrets."""
    return typer.Typer(help=says, no_args_is_help=True, pretty_exceptions_enable=False)
