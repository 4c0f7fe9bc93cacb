"""The route of deletion debt: what should be destroyed by now and is not, said aloud (P4)."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from fastapi import APIRouter

from archive.erasure.rules import Debt, by_camera, total
from archive.erasure.service import Eraser
from auth.gate import Allowed, On, needs
from auth.principal import Right
from vms_privacy.web import Moment, Strict

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DebtShown(Strict):
    """What is overdue: since when the oldest of it, failed attempts of the worst erasure, reasons, the worst first."""

    segments: int
    size_bytes: int
    oldest_overdue_at: Moment | None
    attempts: int
    reasons: list[str]


class CameraDebt(Strict):
    """One camera's share."""

    camera_id: UUID
    debt: DebtShown


class OperatorDebt(Strict):
    """All of it, and each camera's share, the longest overdue first. Nobody can read any of it."""

    total: DebtShown
    cameras: list[CameraDebt]


def erasure_routes(eraser: Eraser, sweep_every: timedelta) -> APIRouter:
    """Return the routes; they pass the gate with the right `audit` over the operator, as receipts do."""
    routes = APIRouter(prefix="/api/v1", tags=["erasure"])

    @routes.get("/operators/{operator_id}/deletion-debt", **needs(Right.AUDIT, on=On.OPERATOR))
    def read_debt(operator_id: str, granted: Allowed) -> OperatorDebt:
        """Return what is overdue by more than a sweep and not destroyed; the metrics add up the same numbers."""
        parts = eraser.debt_parts(sweep_every, granted.operator_id)
        cameras = [CameraDebt(camera_id=one, debt=_shown(debt)) for one, debt in by_camera(parts).items()]
        return OperatorDebt(total=_shown(total(parts)), cameras=cameras)

    return routes


def _shown(debt: Debt) -> DebtShown:
    oldest_us = debt.oldest_overdue_us
    return DebtShown(
        segments=debt.segments,
        size_bytes=debt.size_bytes,
        oldest_overdue_at=None if oldest_us is None else _EPOCH + timedelta(microseconds=oldest_us),
        attempts=debt.attempts,
        reasons=list(debt.reasons),
    )
