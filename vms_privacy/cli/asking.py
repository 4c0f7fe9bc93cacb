"""Asking whoever sits at the terminal: hidden for secrets, never on standard output, never without a terminal."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from vms_privacy.cli.output import note
from vms_privacy.cli.refusals import AnswerNeeded, FileUnusable
from vms_privacy.errors import Refusal

Check = Callable[[str], None]
"""Says whether an answer will do. Raises the Refusal that says why not."""

_LONGEST_SECRET: Final = 4096

PasswordFile = Annotated[
    Path | None,
    typer.Option(
        help="Read the password from the first line of this file, `-` for standard input; else it is asked for."
    ),
]


def anything(_: str) -> None:
    """Take whatever is answered."""


def answer(given: str | None, question: str, option: str, check: Check = anything) -> str:
    """Return what was given, else what is answered; an answer that will not do is asked for again.

    Raises AnswerNeeded where there is nobody to ask, and what `check` raises of what was given.
    """
    refuse_early(given, option, check)
    if given:
        return given
    return _until_it_will_do(lambda: typer.prompt(question, err=True), check)


def answer_if_any(given: str, question: str) -> str:
    """Return what was given, else what is answered, which may be nothing; nothing too where there is nobody to ask."""
    if given or not sys.stdin.isatty():
        return given
    told: Any = typer.prompt(question, default="", show_default=False, err=True)
    return str(told)


def secret(file: Path | None, question: str, option: str, *, twice: bool = False, check: Check = anything) -> str:
    """Return the first line of a file, else what is typed, unseen; what will not do is asked for again.

    Raises AnswerNeeded, OSError, and what `check` raises of what a file holds.
    """
    if file is not None:
        line = _first_line(file, option)
        check(line)
        return line
    _refuse_without_terminal(option)
    return _until_it_will_do(
        lambda: typer.prompt(question, err=True, hide_input=True, confirmation_prompt=twice), check
    )


def refuse_early(given: object, option: str, check: Check = anything) -> None:
    """Refuse what was given and will not do, and what is missing where there is nobody to ask: before anything else."""
    if not given:
        _refuse_without_terminal(option)
    else:
        check(str(given))


def agree(text: str, option: str, *, already: bool) -> None:
    """Go on only if it was agreed to. Raises typer.Abort for a no, AnswerNeeded where there is nobody to ask."""
    if not already:
        _refuse_without_terminal(option)
        typer.confirm(text, abort=True, err=True)


def _until_it_will_do(ask: Callable[[], Any], check: Check) -> str:
    while True:
        told = str(ask())
        refusal = _refusal_of(told, check)
        if refusal is None:
            return told
        note(f"{refusal.detail}.")


def _refusal_of(told: str, check: Check) -> Refusal | None:
    try:
        check(told)
    except Refusal as refusal:
        return refusal
    return None


def _first_line(file: Path, option: str) -> str:
    if str(file) == "-":
        text = sys.stdin.readline(_LONGEST_SECRET)
    else:
        try:
            with file.open(encoding="utf-8") as opened:
                text = opened.readline(_LONGEST_SECRET)
        except UnicodeDecodeError:
            raise FileUnusable(f"{file} is no text in UTF-8") from None
    line = text.rstrip("\r\n")
    if not line:
        raise AnswerNeeded(f"what {option} names begins with an empty line")
    return line


def _refuse_without_terminal(option: str) -> None:
    if not sys.stdin.isatty():
        raise AnswerNeeded(f"there is no terminal to ask at: give {option}")
