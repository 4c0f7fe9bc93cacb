"""Asking whoever sits at the terminal: hidden for secrets, never on standard output, never without a terminal."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vms_privacy.cli.refusals import AnswerNeeded

_LONGEST_SECRET: Final = 4096

PasswordFile = Annotated[
    Path | None,
    typer.Option(
        help="Read the password from the first line of this file, `-` for standard input; else it is asked for."
    ),
]


def answer(given: str | None, question: str, option: str) -> str:
    """Return what was given, else what is answered. Raises AnswerNeeded where there is nobody to ask."""
    if given:
        return given
    _refuse_without_terminal(option)
    told: Any = typer.prompt(question, err=True)
    return str(told)


def secret(file: Path | None, question: str, option: str, *, twice: bool = False) -> str:
    """Return the first line of a file, else what is typed, unseen. Raises AnswerNeeded, OSError."""
    if file is not None:
        return _first_line(file, option)
    _refuse_without_terminal(option)
    told: Any = typer.prompt(question, err=True, hide_input=True, confirmation_prompt=twice)
    return str(told)


def agree(text: str, option: str, *, already: bool) -> None:
    """Go on only if it was agreed to. Raises typer.Abort for a no, AnswerNeeded where there is nobody to ask."""
    if not already:
        _refuse_without_terminal(option)
        typer.confirm(text, abort=True, err=True)


def _first_line(file: Path, option: str) -> str:
    if str(file) == "-":
        text = sys.stdin.readline(_LONGEST_SECRET)
    else:
        with file.open(encoding="utf-8") as opened:
            text = opened.readline(_LONGEST_SECRET)
    line = text.rstrip("\r\n")
    if not line:
        raise AnswerNeeded(f"what {option} names begins with an empty line")
    return line


def _refuse_without_terminal(option: str) -> None:
    if not sys.stdin.isatty():
        raise AnswerNeeded(f"there is no terminal to ask at: give {option}")
