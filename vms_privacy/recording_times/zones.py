"""Time zones by their names in the IANA database, as the system has it."""

import zoneinfo
from datetime import tzinfo


def zone_named(name: str) -> tzinfo | None:
    """Return a time zone, or None where the system knows none of that name.

    Names that stand for a machine's own setting, such as `localtime`, are none: a plan says the same everywhere.
    """
    if name != "UTC" and "/" not in name:
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None
