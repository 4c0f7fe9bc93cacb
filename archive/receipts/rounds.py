"""Signing the receipts that are due, each in a transaction of its own: none waits for, or fails with, another.

Due is one over what expired once its hour is over, and one over what a request, a withdrawal or an off-boarding had
destroyed as soon as nothing of it is under way any more, or once the hour is over.
"""

from dataclasses import dataclass, field
from typing import Final

from archive.receipts.service import NothingToTell, ReceiptService
from archive.receipts.store import Line
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import ReceiptId

MOST_ROUNDS: Final = 100
"""So many receipts of one line at once, and no more: whoever has more to be told of waits for the next job."""


@dataclass(slots=True)
class SigningReport:
    """What was signed, and for what nothing could be, with a code. The next job tries those again."""

    signed: list[ReceiptId] = field(default_factory=list)
    failed: dict[Line, str] = field(default_factory=dict)


def sign_due(db: Database, receipts: ReceiptService, most_rounds: int = MOST_ROUNDS) -> SigningReport:
    """Sign what is due, lines in turns, until nothing waits (P12).

    No transaction signs more than one receipt: none holds up all other writers for long.
    """
    report = SigningReport()
    for _ in range(most_rounds):
        with db.reading() as session:
            waiting = [one for one in receipts.waiting(session) if one not in report.failed]
        if not waiting:
            break
        for line in waiting:
            _sign(db, receipts, line, report)
    return report


def _sign(db: Database, receipts: ReceiptService, line: Line, report: SigningReport) -> None:
    try:
        with db.writing() as session:
            signed = receipts.sign_due(session, line)
    except NothingToTell:
        return  # Somebody had one signed on demand since we looked.
    except Exception as error:  # noqa: BLE001 - told and tried again; it must not keep others from their receipts
        report.failed[line] = error.code if isinstance(error, Refusal) else type(error).__name__
        return
    report.signed.append(signed)
