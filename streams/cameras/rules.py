"""What a camera may be, and what is known of it. Pure."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from streams.address import Network, RtspAddress, lies_in
from streams.errors import AddressNotAllowed, BadCameraAddress, PlainNeedsException
from vms_privacy.ids import CameraId, OperatorId

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}\Z")


@unique
class CameraState(StrEnum):
    """What the service is doing about a camera's pictures."""

    OFF = "off"
    CONNECTING = "connecting"
    RUNNING = "running"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How a camera is doing. `why` is the last fault's code, empty while all is well; `detail` says it in words.

    `audio_left_out` names the codec of a sound that MP4 cannot carry. `lost` counts pictures and frames of sound that
    came damaged since the service started to take pictures from it.
    """

    state: CameraState
    since: datetime
    codec: str = ""
    width: int = 0
    height: int = 0
    audio: str = ""
    audio_left_out: str = ""
    reconnects: int = 0
    lost: int = 0
    last_packet_at: datetime | None = None
    why: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Camera:
    """One registered camera, without its credential. `host` is a name or an IP address, without user and password."""

    id: CameraId
    operator_id: OperatorId
    name: str
    group_path: str
    title: str
    scheme: str
    host: str
    port: int
    has_credential: bool
    purpose: str
    plain_exception: str
    pin: str
    created_at: datetime
    removed_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class CameraSource:
    """What the relay needs to reach a camera. The address holds the credential and shows neither it nor its path."""

    camera_id: CameraId
    operator_id: OperatorId
    address: RtspAddress
    pin: str | None = field(default=None, repr=False)


def is_on_this_machine(host: str) -> bool:
    """Say whether what is sent there never leaves the machine: loopback, by number; names can be moved."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_place(address: RtspAddress, networks: Sequence[Network]) -> None:
    """Refuse an IP address outside of all networks; where a name leads is seen each time it is connected to.

    Raises AddressNotAllowed.
    """
    try:
        allowed = lies_in(address.host, networks)
    except ValueError:
        return
    if not allowed:
        raise AddressNotAllowed


def check_transport(address: RtspAddress, plain_exception: str, pin: str) -> None:
    """Refuse an address that does not protect its pictures on the way, and a pin that protects nothing (SE-1).

    Raises PlainNeedsException, BadCameraAddress.
    """
    if not address.is_encrypted and not plain_exception and not is_on_this_machine(address.host):
        raise PlainNeedsException
    if pin and not address.is_encrypted:
        raise BadCameraAddress("a pinned certificate goes with rtsps only")


def read_fingerprint(text: str) -> str:
    """Return a SHA-256 fingerprint in its one form, whatever its colons and capitals. Raises BadCameraAddress."""
    fingerprint = text.replace(":", "").lower()
    if fingerprint and not _FINGERPRINT.match(fingerprint):
        raise BadCameraAddress("a pinned certificate is given by its SHA-256 fingerprint: 64 hexadecimal digits")
    return fingerprint
