"""Resources as plain values, and how group paths contain each other."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vms_privacy.ids import CameraId, OperatorId

GROUP_PATH_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,62}(?:/[a-z0-9][a-z0-9-]{0,62}){0,7}$"
GROUP_PATH_LENGTH: Final = 255


@dataclass(frozen=True, slots=True)
class Resource:
    """One camera as the gate knows it.

    `group_path` is names joined by `/`, or empty for a camera in no group. A removed camera has no live picture
    any more, while what it recorded stays until it is destroyed.
    """

    camera_id: CameraId
    operator_id: OperatorId
    name: str
    group_path: str
    version: int
    removed_at: datetime | None = None


def lies_within(path: str, group: str) -> bool:
    """Say whether `path` is the group or lies below it; `north-2` does not lie within `north`."""
    return path == group or path.startswith(f"{group}/")
