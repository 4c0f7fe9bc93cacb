"""Every command and where it lives: commands that stand alone, and groups of them.

A room is loaded when one of its commands is typed: loading all of the service before each question to it would take
longer than the answer. For the list of commands none is loaded: what each of them does stands here as well.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import version
from types import MappingProxyType
from typing import Annotated, Final

import typer

from vms_privacy.cli.options import AsJson
from vms_privacy.cli.output import tell

ALONE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "init": "installing",
        "bootstrap-code": "installing",
        "migrate": "installing",
        "make-store": "installing",
        "serve": "serving",
        "status": "status",
        "check": "checking",
        "backup": "backing_up",
        "why": "why",
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
        "operator": ("operators", "people", "terms", "regions"),
        "camera": ("cameras", "keeping", "times", "looking"),
        "hold": ("holds",),
        "restriction": ("restrictions",),
        "erase": ("erasing",),
        "request": ("requesting", "request_answering"),
        "approval": ("approvals",),
        "off-boarding": ("off_boarding",),
        "receipt": ("receipts",),
        "verify": ("verifying",),
        "keys": ("keys", "key_copies"),
        "restore": ("restoring",),
        "clock": ("clock",),
        "session": ("viewing",),
    }
)
"""Which modules of this room hold a command, and a group's commands."""
SAYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "init": "Make an installation: database, keyring, journal, store, and a bootstrap code that is shown once.",
        "bootstrap-code": "Make another bootstrap code where the first was lost; the old one stops working.",
        "migrate": "Bring the database to this program's version. Stop the service and back up before.",
        "make-store": "Make the empty folder or bucket of a store that VMS_STORES_FILE names a store of this "
        "installation.",
        "serve": "Run the service until a signal ends it; say where it is, once it answers, and what to do next.",
        "status": "Show whether each part is ready, the cameras by state, recording, and deletion debt; "
        "exits 7 if one is not.",
        "check": "Account for every second, row, blob and key. Works beside a running service; "
        "exits 6 if anything is found.",
        "backup": "Copy the database into a file, beside a running service: no footage, no key.",
        "why": "Say what is there at a moment, why it still is or why it is gone, and what happens next.",
        "audit": "List the newest events: looks, refusals, changes and deletions, newest first.",
        "openapi": "Print, write or compare the description of the API.",
        "settings-manual": "Print, write or compare the page about every setting.",
        "problems": "Explain a code: what it means, and what to do next. Without CODE, list all of them.",
        "demo": "Tell the whole story on simulated cameras, step by step, with what was measured; then keep serving.",
        "camera-sim": "Simulate cameras: H.264 720p25 with number, counter, clock and canary in every picture, "
        "over RTSP.",
        "operator": "Your operator: set up, log in, invite people, give and withdraw rights.",
        "camera": "Cameras of your operator.",
        "hold": "Holds: what is kept from destruction, whatever expires or is asked for.",
        "restriction": "Restrictions: what nobody reads, live included, and nothing destroys.",
        "erase": "Mandates: what is destroyed before its time, by two people, exact to the picture.",
        "request": "Requests of people about footage: to erase, restrict or see it; each has a clock.",
        "approval": "Acts that need two people.",
        "off-boarding": "Off-boarding: your operator leaves; everything is listed, and destroyed with its keys.",
        "receipt": "Receipts: the signed evidence of what was destroyed.",
        "verify": "Verify a receipt, a summary, a manifest, the audit or the journal.",
        "keys": "The keyring.",
        "restore": "Put a copy of the database back, and release it from custody.",
        "clock": "The service's clock; for platform admins.",
        "session": "Who is looking now.",
    }
)
"""What each command and group says of itself, in the order of the list; a test compares it with the rooms."""


def commands_for(word: str) -> typer.Typer:
    """Return the commands that the first word of a line needs; the list of them where it names none."""
    if word in ALONE:
        return _joined({ALONE[word]}, ())
    return _joined((), (word,)) if word in GROUPS else overview()


def overview() -> typer.Typer:
    """Return what `--help` lists, without loading any of it."""
    app = _root()
    for name, says in SAYS.items():
        app.command(name, help=says)(_misplaced)
    return app


def every_command() -> typer.Typer:
    """Return all commands with all that they take."""
    return _joined(dict.fromkeys(ALONE.values()), GROUPS)


def _joined(alone: Iterable[str], groups: Iterable[str]) -> typer.Typer:
    app = _root()
    for name in alone:
        app.add_typer(_commands_in(name))
    for group in groups:
        first, *others = (_commands_in(name) for name in GROUPS[group])
        for other in others:
            first.add_typer(other)
        app.add_typer(first, name=group)
    return app


def _root() -> typer.Typer:
    app = typer.Typer(
        help="Data protection for video surveillance, enforced and proven.",
        invoke_without_command=True,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_about)
    return app


def _about(
    context: typer.Context,
    *,
    version_: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False,
    as_json: AsJson = False,
) -> None:
    if version_:
        found = version("vms-privacy")
        tell({"version": found}, [f"vms-privacy {found}"], as_json=as_json)
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.BadParameter("a command is missing")


def _misplaced() -> None:
    """Stand for a command in the list of them; typed in earnest, a line begins with its command."""
    raise typer.BadParameter("a command's options stand behind it")


def _commands_in(name: str) -> typer.Typer:
    found: typer.Typer = import_module(f"vms_privacy.cli.{name}").app
    return found
