"""Addresses as keyed pseudonyms that change every day; the address itself is kept nowhere."""

from datetime import UTC
from ipaddress import IPv6Address, ip_address

from vms_privacy.clock import Clock
from vms_privacy.keyring.port import Keyring, Purpose

_LENGTH = 24


class Pseudonyms:
    """Turns an address into 24 hexadecimal digits: the same all day (UTC), another one tomorrow.

    Without the keyring's key nobody can try addresses until one fits; with it, anybody can: it is a pseudonym, not
    anonymous (GDPR, Article 4(5)).
    """

    def __init__(self, keyring: Keyring, clock: Clock) -> None:
        self._keyring = keyring
        self._clock = clock

    def address(self, text: str) -> str:
        """Return today's pseudonym. Two spellings of one IP address have the same one."""
        today = self._clock.now().astimezone(UTC).date().isoformat()
        value = f"address {today} {_one_spelling(text)}".encode()
        return self._keyring.digest(Purpose.PSEUDONYM, value).hex()[:_LENGTH]


def _one_spelling(text: str) -> str:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        # A Unix socket or a test client has no IP address; it is a name like any other here.
        return text
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
