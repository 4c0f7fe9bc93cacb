"""The one door to PKCS#11 (OASIS PKCS #11 2.40): a token that keeps AES-256 keys inside and works with them there.

Promise: a key made here was never outside the token and cannot be had from it; the PIN is read from its file for
every log-in and shows nowhere; whatever the library says comes out as KeyringUnavailable, without its text.
Words: docs/glossary.md, "security token".
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import pkcs11
from pkcs11 import exceptions as faults
from pkcs11.mechanisms import GCMParams

from vms_privacy import durable_files
from vms_privacy.keyring.faults import told
from vms_privacy.keyring.pkcs11_rules import NONCE_SIZE, TAG_SIZE
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyringUnavailable, WrapIsDamaged

_PIN_LIMIT: Final = 512
_TAG_BITS: Final = TAG_SIZE * 8
_MADE_INSIDE: Final = (
    pkcs11.Attribute.LOCAL,
    pkcs11.Attribute.ALWAYS_SENSITIVE,
    pkcs11.Attribute.NEVER_EXTRACTABLE,
)
Answer = TypeVar("Answer")

# A library is one per process, and python-pkcs11 initialises it without locks of its own: two calls at once, of
# whatever session, end the process with a segmentation fault. So one lock, round every single call.
_ONE_AT_A_TIME: Final = threading.RLock()
# How often a library was started anew. Its handles are small numbers that are given again afterwards, so a session
# from before must never be used: it could name another token's key.
_STARTS: Final[dict[Path, int]] = {}

_PIN_REFUSED: Final = (
    faults.PinIncorrect,
    faults.PinInvalid,
    faults.PinLenRange,
    faults.PinLocked,
    faults.PinExpired,
    faults.UserPinNotInitialized,
)


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where a token is: the library that speaks to it, its label, and the file with its PIN (0600, the PIN alone)."""

    library: Path
    label: str
    pin_file: Path


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a token has wrapped: nonce, ciphertext and tag, with the associated data it opens with."""

    wrapped: bytes
    associated: bytes


class Pkcs11Token:
    """Makes, uses and destroys keys in one token. Every method may raise KeyringUnavailable. Thread-safe.

    One session is kept open, so that the log-in stays. After any fault the library is started anew, the token looked
    for and logged in to again, once; so a token that was taken out and put back, or restarted, is found. `faults`
    counts what went wrong, by the name that PKCS#11 has for it.
    """

    def __init__(self, place: TokenPlace) -> None:
        self._place = place
        self._session: Any = None
        self._of_start = 0
        self._keys: dict[bytes, Any] = {}
        self._refused_pin: tuple[int, int] | None = None
        self.faults: Counter[str] = Counter()

    def make_key(self, object_id: bytes, label: str) -> None:
        """Make an AES-256 key inside, in place of any half made one with this id; durable on return."""

        def make(session: Any) -> None:
            for half_made in _found(session, object_id):
                half_made.destroy()
            session.generate_key(
                pkcs11.KeyType.AES,
                256,
                id=object_id,
                label=label,
                store=True,
                capabilities=pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT,
                template={
                    pkcs11.Attribute.SENSITIVE: True,
                    pkcs11.Attribute.EXTRACTABLE: False,
                    pkcs11.Attribute.PRIVATE: True,
                },
            )
            self._key(session, object_id)

        self._asked(make)

    def wrap(self, object_id: bytes, nonce: bytes, value: bytes, associated: bytes) -> bytes:
        """Return nonce, ciphertext and tag of `value` under a key. The caller never gives a nonce twice."""

        def wrap(session: Any) -> bytes:
            ciphertext: bytes = self._key(session, object_id).encrypt(
                value,
                mechanism=pkcs11.Mechanism.AES_GCM,
                mechanism_param=GCMParams(nonce, associated, _TAG_BITS),
            )
            return nonce + ciphertext

        wrapped = self._asked(wrap)
        if len(wrapped) != NONCE_SIZE + len(value) + TAG_SIZE:
            raise KeyringUnavailable("the PKCS#11 token wraps in another way than AES-GCM with a tag of 16 bytes")
        return wrapped

    def unwrap(self, object_id: bytes, sealed: Sealed, known: Callable[[], Sealed]) -> bytes:
        """Open a wrap. Raises WrapIsDamaged, but only if the token then opens `known` under the same key.

        A token answers a wrong tag as it answers much else, so without that it might be the token that is at fault.
        """

        def unwrap(session: Any) -> bytes:
            key = self._key(session, object_id)
            try:
                return _opened(key, sealed)
            except faults.PKCS11Error:
                return _second_look(key, sealed, known())

        return self._asked(unwrap)

    def destroy_key(self, object_id: bytes) -> None:
        """Destroy a key inside the token, and see that it is gone. One that is gone already is fine."""

        def destroy(session: Any) -> None:
            self._keys.pop(object_id, None)
            for key in _found(session, object_id):
                key.destroy()
            if _found(session, object_id):
                raise KeyringUnavailable("the PKCS#11 token still has a key that it was told to destroy")

        self._asked(destroy)

    def object_ids(self) -> frozenset[bytes]:
        """Return the ids of all secret keys in the token, whoever made them."""

        def listed(session: Any) -> frozenset[bytes]:
            return frozenset(bytes(key[pkcs11.Attribute.ID]) for key in _search(session))

        return self._asked(listed)

    def forget_old(self) -> None:
        """Let go of handles; the next use looks its key up again."""
        with _ONE_AT_A_TIME:
            self._keys.clear()

    def _asked(self, act: Callable[[Any], Answer]) -> Answer:
        """Do something in a logged-in session; after a fault of the token, once more from the log-in on."""
        with _ONE_AT_A_TIME:
            try:
                return act(self._logged_in())
            except faults.PKCS11Error as error:
                self._note_lost(error)
            try:
                self._start_anew()
                return act(self._logged_in())
            except faults.PKCS11Error as error:
                self._note_lost(error)
                # Its text may hold paths, and nobody has promised that it holds no more.
                raise KeyringUnavailable(f"the PKCS#11 token: {type(error).__name__}", role="token") from None

    def _note_lost(self, fault: faults.PKCS11Error) -> None:
        """Forget session and handles: what they named may be gone, or be something else by now."""
        self.faults[type(fault).__name__] += 1
        self._session = None
        self._keys.clear()

    def _start_anew(self) -> None:
        """Have the library look for its tokens again. Ends every session of this process, which all come back here."""
        _STARTS[self._place.library] = _STARTS.get(self._place.library, 0) + 1
        pkcs11.lib(str(self._place.library)).reinitialize()

    def _logged_in(self) -> Any:
        start = _STARTS.get(self._place.library, 0)
        if self._session is None or self._of_start != start:
            self._keys.clear()
            token = pkcs11.lib(str(self._place.library)).get_token(token_label=self._place.label)
            self._session, self._of_start = self._log_in(token), start
        return self._session

    def _log_in(self, token: Any) -> Any:
        with told("PIN file"):
            found = self._place.pin_file.stat()
            stamp = (found.st_ino, found.st_mtime_ns)
            pin = KeyBytes(durable_files.read_private(self._place.pin_file, _PIN_LIMIT).rstrip(b"\r\n"))
        if stamp == self._refused_pin:
            # Tokens lock themselves after a few wrong ones: each is tried once.
            raise KeyringUnavailable("the PKCS#11 token refused this PIN before", role="PIN file")
        try:
            return token.open(rw=True, user_pin=pin.reveal().decode())
        except faults.UserAlreadyLoggedIn:
            # A log-in is the process's; another session of it holds this one.
            return token.open(rw=True)
        except _PIN_REFUSED as error:
            self._refused_pin = stamp
            raise KeyringUnavailable(f"the PKCS#11 token: {type(error).__name__}", role="PIN file") from None
        except UnicodeDecodeError:
            raise KeyringUnavailable("the PIN file holds no text", role="PIN file") from None

    def _key(self, session: Any, object_id: bytes) -> Any:
        known = self._keys.get(object_id)
        if known is not None:
            return known
        found = _found(session, object_id)
        if len(found) != 1:
            raise KeyringUnavailable("the PKCS#11 token does not have this key just once", role="token")
        if not all(found[0][attribute] for attribute in _MADE_INSIDE):
            raise KeyringUnavailable("a key in the PKCS#11 token was or may come outside", role="token")
        self._keys[object_id] = found[0]
        return found[0]


def _search(session: Any, **attributes: Any) -> list[Any]:
    # A list: a search left open, or closed whenever it is collected, would be a call outside the lock.
    named = {pkcs11.Attribute[name]: value for name, value in attributes.items()}
    return list(session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY, **named}))


def _found(session: Any, object_id: bytes) -> list[Any]:
    return _search(session, ID=object_id)


def _opened(key: Any, sealed: Sealed) -> bytes:
    nonce, ciphertext = sealed.wrapped[:NONCE_SIZE], sealed.wrapped[NONCE_SIZE:]
    parameters = GCMParams(nonce, sealed.associated, _TAG_BITS)
    opened: bytes = key.decrypt(ciphertext, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=parameters)
    return opened


def _second_look(key: Any, sealed: Sealed, known: Sealed) -> bytes:
    """Tell a wrap that does not open from a token that opens nothing."""
    _opened(key, known)
    try:
        return _opened(key, sealed)
    except faults.PKCS11Error:
        raise WrapIsDamaged("a wrapped value does not authenticate") from None
