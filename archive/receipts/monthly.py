"""One signed summary per operator and month over the receipts of that month, also where there is none.

Promise: a month that is over is summed up once, by whichever round comes to it; a round that was cut off is gone on
with by the next. No transaction is open while receipts are read: nobody waits for a long month.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy.orm import Session

from archive.erasure.rules import total
from archive.erasure.store import debt
from archive.receipts import lines, store, summaries, summary
from archive.receipts.key_history import KeyHistory
from archive.receipts.lines import Invalid, iso
from archive.receipts.months import due, end_of
from archive.receipts.service import ReceiptService, holds, verify
from archive.receipts.summary import Overdue, Totals, ValidSummary
from archive.receipts.tables import SummaryRow
from auth.tokens.rules import microseconds
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import OperatorId, Randomness, ReceiptId, SummaryId
from vms_privacy.keyring.port import Keyring, Purpose

MOST_ROUNDS: Final = 100
"""So many months of one operator at once, and no more: the next job goes on."""
_ACTOR: Final = "worker:receipts"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ReceiptDoesNotHold(Refusal):
    """A receipt in the database does not verify, so no summary of its month is signed: somebody changed it."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "receipt-does-not-hold"


class SummaryIsSigned(Refusal):
    """The month was summed up meanwhile, or its receipts are not those that were read any more."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "summary-is-signed"


@dataclass(slots=True)
class MonthlyReport:
    """What was signed, and for whom nothing could be, with a code. The next job tries those again."""

    signed: list[SummaryId] = field(default_factory=list)
    failed: dict[OperatorId, str] = field(default_factory=dict)


class MonthlySummaries:
    """Signs the summaries. `sweep_every`: what is due for less than a sweep is not overdue, as in the metrics."""

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        receipts: ReceiptService,
        audit: AuditLog,
        clock: Clock,
        randomness: Randomness,
        sweep_every: timedelta,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._receipts = receipts
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._sweep_every = sweep_every

    def sign_due(self, most_rounds: int = MOST_ROUNDS) -> MonthlyReport:
        """Sum up every month that is over, operators in turns, the oldest month first. One that fails waits (P12)."""
        report = MonthlyReport()
        for _ in range(most_rounds):
            waiting = {one: month for one, month in self._waiting().items() if one not in report.failed}
            if not waiting:
                break
            for operator_id, month in waiting.items():
                self._sign_or_tell(operator_id, month, report)
        return report

    def sign(self, operator_id: OperatorId, month: str) -> SummaryId:
        """Sign one operator's month, the one after its newest summary's.

        Raises ReceiptDoesNotHold, SummaryIsSigned, KeyringUnavailable.
        """
        with self._db.reading() as session:
            wanted = summaries.unlisted(session, operator_id, end_of(month))
        totals = self._read(operator_id, wanted)
        with self._db.writing() as session:
            before = summaries.newest(session, operator_id)
            is_signed = before is not None and before.month >= month
            if is_signed or summaries.unlisted(session, operator_id, end_of(month)) != wanted:
                raise SummaryIsSigned("somebody was faster, or a receipt was added meanwhile")
            return self._sign(session, operator_id, month, before, wanted, totals)

    def _sign_or_tell(self, operator_id: OperatorId, month: str, report: MonthlyReport) -> None:
        try:
            signed = self.sign(operator_id, month)
        except SummaryIsSigned:
            return  # Somebody else did since we looked; the next round sees how far they are.
        except Exception as error:  # noqa: BLE001 - told and tried again; it must not keep others from theirs
            report.failed[operator_id] = error.code if isinstance(error, Refusal) else type(error).__name__
            return
        report.signed.append(signed)

    def _waiting(self) -> dict[OperatorId, str]:
        # In time doubt the earlier time: a month is not over because a clock was set forward.
        now = self._clock.for_destroying()
        with self._db.reading() as session:
            found = summaries.reached(session)
        months = {one.operator_id: next(due(one.since, one.last, now, one.until), None) for one in found}
        return {operator_id: month for operator_id, month in months.items() if month is not None}

    def _read(self, operator_id: OperatorId, wanted: Sequence[ReceiptId]) -> Totals:
        """Verify and add up receipts, one in memory at a time."""
        history, totals = self._receipts.history, Totals()
        for receipt_id in wanted:
            with self._db.reading() as session:
                row = store.by_id(session, operator_id, receipt_id)
            verdict = None if row is None else verify(row.document, history)
            if verdict is None or isinstance(verdict, Invalid) or verdict.head["receipt_id"] != str(receipt_id):
                raise ReceiptDoesNotHold(f"receipt {receipt_id} does not verify", receipt=str(receipt_id))
            totals.add(verdict)
        return totals

    def _sign(
        self,
        session: Session,
        operator_id: OperatorId,
        month: str,
        before: SummaryRow | None,
        listed: Sequence[ReceiptId],
        totals: Totals,
    ) -> SummaryId:
        now, summary_id = self._clock.now(), SummaryId(self._randomness.uuid())
        body = summary.body_of(
            summary_id=str(summary_id),
            installation_id=self._receipts.installation_id,
            operator_id=str(operator_id),
            month=month,
            signed_at=iso(now),
            previous=None if before is None else _named(before),
            totals=totals,
            overdue=self._overdue(session, operator_id, now),
        )
        kid, signature = self._keyring.sign(Purpose.RECEIPT_SIGNING, lines.signed_part(summary.LABEL, body))
        row = SummaryRow(
            id=summary_id,
            operator_id=operator_id,
            month=month,
            receipts=len(listed),
            segments=totals.segments,
            signed_at=now,
            document=lines.write(summary.LABEL, body, kid, signature),
        )
        summaries.add(session, row, listed)
        detail: dict[str, str | int | bool | None] = {
            "summary_id": str(summary_id),
            "month": month,
            "receipts": len(listed),
        }
        self._audit.note(session, Event(Tag.SUMMARY_SIGNED, now, _ACTOR, operator_id=operator_id, detail=detail))
        return summary_id

    def _overdue(self, session: Session, operator_id: OperatorId, now: datetime) -> Overdue:
        safe_until_us = microseconds(self._clock.for_destroying())
        found = total(debt(session, now - self._sweep_every, safe_until_us, operator_id))
        oldest_us = found.oldest_overdue_us
        oldest = None if oldest_us is None else iso(_EPOCH + timedelta(microseconds=oldest_us))
        return Overdue(found.segments, found.size_bytes, oldest)


def check(document: bytes, history: KeyHistory) -> ValidSummary | Invalid:
    """Verify a summary by itself. Needs nothing but the key history."""
    return summary.check(document, history, holds)


def compare(found: ValidSummary, receipts: Iterable[tuple[str, bytes]], history: KeyHistory) -> Invalid | None:
    """Verify a summary against receipts, each with the name of its file."""
    return summary.compare(found, receipts, history, holds)


def _named(before: SummaryRow) -> Mapping[str, str]:
    return {"month": before.month, "digest": summary.digest_of(before.document)}
