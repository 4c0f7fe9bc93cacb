"""Every command and where it lives: commands that stand alone, and groups of them.

A room is loaded when one of its commands is typed: loading all of the service before each question to it would take
longer than the answer.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

import typer

ALONE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "init": "installing",
        "bootstrap-code": "installing",
        "migrate": "installing",
        "serve": "serving",
        "status": "status",
        "check": "checking",
        "audit": "auditing",
        "problems": "documents",
        "openapi": "documents",
        "settings-manual": "documents",
        "demo": "simulating",
        "camera-sim": "simulating",
    }
)
GROUPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "operator": ("operators", "people"),
        "camera": ("cameras", "keeping", "looking"),
        "receipt": ("receipts",),
        "verify": ("verifying",),
        "keys": ("keys",),
        "clock": ("clock",),
        "session": ("viewing",),
    }
)
"""Which modules of this room hold a command, and a group's commands."""


def commands_for(word: str) -> typer.Typer:
    """Return the commands that the first word of a line needs; all of them where it names none."""
    if word in ALONE:
        return _joined({ALONE[word]}, ())
    return _joined((), (word,)) if word in GROUPS else every_command()


def every_command() -> typer.Typer:
    """Return all commands, as `--help` lists them."""
    return _joined(dict.fromkeys(ALONE.values()), GROUPS)


def _joined(alone: Iterable[str], groups: Iterable[str]) -> typer.Typer:
    app = typer.Typer(
        help="Data protection for video surveillance, enforced and proven.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name in alone:
        app.add_typer(_commands_in(name))
    for group in groups:
        first, *others = (_commands_in(name) for name in GROUPS[group])
        for other in others:
            first.add_typer(other)
        app.add_typer(first, name=group)
    return app


def _commands_in(name: str) -> typer.Typer:
    found: typer.Typer = import_module(f"vms_privacy.cli.{name}").app
    return found
