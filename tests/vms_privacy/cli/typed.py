"""Commands as somebody types them, run in this process; what came out, and one that is good for every command."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
import typer

from vms_privacy.cli.commands import every_command
from vms_privacy.cli.running import run

NO_BACKUP: Final = ("--no-backup", "nothing of it is worth keeping")
"""With what `init` ends where nobody wants a copy of the keyring."""


@dataclass(frozen=True, slots=True)
class Said:
    """Exit code and both outputs of one command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one document on standard output. Fails if there is more or less than one."""
        return json.loads(self.out)


def say(capsys: pytest.CaptureFixture[str], *words: object) -> Said:
    """Run a command."""
    capsys.readouterr()
    code = run([str(word) for word in words])
    out, err = capsys.readouterr()
    return Said(code, out, err)


def leaves() -> Mapping[str, Any]:
    """Return every command by its words: `camera list`."""
    return dict(_walk(typer.main.get_command(every_command()), ""))


def _walk(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    for name, one in inner.items():
        yield from _walk(one, f"{words} {name}".strip())
