"""Forms for people: tables, facts, moments in UTC, spans and sizes with their units. Plain text in, plain lines out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from vms_privacy.web import parse_duration

NOTHING: Final = "–"
"""What stands where there is nothing to tell, or where the asker may not know."""
_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_SIZES: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def table(head: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> list[str]:
    """Return a table with its head, each column as wide as its widest cell; `empty` where there are no rows."""
    cells = [[_cell(one) for one in row] for row in rows]
    if not cells:
        return [empty]
    lines = [[one.upper() for one in head], *cells]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def facts(told: Mapping[str, object]) -> list[str]:
    """Return one line per fact, the values in one column; a list has a line for each of its own."""
    width = max((len(name) for name in told), default=0)
    found = []
    for name, value in told.items():
        values = [_cell(one) for one in value] if isinstance(value, list | tuple) else [_cell(value)]
        found.append(f"{name:{width}}  {values[0] if values else NOTHING}")
        found += [f"{'':{width}}  {one}" for one in values[1:]]
    return found


def moment(value: str | datetime | None) -> str:
    """Write a moment to the second, in UTC."""
    if value is None or value == "":
        return NOTHING
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def since_1970(milliseconds: int) -> str:
    """Write a moment that is given in milliseconds since 1970."""
    return moment(datetime.fromtimestamp(milliseconds / 1000, UTC))


def span(value: str | timedelta | None) -> str:
    """Write a duration with units: `72 h`, `1 h 30 min`; days only where it is whole days beyond three."""
    if value is None:
        return NOTHING
    rest = int(parse_duration(value).total_seconds())
    days = rest > 3 * 86400 and rest % 86400 == 0
    parts = []
    for unit, seconds in _UNITS if days else _UNITS[1:]:
        count, rest = divmod(rest, seconds)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts) or "0 s"


def size(count: int) -> str:
    """Write a number of bytes with a unit."""
    value, at = float(count), 0
    while value >= 1024 and at < len(_SIZES) - 1:
        value, at = value / 1024, at + 1
    return f"{count} B" if at == 0 else f"{value:.1f} {_SIZES[at]}"


def _cell(value: object) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
