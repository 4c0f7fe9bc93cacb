"""The hourly receipts of all operators, each in a transaction of its own: none waits for, or fails with, another."""

from dataclasses import dataclass, field
from typing import Final

from archive.receipts.service import NothingToTell, ReceiptService
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import OperatorId, ReceiptId

MOST_ROUNDS: Final = 100
"""So many receipts of one operator at once, and no more: whoever has more to be told of waits for the next job."""


@dataclass(slots=True)
class HourlyReport:
    """What was signed, and for whom nothing could be, with a code. The next job tries those again."""

    signed: list[ReceiptId] = field(default_factory=list)
    failed: dict[OperatorId, str] = field(default_factory=dict)


def sign_hourly(db: Database, receipts: ReceiptService, most_rounds: int = MOST_ROUNDS) -> HourlyReport:
    """Sign what was destroyed before the running hour, operators in turns, until nothing waits (P12).

    No transaction signs more than one receipt: none holds up all other writers for long.
    """
    report = HourlyReport()
    for _ in range(most_rounds):
        with db.reading() as session:
            waiting = [one for one in receipts.waiting(session) if one not in report.failed]
        if not waiting:
            break
        for operator_id in waiting:
            _sign(db, receipts, operator_id, report)
    return report


def _sign(db: Database, receipts: ReceiptService, operator_id: OperatorId, report: HourlyReport) -> None:
    try:
        with db.writing() as session:
            signed = receipts.sign_hour(session, operator_id)
    except NothingToTell:
        return  # Somebody had one signed on demand since we looked.
    except Exception as error:  # noqa: BLE001 - told and tried again; it must not keep others from their receipts
        report.failed[operator_id] = error.code if isinstance(error, Refusal) else type(error).__name__
        return
    report.signed.append(signed)
