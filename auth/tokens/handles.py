"""The short form of a token: `p1.` and 22 base64url characters, 128 random bits. stream-token-v1, section 5.

It stands where a JWT does not fit: `token=` values, RTSP passwords, links. Only its digest is stored
(auth/opaque.py).
"""

import base64
import re
from typing import Final

from vms_privacy.ids import Randomness

PREFIX: Final = "p1."
# 128 bits leave four unused bits in the last character: they are zero, so each handle has one spelling.
_SHAPE: Final = re.compile(r"p1\.[A-Za-z0-9_-]{21}[AQgw]")


def new_handle(randomness: Randomness) -> str:
    """Return a handle that was never given before."""
    return PREFIX + random_name(randomness)


def random_name(randomness: Randomness) -> str:
    """Return 128 random bits as 22 base64url characters."""
    return base64.urlsafe_b64encode(randomness.octets(16)).rstrip(b"=").decode()


def is_handle(text: str) -> bool:
    """Say whether `text` has exactly the shape of a handle."""
    return _SHAPE.fullmatch(text) is not None
