"""Where a camera is: an RTSP URL taken apart, strictly. Pure; its `repr` shows no credential and no path.

Sources: RFC 2326, 3.2 (rtsp), RFC 7826, 4.2 (rtsps); RFC 3986 for the parts.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from streams.errors import BadCameraAddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LONGEST: Final = 2048
DEFAULT_PORTS: Final = {"rtsp": 554, "rtsps": 322}
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<user>[^@/?#:]*)(?::(?P<password>[^@/?#]*))?@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/?#:\[\]]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][!-~]*)?\Z"
)
_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class RtspAddress:
    """One camera's address. `host` is a name or an IP address, without brackets; `target` is path and query."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def is_encrypted(self) -> bool:
        return self.scheme == "rtsps"

    @property
    def authority(self) -> str:
        """Return host and port as they stand in a URL; the port only where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def uri(self) -> str:
        """Return the URL as it is asked for: without credentials. It may still hold a secret in its query."""
        return f"{self.scheme}://{self.authority}{self.target}"


def parse_address(text: str) -> RtspAddress:
    """Take a camera's URL apart. Raises BadCameraAddress, in words that do not repeat the URL."""
    if len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        raise BadCameraAddress("an address is at most 2048 printable characters without spaces")
    found = _URL.match(text)
    if found is None or "#" in text:
        raise BadCameraAddress(
            "an address is written rtsps://host:port/path, and a `@`, `/` or `?` in a password as %xx"
        )
    scheme = found["scheme"].lower()
    if scheme not in DEFAULT_PORTS:
        raise BadCameraAddress("a camera is reached by rtsp or rtsps only")
    port = int(found["port"]) if found["port"] else DEFAULT_PORTS[scheme]
    if not 1 <= port <= 65535:
        raise BadCameraAddress("a port is a number from 1 to 65535")
    target = found["target"] or "/"
    return RtspAddress(
        scheme=scheme,
        host=_host(found["host"]),
        port=port,
        target=target if target.startswith("/") else f"/{target}",
        user=_decoded(found["user"]),
        password=_decoded(found["password"]),
    )


def lies_in(address: str, networks: Sequence[Network]) -> bool:
    """Say whether an IP address lies in one of the networks; mapped IPv4 counts as IPv4. Raises ValueError."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise BadCameraAddress("the host is no IPv6 address") from None
    name = text.lower().removesuffix(".")
    if name.replace(".", "").isdigit():
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise BadCameraAddress("the host is no IPv4 address") from None
    if len(name) > 253 or not all(_LABEL.match(label) for label in name.split(".")):
        raise BadCameraAddress("the host is no name and no IP address")
    return name


def _decoded(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        # A lone `%` is one: passwords are often written as they are.
        decoded = text if _PERCENT.search(text) else unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise BadCameraAddress("a user name or password is not UTF-8") from None
    if not decoded.isprintable():
        raise BadCameraAddress("a user name or password holds a character that cannot be sent")
    return decoded
