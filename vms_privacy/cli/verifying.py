"""The commands that verify a receipt, the audit and the journal. They change nothing."""

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from archive.receipts.rules import Valid
from archive.receipts.service import verify as verify_document
from vms_privacy.audit.verify import verify as verify_audit_of
from vms_privacy.cli.forms import facts, moment
from vms_privacy.cli.options import AsJson, DataDir, command_group
from vms_privacy.cli.output import FOUND_WRONG, tell
from vms_privacy.cli.parts import assembly_of, refuse_unless_installed, settings_of, told_of_the_database
from vms_privacy.cli.refusals import NotReceiptKeys
from vms_privacy.journal.journal import verify_journal as verify_journal_of
from vms_privacy.keyring.port import PublicKey, Purpose

app = command_group("Verify a receipt, the audit or the journal.")


@app.command("receipt")
def verify_receipt(
    file: Annotated[Path, typer.Argument(help="The receipt, or an extract of one.", show_default=False)],
    keys: Annotated[Path, typer.Option(help="The installation's public keys, as `receipt keys` writes them.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Verify a receipt offline. Needs nothing but the two files; exits 6 if it does not hold."""
    verdict = verify_document(file.read_bytes(), _public_keys(keys))
    if not isinstance(verdict, Valid):
        document: Mapping[str, object] = {"valid": False, "code": verdict.code, "why": verdict.why}
        tell(document, [f"NOT valid: {verdict.why} ({verdict.code})"], as_json=as_json)
        raise typer.Exit(FOUND_WRONG)
    head = verdict.head
    document = {
        "valid": True,
        "receipt_id": head["receipt_id"],
        "operator_id": head["operator_id"],
        "signed_at": head["signed_at"],
        "segments": len(verdict.leaves),
        "is_extract": verdict.partial,
        "cannot_prove": head["cannot_prove"],
    }
    told = {
        "valid": "yes, every byte of it",
        "receipt": f"{head['receipt_id']}{' (an extract)' if verdict.partial else ''}",
        "operator": head["operator_id"],
        "signed": moment(str(head["signed_at"])),
        "segments": f"{len(verdict.leaves)} destroyed",
        "cannot prove": head["cannot_prove"],
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


def _public_keys(file: Path) -> list[PublicKey]:
    try:
        told = json.loads(file.read_bytes())
        return [
            PublicKey(one["kid"], base64.urlsafe_b64decode(one["public_key"] + "=" * (-len(one["public_key"]) % 4)))
            for one in told["keys"]
        ]
    except (ValueError, TypeError, KeyError, binascii.Error):
        raise NotReceiptKeys(f"{file} holds no receipt keys") from None
