"""What a blob may be called. Pure."""

import base64
import re
from typing import Final

NAME_OCTETS: Final = 16
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


def name_of(octets: bytes) -> str:
    """Turn 16 random bytes into a name: 22 characters of base64url (RFC 4648, 5) that tell nothing."""
    if len(octets) != NAME_OCTETS:
        raise ValueError("a name is made of 16 bytes")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def is_name(text: str) -> bool:
    """Say whether this is a name that `name_of` could have made.

    One name stands for one value: the last character, which carries two bits only, must not carry more.
    """
    return _NAME.fullmatch(text) is not None and text[-1] in "AQgw"


def checked(name: str) -> str:
    """Return the name, or raise ValueError: nothing else ever becomes a part of a path."""
    if not is_name(name):
        raise ValueError("a blob's name is 22 characters of base64url")
    return name
