"""Moments and spans as people write them on a command line, strictly. Pure."""

from datetime import UTC, datetime, timedelta

from vms_privacy.cli.refusals import BadDuration, BadMoment
from vms_privacy.web import format_duration, parse_duration


def duration(text: str) -> str:
    """Return an ISO 8601 duration in the form the API gives out. Raises BadDuration."""
    return format_duration(span_of(text))


def span_of(text: str) -> timedelta:
    """Read an ISO 8601 duration. Raises BadDuration."""
    try:
        return parse_duration(text.upper())
    except ValueError as error:
        raise BadDuration(str(error)) from None


def moment_of(text: str) -> datetime:
    """Read a moment in ISO 8601 with its zone, or as seconds since 1970. Raises BadMoment."""
    try:
        if text.isascii() and text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        found = datetime.fromisoformat(text.replace(" ", "T"))
    except (ValueError, OverflowError, OSError):
        raise BadMoment("a moment is written like 2026-01-31T08:00:00Z, or as seconds since 1970") from None
    if found.utcoffset() is None:
        raise BadMoment("a moment needs its zone: put a Z behind it for UTC")
    return found.astimezone(UTC)
