"""Routes of recording times: what holds for a camera, and setting it. Rows SF-6, SR-8."""

from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import Field

from auth.gate import Allowed, On, needs
from auth.principal import Granted, Right
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import CameraId
from vms_privacy.recording_times import store
from vms_privacy.recording_times.rules import (
    MOST_STRETCHES,
    Plan,
    Stretch,
    Weekday,
    is_recorded_at,
    next_change,
)
from vms_privacy.recording_times.service import RecordingTimes
from vms_privacy.recording_times.tables import RecordingTimesRow
from vms_privacy.web import ONE_LINE, Moment, Strict

_TIME: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_TIME_OR_MIDNIGHT: Final = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"


class StretchShown(Strict):
    """From one time of the wall's clock to another, beginning on each of `days`.

    One that ends no later than it begins runs on into the next day; a whole day is 00:00 to 24:00.
    """

    days: Annotated[list[Weekday], Field(min_length=1, max_length=7)]
    begins: Annotated[str, Field(pattern=_TIME)]
    ends: Annotated[str, Field(pattern=_TIME_OR_MIDNIGHT)]


class TimesWanted(Strict):
    """When a camera shall be recorded within its opt-in; `zone` is a name such as Europe/Paris."""

    zone: Annotated[str, Field(min_length=1, max_length=64), ONE_LINE]
    stretches: Annotated[list[StretchShown], Field(max_length=2 * MOST_STRETCHES)]


class TimesShown(TimesWanted):
    """What is set. Version 0 is what nobody had to set: always. `changes_at` is empty where no change is to come."""

    version: int
    is_recorded_now: bool
    changes_at: Moment | None


class TimesVersion(Strict):
    """One version as it is kept, with who set it (an id) and when; `stretches` such as `mon+tue=08:00-18:00`."""

    version: int
    zone: str
    stretches: list[str]
    set_by: str
    set_at: Moment


def recording_times_routes(db: Database, times: RecordingTimes, clock: Clock) -> APIRouter:
    """Return the routes. Each takes the right `record`, as opting in does."""
    routes = APIRouter(prefix="/api/v1/cameras/{camera_id}/recording-times", tags=["recording times"])

    @routes.get("", **needs(Right.RECORD, on=On.CAMERA))
    def read_times(camera_id: str, granted: Allowed) -> TimesShown:
        """Return the recording times in force. Without an opt-in nothing is recorded, whatever they say."""
        with db.reading() as session:
            return _shown(store.current(session, _camera(granted)), clock)

    @routes.put("", **needs(Right.RECORD, on=On.CAMERA))
    def set_times(camera_id: str, wanted: TimesWanted, granted: Allowed) -> TimesShown:
        """Set them, from now on. Outside of them nothing is recorded; what was recorded stays until it expires."""
        stretches = [_stretch(one) for one in wanted.stretches]
        with db.writing() as session:
            plan = times.set(
                session, granted.principal.label, granted.operator_id, _camera(granted), wanted.zone, stretches
            )
        return _shown(plan, clock)

    @routes.get("/versions", **needs(Right.RECORD, on=On.CAMERA))
    def list_times(camera_id: str, granted: Allowed) -> list[TimesVersion]:
        """Return every version there was, newest first; also those that cannot be read any more."""
        with db.reading() as session:
            return [_version(row) for row in reversed(store.rows(session, _camera(granted)))]

    return routes


def _stretch(wanted: StretchShown) -> Stretch:
    return Stretch(frozenset(wanted.days), _minutes(wanted.begins), _minutes(wanted.ends))


def _minutes(wall: str) -> int:
    hours, minutes = wall.split(":")
    return 60 * int(hours) + int(minutes)


def _wall(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _shown(plan: Plan, clock: Clock) -> TimesShown:
    now = clock.for_reading()
    return TimesShown(
        zone=plan.zone_name,
        stretches=[
            StretchShown(
                days=[day for day in Weekday if day in one.days], begins=_wall(one.from_min), ends=_wall(one.until_min)
            )
            for one in plan.stretches
        ],
        version=plan.version,
        is_recorded_now=is_recorded_at(plan, now),
        changes_at=next_change(plan, now),
    )


def _version(row: RecordingTimesRow) -> TimesVersion:
    return TimesVersion(
        version=row.version, zone=row.zone, stretches=row.stretches.split(" "), set_by=row.set_by, set_at=row.set_at
    )


def _camera(granted: Granted) -> CameraId:
    if granted.camera_id is None:
        raise RuntimeError("the gate of a camera's route names the camera")
    return granted.camera_id
