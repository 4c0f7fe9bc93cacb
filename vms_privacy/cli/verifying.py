"""The commands that verify a receipt, a summary, a manifest, the audit and the journal. They change nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from archive.receipts import key_history, rules, summary
from archive.receipts.key_history import KeyHistory, KnownKey
from archive.receipts.lines import Invalid
from archive.receipts.monthly import check as check_summary
from archive.receipts.monthly import compare
from archive.receipts.rules import Valid
from archive.receipts.service import holds, read_history
from archive.receipts.service import verify as verify_document
from archive.receipts.summary import ValidSummary, follows
from vms_privacy.audit.verify import verify as verify_audit_of
from vms_privacy.cli.files import read_up_to
from vms_privacy.cli.forms import facts, moment, size
from vms_privacy.cli.options import AsJson, DataDir, command_group
from vms_privacy.cli.output import FOUND_WRONG, tell
from vms_privacy.cli.parts import assembly_of, refuse_unless_installed, settings_of, told_of_the_database
from vms_privacy.cli.refusals import NotReceiptKeys
from vms_privacy.journal.journal import verify_journal as verify_journal_of
from vms_privacy.keyring.port import Purpose
from vms_privacy.off_boarding.manifest import check as check_manifest

app = command_group("Verify a receipt, a summary, a manifest, the audit or the journal.")

LARGEST_HISTORY: Final = key_history.LABEL.largest_bytes
LARGEST_SUMMARY: Final = summary.LABEL.largest_bytes
_OF_A_MANIFEST: Final = (
    "manifest_id",
    "off_boarding_id",
    "installation_id",
    "operator_id",
    "signed_at",
    "segments",
    "size_bytes",
    "cameras",
    "unreadable",
    "kept_by_orders",
    "destroyed_since_begun",
    "does_not_say",
)

Keys = Annotated[Path, typer.Option(help="The installation's key history, as `receipt keys` writes it.")]
Fingerprint = Annotated[
    str | None,
    typer.Option(metavar="KID", help="Of a key that was written down: every later one must have been handed over to."),
]


@app.command("receipt")
def verify_receipt(
    file: Annotated[Path, typer.Argument(help="The receipt, or an extract of one.", show_default=False)],
    keys: Keys,
    fingerprint: Fingerprint = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Verify a receipt offline. Needs nothing but the two files; exits 6 if it does not hold."""
    history = _history(keys, fingerprint, as_json=as_json)
    verdict = verify_document(read_up_to(file, rules.LARGEST_BYTES), history)
    if isinstance(verdict, Invalid):
        _does_not_hold(verdict, as_json=as_json)
    head = verdict.head
    document = {
        "valid": True,
        "receipt_id": head["receipt_id"],
        "installation_id": head["installation_id"],
        "operator_id": head["operator_id"],
        "signed_at": head["signed_at"],
        "segments": len(verdict.leaves),
        "segments_of_the_receipt": head["leaf_count"],
        "is_extract": verdict.partial,
        **_key_document(verdict.key, head["signed_at"], fingerprint),
        "cannot_prove": head["cannot_prove"],
    }
    told = {
        "valid": "yes, every byte of it",
        "receipt": f"{head['receipt_id']}{' (an extract)' if verdict.partial else ''}",
        "operator": head["operator_id"],
        "signed": moment(str(head["signed_at"])),
        "segments": f"{len(verdict.leaves)} destroyed{_of_how_many(verdict)}",
        **_key_facts(verdict.key, head["signed_at"], fingerprint),
        "cannot prove": head["cannot_prove"],
    }
    tell(document, facts(told), as_json=as_json)


@app.command("summary")
def verify_summary(
    file: Annotated[Path, typer.Argument(help="The monthly summary.", show_default=False)],
    keys: Keys,
    fingerprint: Fingerprint = None,
    receipts: Annotated[
        Path | None, typer.Option(help="A folder with the month's receipts, as `receipt fetch` writes them.")
    ] = None,
    previous: Annotated[Path | None, typer.Option(help="The summary of the month before.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Verify a monthly summary offline, against its receipts and the month before if they are there; exits 6 if not."""
    history = _history(keys, fingerprint, as_json=as_json)
    verdict = _summary(file, history, as_json=as_json)
    found = None
    if previous is not None:
        found = follows(verdict, _summary(previous, history, as_json=as_json))
    if found is None and receipts is not None:
        # Generated, not listed: of many receipts one is in memory at a time.
        files = (one for one in sorted(receipts.iterdir()) if one.is_file())
        found = compare(verdict, ((one.name, read_up_to(one, rules.LARGEST_BYTES)) for one in files), history)
    if found is not None:
        _does_not_hold(found, as_json=as_json)
    body = verdict.body
    document = {
        "valid": True,
        "summary_id": body["summary_id"],
        "operator_id": body["operator_id"],
        "month": body["month"],
        "signed_at": body["signed_at"],
        "receipts": len(body["receipts"]),
        "segments": body["segments"],
        "size_bytes": body["size_bytes"],
        "causes": body["causes"],
        "cameras": len(body["cameras"]),
        "longest_overdue_us": body["longest_overdue_us"],
        "overdue_segments": body["overdue_segments"],
        "digest": verdict.digest,
        "receipts_compared": receipts is not None,
        "previous_compared": previous is not None,
        **_key_document(verdict.key, body["signed_at"], fingerprint),
    }
    causes = ", ".join(f"{count} by {cause}" for cause, count in body["causes"].items())
    told = {
        "valid": "yes, every byte of it",
        "month": body["month"],
        "operator": body["operator_id"],
        "receipts": f"{len(body['receipts'])} listed, {'all there and as told' if receipts else 'not compared'}",
        "destroyed": f"{body['segments']} segments, {size(body['size_bytes'])}{f': {causes}' if causes else ''}",
        "cameras": len(body["cameras"]),
        "longest overdue": _duration(body["longest_overdue_us"]),
        "overdue when signed": f"{body['overdue_segments']} segments",
        "month before": "it follows that summary" if previous else "not compared",
        **_key_facts(verdict.key, body["signed_at"], fingerprint),
    }
    tell(document, facts(told), as_json=as_json)


@app.command("manifest")
def verify_manifest(
    file: Annotated[Path, typer.Argument(help="The manifest, as `off-boarding fetch` writes it.", show_default=False)],
    keys: Keys,
    fingerprint: Fingerprint = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Verify an off-boarding's manifest offline, line by line, and show its digest; exits 6 if it does not hold."""
    history = _history(keys, fingerprint, as_json=as_json)
    with file.open("rb") as lines:
        verdict = check_manifest(lines, history, holds)
    if isinstance(verdict, Invalid):
        _does_not_hold(verdict, as_json=as_json)
    body = verdict.body
    document = {
        "valid": True,
        "digest": verdict.digest,
        **{name: body[name] for name in _OF_A_MANIFEST},
        **_key_document(verdict.key, body["signed_at"], fingerprint),
    }
    told = {
        "valid": "yes, every byte of it",
        "digest": f"{verdict.digest}, by which it is confirmed",
        "operator": body["operator_id"],
        "signed": moment(str(body["signed_at"])),
        "listed": f"{body['segments']} segments of {body['cameras']} cameras, {size(body['size_bytes'])}",
        "not readable": f"{body['unreadable']} segments",
        "kept by orders": f"{body['kept_by_orders']} segments, when they were listed",
        "gone before": f"{body['destroyed_since_begun']} segments, destroyed as usual since it began",
        "does not say": body["does_not_say"],
        **_key_facts(verdict.key, body["signed_at"], fingerprint),
    }
    tell(document, facts(told), as_json=as_json)


@app.command("audit")
def verify_audit(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Verify the whole audit against its anchor; exits 6 if it does not hold."""
    parts = assembly_of(data_dir)
    with told_of_the_database():
        verdict = verify_audit_of(parts.db, parts.anchor, parts.keyring.public_keys(Purpose.CHECKPOINT_SIGNING))
    document = {
        "ok": verdict.ok,
        "events": verdict.events,
        "sealed": verdict.sealed,
        "checkpoints": verdict.checkpoints,
        "first_bad": verdict.first_bad,
        "reason": verdict.reason,
    }
    told = {"events": verdict.events, "sealed": verdict.sealed, "checkpoints": verdict.checkpoints}
    tell(document, [*facts(told), _holds(verdict.ok, verdict.first_bad, verdict.reason)], as_json=as_json)
    _exit_unless(verdict.ok)


@app.command("journal")
def verify_journal(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Verify the custody journal; exits 6 if it does not hold."""
    settings = settings_of(data_dir)
    refuse_unless_installed(settings)
    verdict = verify_journal_of(settings.journal)
    document = {"ok": verdict.ok, "first_bad": verdict.first_bad, "reason": verdict.reason}
    tell(document, [_holds(verdict.ok, verdict.first_bad, verdict.reason)], as_json=as_json)
    _exit_unless(verdict.ok)


def _holds(ok: bool, first_bad: int | None, reason: str) -> str:
    return "It holds." if ok else f"It does NOT hold: {reason}, first at {first_bad}"


def _exit_unless(well: bool) -> None:
    if not well:
        raise typer.Exit(FOUND_WRONG)


def _history(keys: Path, fingerprint: str | None, *, as_json: bool) -> KeyHistory:
    found = read_history(read_up_to(keys, LARGEST_HISTORY), fingerprint)
    if isinstance(found, Invalid):
        if found.code == NotReceiptKeys.code:
            raise NotReceiptKeys(f"{keys} holds no key history")
        _does_not_hold(found, as_json=as_json)
    return found


def _summary(file: Path, history: KeyHistory, *, as_json: bool) -> ValidSummary:
    found = check_summary(read_up_to(file, LARGEST_SUMMARY), history)
    if isinstance(found, Invalid):
        _does_not_hold(found, as_json=as_json)
    return found


def _does_not_hold(verdict: Invalid, *, as_json: bool) -> NoReturn:
    document = {"valid": False, "code": verdict.code, "why": verdict.why}
    tell(document, [f"NOT valid: {verdict.why} ({verdict.code})"], as_json=as_json)
    raise typer.Exit(FOUND_WRONG)


def _key_document(key: KnownKey, signed_at: str, fingerprint: str | None) -> Mapping[str, object]:
    return {
        "kid": key.kid,
        "key_version": key.version,
        "key_state": key.state,
        "key_was_in_use": key.was_in_use(signed_at),
        "keys_pinned": fingerprint is not None,
    }


def _key_facts(key: KnownKey, signed_at: str, fingerprint: str | None) -> Mapping[str, object]:
    """Say which key it was. A date that does not fit is told, and is no failure: a forger would write one that does."""
    in_use = {True: "in use then", False: "NOT in use at the moment it names", None: "its dates are not known"}
    pinned = "lead from the fingerprint given" if fingerprint else "as given: compare one fingerprint, or --fingerprint"
    return {"key": f"version {key.version}, {key.state}, {in_use[key.was_in_use(signed_at)]}", "keys": pinned}


def _of_how_many(verdict: Valid) -> str:
    return f", of {verdict.head['leaf_count']} in the receipt" if verdict.partial else ""


def _duration(us: int | None) -> str:
    return "nothing was" if us is None else f"{us / 1_000_000:.1f} s"
