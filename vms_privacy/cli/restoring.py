"""The commands that put a copy of the database back, say what could not be settled, and release it from custody."""

import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from sqlalchemy import Engine, make_url

from vms_privacy.app import Assembly
from vms_privacy.cli.asking import agree
from vms_privacy.cli.forms import facts, table
from vms_privacy.cli.options import AsJson, DataDir, command_group
from vms_privacy.cli.output import note, tell
from vms_privacy.cli.parts import assembly_of, closed_afterwards, settings_of
from vms_privacy.cli.refusals import FileUnusable, ReasonIsNoCode
from vms_privacy.custody import store
from vms_privacy.custody.errors import CopiedElsewhere, CopyIsNewer
from vms_privacy.custody.restoring import Places, PutInPlace, Restoring
from vms_privacy.custody.rules import Open, Unsettled
from vms_privacy.durable_files import fault_of
from vms_privacy.install import NotInitialised
from vms_privacy.migrations import is_known, migrate

app = command_group("Put a copy of the database back, and release it from custody.")

_REASON: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MEANS: Final = {
    Unsettled.GRANT_WAS_CHANGED: "changed since the copy: withdrawn; give it anew",
    Unsettled.OWNER_WAS_CHANGED: "the last owner's, changed since the copy: as the copy has it; look at it",
    Unsettled.KEY_LOST_WITH_DATABASE: "its key was in the lost database alone: nothing opens it, it is destroyed",
    Unsettled.DESTROYED_BUT_KEPT: "destroyed since, and under an order of the copy: nothing opens it; lift the order",
    Unsettled.KEY_IS_MISSING: "a bucket key that is not in the keyring, and was not destroyed here: find the keyring",
    Unsettled.NOT_DESTROYED_YET: "an erasure that failed just now: the next sweep tries it again",
    Unsettled.FILES_WITHOUT_ROW: "what was recorded since the copy: nothing opens it; `check --repair` moves it away",
}


@app.command("from")
def restore(
    file: Annotated[Path, typer.Argument(help="The copy.", show_default=False)],
    data_dir: DataDir = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a copy in place of the database, which is set aside; the service must be stopped."""
    settings = settings_of(data_dir)
    if not (settings.data_dir / "installation-id").exists():
        raise NotInitialised(f"there is no installation in {settings.data_dir}")
    url = make_url(settings.url)
    if url.get_backend_name() != "sqlite":
        raise CopiedElsewhere("put it back with `pg_restore`, and then run `vms-privacy restore in-place`")
    agree("What is in the present database is set aside. Go on?", "--yes", already=yes)
    with closed_afterwards(Assembly(settings)) as parts:
        try:
            with file.open("rb") as copy:
                places = Places(Path(url.database or ""), settings.anchor)
                done = _restoring(parts).put_in_place(copy, places)
        except OSError as error:
            raise FileUnusable(f"{file} cannot be put in place: {fault_of(error)}") from None
    with closed_afterwards(assembly_of(data_dir)) as parts:
        _tell_done(done, parts.custody.replay(), as_json=as_json)


@app.command("in-place")
def in_place(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Take a database into custody that other tools have put back, before anything is started on it."""
    with closed_afterwards(assembly_of(data_dir)) as parts:
        done = _restoring(parts).take_in(parts.db, parts.settings.anchor)
        _tell_done(done, parts.custody.replay(), as_json=as_json)


@app.command("status")
def status(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Say whether the database is in custody, and what could not be settled. Works beside a running service."""
    with closed_afterwards(assembly_of(data_dir)) as parts:
        # Past the journal, which a running service holds.
        with parts.db.reading() as session:
            restore = store.unreleased(session)
            found = [] if restore is None else store.unsettled(session, restore.id)
    document: dict[str, Any] = {"in_custody": restore is not None, "unsettled": _documents(found)}
    if restore is None:
        tell(document, ["not in custody"], as_json=as_json)
        return
    document |= {"restore": restore.id, "replayed_number": restore.replayed_number}
    told = {"in custody": restore.id, "replayed up to": restore.replayed_number or "not yet", "unsettled": len(found)}
    tell(document, [*facts(told), *_lines(found)], as_json=as_json)


@app.command("release")
def release(
    reason: Annotated[str, typer.Option(help="Small words joined by hyphens, or a ticket's number; it is audited.")],
    data_dir: DataDir = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Release the database from custody, while no service runs: from its next start it records and shows."""
    if not _REASON.fullmatch(reason) or len(reason) > 64:
        raise ReasonIsNoCode("write the reason as small words joined by hyphens, or a ticket's number")
    with closed_afterwards(assembly_of(data_dir)) as parts:
        found = parts.custody.replay()
        note("\n".join(_lines(found)))
        agree(f"{len(found)} things could not be settled. Release it?", "--yes", already=yes)
        parts.custody.release(reason)
    document = {"released": True, "reason": reason, "unsettled": _documents(found)}
    tell(document, ["Released. Next: vms-privacy serve, vms-privacy check."], as_json=as_json)


def _restoring(parts: Assembly) -> Restoring:
    return Restoring(parts.journal, parts.clock, parts.randomness, parts.installation_id, _make_current)


def _make_current(engine: Engine, revision: str) -> None:
    if not is_known(engine, revision):
        raise CopyIsNewer("this copy was made by a newer program; put it back with that one")
    migrate(engine)


def _tell_done(done: PutInPlace, found: list[Open], *, as_json: bool) -> None:
    document = {
        "restore": done.restore_id,
        "in_custody": True,
        "copied_at": None if done.manifest is None else done.manifest.made_at.isoformat(),
        "set_aside": done.aside,
        "unsettled": _documents(found),
    }
    told = {"in custody": done.restore_id, "set aside": done.aside or "nothing was there", "unsettled": len(found)}
    steps = "Next: vms-privacy restore release --reason WHY. Until then nothing is recorded, shown or destroyed."
    tell(document, [*facts(told), *_lines(found), steps], as_json=as_json)


def _documents(found: list[Open]) -> list[dict[str, str]]:
    return [{"code": str(one.code), "subject": one.subject, "means": _MEANS[one.code]} for one in found]


def _lines(found: list[Open]) -> list[str]:
    rows = ((one.code, one.subject, _MEANS[one.code]) for one in found)
    return list(table(("unsettled", "which", "what it means"), rows, "")) if found else []
