"""Where an unauthenticated request comes from, as a pseudonym: good for slowing guesses, useless for finding people."""

from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network, ip_address

from fastapi import Request


class Sources:
    """Tells sources apart. `pseudonym` is `Pseudonyms.address` of the audit. A dependency of open routes."""

    def __init__(self, pseudonym: Callable[[str], str]) -> None:
        self._pseudonym = pseudonym

    def __call__(self, request: Request) -> str:
        """Return the pseudonym of whoever sends this request; one for each IPv6 network of 64 bits."""
        return self._pseudonym(_one_per_line(request.client.host if request.client else ""))


def _one_per_line(host: str) -> str:
    """Return what stands for one line: whoever has one IPv6 address has the other 2^64 of its network too."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        # A Unix socket has no address; it is one source like any other.
        return host
    if not isinstance(address, IPv6Address) or address.ipv4_mapped is not None:
        return host
    return str(IPv6Network((address, 64), strict=False).network_address)
