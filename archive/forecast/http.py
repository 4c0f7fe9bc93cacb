"""The route that tells what an operator's footage will come to."""

from datetime import timedelta
from uuid import UUID

from fastapi import APIRouter

from archive.forecast.rules import Basis, Camera, most_recorded_us, needs_bytes, rate_of
from archive.forecast.service import Forecaster, told_to_operators
from auth.gate import Allowed, On, needs
from auth.principal import Right
from vms_privacy.db import Database
from vms_privacy.web import Duration, Strict


class CameraForecast(Strict):
    """What one camera's footage will come to. `bytes_per_second` is that of recorded time; empty: nobody knows yet.

    `recorded_at_most` is how much time is recorded, by its recording times, within any stretch as long as `keep_for`.
    """

    camera_id: UUID
    is_recorded: bool
    bytes_per_second: int | None
    basis: Basis
    keep_for: Duration
    recorded_at_most: Duration
    stored_bytes: int
    forecast_bytes: int


class OperatorForecast(Strict):
    """What an operator's footage will come to, and what its store has left for all who share it, in whole GiB.

    `left_bytes` is empty where the store does not tell how much it holds: then nothing is refused for want of room.
    `unknown_rates` cameras are recorded of which nobody knows yet what they send.
    """

    cameras: list[CameraForecast]
    forecast_bytes: int
    unknown_rates: int
    left_bytes: int | None


def forecast_routes(db: Database, forecasts: Forecaster) -> APIRouter:
    """Return the route; it takes the right `retain` over the whole operator."""
    routes = APIRouter(prefix="/api/v1/operators/{operator_id}/forecast", tags=["retention"])

    @routes.get("", **needs(Right.RETAIN, on=On.OPERATOR))
    def read_forecast(operator_id: str, granted: Allowed) -> OperatorForecast:
        """Say how many bytes footage will come to, camera by camera, as it stands now."""
        with db.reading() as session:
            found = forecasts.forecast(session, granted.operator_id)
        mine = [one for one in found.cameras.values() if one.operator_id == granted.operator_id]
        told = [one for one in mine if one.is_recorded or one.stored.size_bytes]
        left = found.room.left_bytes
        return OperatorForecast(
            cameras=[_shown(one) for one in sorted(told, key=lambda one: one.camera_id)],
            forecast_bytes=sum(needs_bytes(one) for one in told),
            unknown_rates=sum(one.is_recorded and rate_of(one).basis is Basis.UNKNOWN for one in told),
            left_bytes=None if left is None else told_to_operators(left),
        )

    return routes


def _shown(camera: Camera) -> CameraForecast:
    rate = rate_of(camera)
    return CameraForecast(
        camera_id=camera.camera_id,
        is_recorded=camera.is_recorded,
        bytes_per_second=rate.bytes_per_s,
        basis=rate.basis,
        keep_for=timedelta(microseconds=camera.keep_us),
        recorded_at_most=timedelta(microseconds=most_recorded_us(camera.plan, camera.keep_us)),
        stored_bytes=camera.stored.size_bytes,
        forecast_bytes=needs_bytes(camera),
    )
