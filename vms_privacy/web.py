"""Shapes that every route shares: strict bodies, moments with a zone, durations, pages."""

import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Annotated, Final, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

Item = TypeVar("Item")
NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
NAME_WORDS = "a name is 1 to 63 of a-z, 0-9 and -, and does not begin with -"
_DURATION = re.compile(r"^P(?:(\d{1,5})W|(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?)?)$")


class Strict(BaseModel):
    """A body that says exactly what it says: an unknown field is an error, nothing is guessed or changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def parse_duration(value: object) -> timedelta:
    """Read an ISO 8601 duration of weeks, days, hours, minutes and seconds.

    Years and months are refused: they have no fixed length, and retention is a promise to the second.
    """
    if isinstance(value, timedelta):
        return value
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None or not any(found.groups()) or str(value).endswith("T"):
        raise ValueError("a duration is written like PT48H or P3D; a month or a year has no fixed length")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def format_duration(value: timedelta) -> str:
    """Write a duration in the one form the API gives out: hours, minutes and seconds."""
    total = int(value.total_seconds())
    hours, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    text = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count)
    return f"PT{text or '0S'}"


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach an address. A name other than `localhost` cannot be trusted to be."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("this moment is beyond the calendar") from None


def is_name(text: str) -> bool:
    """Say whether an operator or a camera could have this name; PostgreSQL cannot even be asked for some others."""
    return re.fullmatch(NAME_PATTERN, text) is not None and not text.endswith("\n")


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("this is one line, without control characters")
    return text


def _lines(text: str) -> str:
    if not all(line.isprintable() for line in text.split("\n")):
        raise ValueError("this has no control characters but line breaks")
    return text


ONE_LINE: Final = AfterValidator(_one_line)
LINES: Final = AfterValidator(_lines)
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)]
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    Field(json_schema_extra={"type": "string", "format": "duration", "examples": ["PT72H"]}),
]


class Page(Strict, Generic[Item]):
    """One page of a list. `next` is the cursor of the following page, absent on the last one."""

    items: list[Item]
    next: str | None = None
