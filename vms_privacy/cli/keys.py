"""The commands about the keyring: what it holds, never a key; and new keys in place of present ones."""

from enum import StrEnum, unique
from typing import Annotated, Any, Final

import typer

from vms_privacy.app import Assembly
from vms_privacy.audit.events import Event, Tag
from vms_privacy.cli.forms import facts, moment, table
from vms_privacy.cli.options import AsJson, DataDir, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.parts import assembly_of, refuse_unless_installed, settings_of, told_of_the_database
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.port import Purpose
from vms_privacy.keyring.status import KeyStatus

app = command_group("The keyring.")

_ACTOR: Final = "worker:keys"
_ON_DEMAND: Final = "on-demand"


@unique
class Rotated(StrEnum):
    """What can be rotated: the root, or the key of a purpose."""

    ROOT = "root"
    CAMERA_CREDENTIAL = Purpose.CAMERA_CREDENTIAL
    TOKEN_SIGNING = Purpose.TOKEN_SIGNING
    RECEIPT_SIGNING = Purpose.RECEIPT_SIGNING
    CHECKPOINT_SIGNING = Purpose.CHECKPOINT_SIGNING
    PSEUDONYM = Purpose.PSEUDONYM


@app.command("status")
def status(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Show every key's state, version, age and uses, and never a key. Works beside a running service."""
    settings = settings_of(data_dir)
    refuse_unless_installed(settings)
    found = Assembly(settings).keyring.status()
    is_rotating = len(found.roots) > 1
    document = {
        "keyring": settings.keyring,
        "root": {
            "version": found.root_version,
            "until": found.root_until.isoformat(),
            "age_s": int(found.root_age.total_seconds()),
            "rotating": is_rotating,
            "keys": [_document(one) for one in found.roots],
        },
        "purposes": {str(purpose): [_document(one) for one in keys] for purpose, keys in found.purposes.items()},
        "bucket_keys": found.bucket_keys,
    }
    told = {
        "keyring": settings.keyring,
        "root": f"version {found.root_version}, {found.root_age.days} d old, gone by {moment(found.root_until)}",
        "rotation": "going on" if is_rotating else "none going on",
        "bucket keys": f"{found.bucket_keys}, one for a camera's hour of footage",
    }
    keys = [("root", one) for one in found.roots]
    keys += [(str(purpose), one) for purpose, some in found.purposes.items() for one in some]
    rows = ((of, one.version, one.state, moment(one.made_at), one.uses) for of, one in keys)
    tell(document, [*facts(told), "", *table(("key", "version", "state", "made", "uses"), rows, "")], as_json=as_json)


def _document(one: KeyStatus) -> dict[str, Any]:
    made_at = None if one.made_at is None else one.made_at.isoformat()
    return {"version": one.version, "state": str(one.state), "made_at": made_at, "uses": one.uses}


@app.command("rotate")
def rotate(
    what: Annotated[Rotated, typer.Argument(help="The root, or the key of a purpose.", show_default=False)],
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Put a new key to use, at once. Safe beside a running service; for the root the service must be stopped.

    A running service rotates its root by itself, within the life that VMS_ROOT_LIFE sets.
    """
    parts = assembly_of(data_dir)
    with told_of_the_database():
        made = _root(parts) if what is Rotated.ROOT else _purpose(parts, Purpose(what.value))
    tell(made, facts({name.replace("_", " "): value for name, value in made.items()}), as_json=as_json)


def _purpose(parts: Assembly, purpose: Purpose) -> dict[str, Any]:
    version = parts.keyring.rotate(purpose)
    _note(parts, Tag.KEY_CREATED, {"purpose": str(purpose), "version": version})
    return {"purpose": str(purpose), "version": version}


def _root(parts: Assembly) -> dict[str, Any]:
    """Rotate the root. Its end is in the journal first, as when the service does it: JournalIsTaken while one runs."""
    retires = parts.keyring.root_version
    parts.journal.append(JournalKind.ROOT_ROTATED, {"retires": retires})
    _note(parts, Tag.ROOT_ROTATION_BEGUN, {"retires": retires})
    done = parts.keyring.rotate_root()
    told: dict[str, str | int | bool | None] = {
        "root": done.version,
        "rewrapped": done.rewrapped,
        "destroyed": done.destroyed,
    }
    _note(parts, Tag.ROOT_ROTATED, told)
    return {"root_version": done.version, "keys_rewrapped": done.rewrapped, "roots_destroyed": done.destroyed}


def _note(parts: Assembly, tag: Tag, detail: dict[str, str | int | bool | None]) -> None:
    with parts.db.writing() as session:
        parts.audit.note(session, Event(tag, parts.clock.now(), _ACTOR, reason=_ON_DEMAND, detail=detail))
