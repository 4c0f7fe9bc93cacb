"""Signing and reading JWT stream tokens; the only importer of `jwt`.

The private key never leaves the keyring, so the parts of a token are joined here and signed there (RFC 8037, Ed25519);
PyJWT reads. The algorithm is a constant, never taken from a token (RFC 8725, 3.1), and `kid` is looked up in a dict.
"""

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
from jwt.algorithms import OKPAlgorithm
from jwt.utils import base64url_decode, base64url_encode

from auth.tokens.errors import TokenIsBad
from auth.tokens.payload import read_payload, write_payload
from auth.tokens.rules import Claims
from vms_privacy.clock import Clock
from vms_privacy.keyring.port import Keyring, PublicKey
from vms_privacy.keyring.port import Purpose as KeyPurpose

LONGEST_TOKEN: Final = 2048
"""Characters. Ours have some 700 to 900; what is longer is not read at all."""
_TYPE: Final = "stream+jwt"
_ALGORITHM: Final = "EdDSA"
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
_KID: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_ASK_KEYRING_AGAIN_S: Final = 5.0


class TokenSigner:
    """Makes and reads JWT stream tokens of one issuer for one audience. Safe to share between threads."""

    def __init__(self, keyring: Keyring, clock: Clock, issuer: str, audience: str) -> None:
        self._keyring = keyring
        self._clock = clock
        self._issuer = issuer
        self._audience = audience
        self._jws = jwt.PyJWS(algorithms=[_ALGORITHM])
        self._lock = threading.Lock()
        self._keys: Mapping[str, Any] = {}
        self._head = _Head("", "")
        self._asked_at: float | None = None

    @property
    def is_at_hand(self) -> bool:
        """Say whether `sign` waits for nothing: the keyring has its key in memory."""
        return self._keyring.is_at_hand(KeyPurpose.TOKEN_SIGNING)

    def sign(self, claims: Claims) -> str:
        """Return the compact JWT of these claims, under the keyring's current key. Raises KeyringUnavailable."""
        body = f".{_encoded(write_payload(claims, self._issuer, self._audience))}"
        for _ in range(2):
            head = self._head
            kid, signature = self._keyring.sign(KeyPurpose.TOKEN_SIGNING, f"{head.text}{body}".encode())
            if kid == head.kid:
                return f"{head.text}{body}.{_encoded(signature)}"
            # The key was rotated since we last looked; the header must name the one that really signed.
            self._ask_keyring()
        raise RuntimeError("the keyring signs with a key that it does not publish")

    def read(self, text: str) -> Claims:
        """Return the claims of a token that we signed. Whether they still hold is not judged. Raises TokenIsBad."""
        if len(text) > LONGEST_TOKEN or not _SHAPE.fullmatch(text):
            raise TokenIsBad("shape")
        try:
            key = self._key_of(self._jws.get_unverified_header(text))
            payload = self._jws.decode(text, key=key, algorithms=[_ALGORITHM])
        except jwt.PyJWTError:
            # `from None`: the library's text may repeat parts of the token.
            raise TokenIsBad("signature") from None
        return read_payload(payload, self._issuer, self._audience)

    def claims_of(self, payload: str) -> Claims:
        """Return the claims of the second part of a token that this installation kept. Raises TokenIsBad."""
        return read_payload(base64url_decode(payload), self._issuer, self._audience)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Return every key that a living token may name, as a JWK set (RFC 7517, RFC 8037)."""
        return {"keys": [_jwk(key) for key in self._keyring.public_keys(KeyPurpose.TOKEN_SIGNING)]}

    def _key_of(self, header: Mapping[str, object]) -> Any:
        if header.keys() != {"alg", "kid", "typ"} or header["typ"] != _TYPE or header["alg"] != _ALGORITHM:
            raise TokenIsBad("header")
        kid = header["kid"]
        if not isinstance(kid, str) or not _KID.fullmatch(kid):
            raise TokenIsBad("kid")
        if kid not in self._keys and self._may_ask_again():
            self._ask_keyring()
        key = self._keys.get(kid)
        if key is None:
            raise TokenIsBad("unknown kid")
        return key

    def _may_ask_again(self) -> bool:
        # Strangers choose the kid: without this bound each bad token would cost a look into the keyring.
        asked_at = self._asked_at
        return asked_at is None or self._clock.monotonic() - asked_at >= _ASK_KEYRING_AGAIN_S

    def _ask_keyring(self) -> None:
        with self._lock:
            keys = self._keyring.public_keys(KeyPurpose.TOKEN_SIGNING)
            self._keys = {key.kid: OKPAlgorithm.from_jwk(_jwk(key)) for key in keys}
            header = {"alg": _ALGORITHM, "kid": keys[0].kid, "typ": _TYPE}
            self._head = _Head(keys[0].kid, _encoded(json.dumps(header, separators=(",", ":")).encode()))
            self._asked_at = self._clock.monotonic()


@dataclass(frozen=True, slots=True)
class _Head:
    """The first part of a token, as long as one key signs."""

    kid: str
    text: str


def _encoded(raw: bytes) -> str:
    return base64url_encode(raw).decode()


def _jwk(key: PublicKey) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "alg": _ALGORITHM, "use": "sig", "kid": key.kid, "x": _encoded(key.raw)}
