"""What many commands take: where the service is, where the data lies, which form the answer has."""

from pathlib import Path
from typing import Annotated, Final

import typer

DEFAULT_URL: Final = "http://127.0.0.1:8080"

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines for people.")]
DataDir = Annotated[Path | None, typer.Option(help="Data folder; VMS_DATA_DIR and other settings apply as well.")]
Url = Annotated[str, typer.Option(envvar="VMS_URL", help="Where the service is.")]
CameraName = Annotated[str, typer.Argument(metavar="NAME", help="The camera's name.", show_default=False)]


def command_group(says: str) -> typer.Typer:
    """Return a group of commands. A failure never shows the values of variables: they may be secrets."""
    return typer.Typer(help=says, no_args_is_help=True, pretty_exceptions_enable=False)
