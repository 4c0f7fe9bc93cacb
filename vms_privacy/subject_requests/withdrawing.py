"""Withdrawing an opt-in with what it has recorded: recording stops at once, and the erasing takes two people."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from archive.mandates.rules import LONGEST_US
from archive.segments.rules import Span
from auth.principal import Granted
from auth.tokens.rules import microseconds
from vms_privacy.consent.ledger import ConsentLedger, WithdrawnEntry
from vms_privacy.consent.rules import ConsentKind, newest
from vms_privacy.ids import CameraId
from vms_privacy.subject_requests import footage
from vms_privacy.subject_requests.deciding import RequestDecisions
from vms_privacy.subject_requests.errors import FootageChoiceDoesNotFit
from vms_privacy.subject_requests.request import Place, Request
from vms_privacy.subject_requests.service import RequestService


@dataclass(frozen=True, slots=True)
class WithdrawnToErase:
    """A withdrawal, and the request by which what was recorded goes; None where nothing is left of it."""

    entry: WithdrawnEntry
    request: Request | None


class ErasingWithdrawals:
    """Withdraws and asks for the erasing in one transaction: neither is there without the other."""

    def __init__(self, ledger: ConsentLedger, requests: RequestService, decisions: RequestDecisions) -> None:
        self._ledger = ledger
        self._requests = requests
        self._decisions = decisions

    def withdraw(self, session: Session, granted: Granted, camera_id: CameraId, kind: ConsentKind) -> WithdrawnToErase:
        """Withdraw video recording and propose that what it has recorded is erased.

        `granted` is the right to erase over the camera. Raises FootageChoiceDoesNotFit, and what withdrawing raises.
        """
        if kind is not ConsentKind.VIDEO_RECORDING:
            raise FootageChoiceDoesNotFit("footage goes with the withdrawal of video recording alone")
        opt_in = newest(self._ledger.history(session, camera_id), camera_id, kind)
        entry = self._ledger.withdraw(
            session, granted.principal.label, granted.operator_id, camera_id, kind, "footage-is-erased"
        )
        parts: list[Place] = []
        now_us = microseconds(entry.withdrawn_at)
        if opt_in is not None:
            parts = _parts(camera_id, footage.recorded_under(session, camera_id, opt_in.entry_id), now_us)
        there = [one for one in parts if not footage.there(session, one, now_us, knows_orders=False).is_nothing]
        if not there:
            return WithdrawnToErase(entry, None)
        request = self._requests.enter_withdrawal(session, granted, there)
        return WithdrawnToErase(entry, self._decisions.propose_erasing(session, granted, request))


def _parts(camera_id: CameraId, since_us: int | None, until_us: int) -> list[Place]:
    """Return a stretch in parts of which none is longer than a mandate may be."""
    starts = range(until_us if since_us is None else since_us, until_us, LONGEST_US)
    return [Place(camera_id, Span(at, min(at + LONGEST_US, until_us))) for at in starts]
