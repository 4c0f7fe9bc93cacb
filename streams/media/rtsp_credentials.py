"""How we say to a camera who we are: Basic (RFC 7617) and Digest (RFC 7616, MD5 and SHA-256). Pure.

The strongest way that the camera offers is taken. No credential and no answer made from one is in any `repr`.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_PARAMETER: Final = re.compile(r'([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME: Final = re.compile(r"(?:^|,)\s*(Basic|Digest)(?=\s|,|$)", re.IGNORECASE)
_DIGESTS: Final = {"sha-256": 2, "md5": 1}


@dataclass(frozen=True, slots=True)
class Login:
    """User name and password of a camera's account."""

    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in which a camera wants to be told. `algorithm` is empty for Basic."""

    algorithm: str
    realm: str = field(repr=False)
    nonce: str = field(default="", repr=False)
    opaque: str | None = field(default=None, repr=False)
    wants_qop: bool = False
    is_session: bool = False
    is_stale: bool = False

    @property
    def strength(self) -> int:
        return _DIGESTS.get(self.algorithm, 0)


def strongest(headers: Sequence[str]) -> Challenge | None:
    """Return the strongest challenge of the WWW-Authenticate headers that we can answer, or None."""
    found = [challenge for header in headers for challenge in _challenges(header)]
    return max(found, key=lambda challenge: challenge.strength, default=None)


def answer(challenge: Challenge, login: Login, method: str, uri: str, count: int, client_nonce: str) -> str:
    """Return the value of Authorization. `count` is how often this nonce was used, this time included."""
    if not challenge.algorithm:
        pair = f"{login.user}:{login.password}".encode()
        return f"Basic {base64.b64encode(pair).decode('ascii')}"
    secret = _hash(challenge, f"{login.user}:{challenge.realm}:{login.password}")
    if challenge.is_session:
        secret = _hash(challenge, f"{secret}:{challenge.nonce}:{client_nonce}")
    asked = _hash(challenge, f"{method}:{uri}")
    number = f"{count:08x}"
    middle = f"{challenge.nonce}:{number}:{client_nonce}:auth" if challenge.wants_qop else challenge.nonce
    parts = [
        f'username="{_quoted(login.user)}"',
        f'realm="{_quoted(challenge.realm)}"',
        f'nonce="{_quoted(challenge.nonce)}"',
        f'uri="{_quoted(uri)}"',
        f'response="{_hash(challenge, f"{secret}:{middle}:{asked}")}"',
    ]
    if challenge.algorithm != "md5" or challenge.is_session:
        # MD5 goes without saying, and cameras older than RFC 2617 do not know the word.
        parts.append(f"algorithm={challenge.algorithm.upper()}{'-sess' if challenge.is_session else ''}")
    if challenge.opaque is not None:
        parts.append(f'opaque="{_quoted(challenge.opaque)}"')
    if challenge.wants_qop:
        parts += ["qop=auth", f"nc={number}"]
    if challenge.wants_qop or challenge.is_session:
        parts.append(f'cnonce="{client_nonce}"')
    return f"Digest {', '.join(parts)}"


def _challenges(header: str) -> list[Challenge]:
    starts = list(_SCHEME.finditer(header))
    ends = [*(start.start() for start in starts[1:]), len(header)]
    found = []
    for start, end in zip(starts, ends, strict=False):
        given = _parameters(header[start.end() : end])
        challenge = Challenge("", given.get("realm", "")) if start[1].lower() == "basic" else _digest(given)
        if challenge is not None:
            found.append(challenge)
    return found


def _digest(given: Mapping[str, str]) -> Challenge | None:
    algorithm = given.get("algorithm", "MD5").lower()
    is_session = algorithm.endswith("-sess")
    algorithm = algorithm.removesuffix("-sess")
    offered = {word.strip().lower() for word in given.get("qop", "").split(",")} - {""}
    if algorithm not in _DIGESTS or not given.get("nonce") or (offered and "auth" not in offered):
        return None
    return Challenge(
        algorithm=algorithm,
        realm=given.get("realm", ""),
        nonce=given["nonce"],
        opaque=given.get("opaque"),
        wants_qop=bool(offered),
        is_session=is_session,
        is_stale=given.get("stale", "").lower() == "true",
    )


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(text):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted else plain)
    return found


def _hash(challenge: Challenge, text: str) -> str:
    data = text.encode()
    if challenge.algorithm == "sha-256":
        return hashlib.sha256(data).hexdigest()
    # What most cameras speak; it protects the password from a listener's eye, nothing else rests on it.
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
