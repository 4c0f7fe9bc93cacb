"""The commands about the keyring: what it holds, never a key; and new keys in place of present ones."""

from enum import StrEnum, unique
from typing import Annotated, Any, Final

import typer

from streams.cameras.store import CameraStore
from vms_privacy.app import Assembly
from vms_privacy.audit.events import Event, Tag
from vms_privacy.cli.asking import agree
from vms_privacy.cli.forms import facts, moment, table
from vms_privacy.cli.options import AsJson, DataDir, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.parts import assembly_of, closed_afterwards, refuse_unless_installed, settings_of
from vms_privacy.cli.refusals import AnswerNeeded, KeyIsNeeded, NoSuchKey
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.port import KeyIsDestroyed, Purpose
from vms_privacy.keyring.purpose_keys import KeyIsInUse
from vms_privacy.keyring.rules import version_in_seal
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
    REQUEST_CONTACT = Purpose.REQUEST_CONTACT


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
    with closed_afterwards(assembly_of(data_dir)) as parts:
        made = _root(parts) if what is Rotated.ROOT else _purpose(parts, Purpose(what.value))
    tell(made, facts({name.replace("_", " "): value for name, value in made.items()}), as_json=as_json)


@unique
class Destroyable(StrEnum):
    """What may be destroyed on demand. Bucket keys go with their footage, the rest by rotating."""

    ROOT = "root"
    CAMERA_CREDENTIAL = Purpose.CAMERA_CREDENTIAL


@app.command("destroy")
def destroy(
    what: Annotated[Destroyable, typer.Argument(help="A root, or an old key of a purpose.", show_default=False)],
    version: Annotated[
        int | None, typer.Option(min=1, help="Which version; of roots the one in use if left out.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking: it cannot be undone.")] = False,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Destroy a key before its time, while no service runs; for the root in use another one takes its place first.

    Copies of the keyring that were made under a destroyed root open nothing without that root.
    """
    with closed_afterwards(assembly_of(data_dir)) as parts:
        wanted = _root_to_destroy(parts, version) if what is Destroyable.ROOT else _credential_key(parts, version)
        agree(f"Destroy {what} {wanted} for good?", "--yes", already=yes)
        made = _root(parts) if what is Destroyable.ROOT else _destroyed(parts, Purpose(what.value), wanted)
    document = {**made, "destroyed": str(what), "version": wanted}
    tell(document, facts({name.replace("_", " "): value for name, value in document.items()}), as_json=as_json)


def _root_to_destroy(parts: Assembly, version: int | None) -> int:
    """Return which root is meant. Raises KeyIsDestroyed for one that is gone, NoSuchKey for one to come."""
    there = {one.version for one in parts.keyring.status().roots}
    wanted = parts.keyring.root_version if version is None else version
    if wanted > max(there):
        raise NoSuchKey(f"there was never a root {wanted}; the newest is {max(there)}")
    if wanted not in there:
        raise KeyIsDestroyed(f"root {wanted} was destroyed before")
    return wanted


def _credential_key(parts: Assembly, version: int | None) -> int:
    """Return which sealing key is meant. Raises what stands against destroying it."""
    if version is None:
        raise AnswerNeeded("which version is to be destroyed: give --version")
    there = parts.keyring.status().purposes[Purpose.CAMERA_CREDENTIAL]
    newest = max(one.version for one in there)
    if version > newest:
        raise NoSuchKey(f"there was never a version {version}; the newest is {newest}")
    if version not in {one.version for one in there}:
        raise KeyIsDestroyed(f"version {version} was destroyed before")
    if version == newest:
        raise KeyIsInUse(f"version {version} is the one in use")
    with parts.db.reading() as session:
        sealed = CameraStore().sealed_urls(session)
    under_it = sum(version_in_seal(one) == version for one in sealed)
    if under_it:
        raise KeyIsNeeded(f"the addresses of {under_it} cameras are sealed under version {version}")
    return version


def _destroyed(parts: Assembly, purpose: Purpose, version: int) -> dict[str, Any]:
    parts.journal.append(JournalKind.KEY_DESTROYED, {"purpose": str(purpose), "version": version})
    parts.keyring.destroy_older(purpose, version)
    _note(parts, Tag.KEY_DESTROYED, {"purpose": str(purpose), "version": version})
    return {}


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
