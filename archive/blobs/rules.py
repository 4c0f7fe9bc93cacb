"""What a blob may be called, which bucket may be a store, and which store an operator's footage goes to. Pure."""

import base64
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from itertools import count
from typing import Final

NAME_OCTETS: Final = 16
MARK: Final = "sealed-blobs-v1"
"""What says that a folder or a bucket is a store; the number is the store's version."""
QUARANTINE: Final = "quarantine"
"""Where in a store lies what nobody knows; too long for a shelf, and a folder no blob is in."""
MARK_TEXT: Final = b"Sealed blobs of a vms-privacy service. Only the service writes here.\n"
DEFAULT_STORE: Final = "default"
"""The store that every installation has, and that all footage went to while there was one."""
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


def quarantine_names(name: str) -> Iterator[str]:
    """Go through the names that something may have in quarantine: its own, then its own with a number."""
    yield name
    yield from (f"{name}~{number}" for number in count(2))


def checked(name: str) -> str:
    """Return the name, or raise ValueError: nothing else ever becomes a part of a path."""
    if not is_name(name):
        raise ValueError("a blob's name is 22 characters of base64url")
    return name


@unique
class Versioning(StrEnum):
    """Whether a bucket keeps what was overwritten or deleted. `SUSPENDED` keeps what it kept before."""

    NEVER = "never"
    ENABLED = "enabled"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """What one rule of a bucket's lifecycle does by itself."""

    is_enabled: bool
    expires_current: bool
    """Deletes objects that are still current, after days or on a date."""
    moves_current: bool
    """Moves objects that are still current to another kind of storage."""


@dataclass(frozen=True, slots=True)
class BucketFacts:
    """What a bucket says of itself, and how it is reached."""

    region: str
    versioning: Versioning
    has_lock: bool
    """Object lock is on: versions can be kept from deletion."""
    locks_by_default: bool
    """Every new object is kept from deletion for a time, without anybody asking for it."""
    lifecycle: tuple[LifecycleRule, ...]
    uses_tls: bool


@dataclass(frozen=True, slots=True)
class BucketTerms:
    """What the operator of this installation wants of the bucket."""

    region: str
    erases_versions: bool = False
    """A bucket that keeps versions is wanted: every version is erased, which takes the right to do so."""
    is_production: bool = True
    capacity_bytes: int | None = None
    """How much may lie in it: no store tells. None: nobody said."""


@unique
class Unfit(StrEnum):
    """Why a bucket may not be a store. A code is never given to anything else."""

    WRONG_REGION = "wrong-region"
    PLAIN_HTTP = "plain-http"
    KEEPS_VERSIONS = "keeps-versions"
    HAS_OBJECT_LOCK = "has-object-lock"
    LOCKS_BY_DEFAULT = "locks-by-default"
    EXPIRES_FOOTAGE = "expires-footage"
    MOVES_FOOTAGE = "moves-footage"
    NO_BUCKET = "no-bucket"
    NOT_A_STORE = "not-a-store"
    HIDES_VERSIONS = "hides-versions"


@dataclass(frozen=True, slots=True)
class Objection:
    """One reason why a bucket may not be a store, and what to do about it."""

    code: Unfit
    why: str


def judge_bucket(facts: BucketFacts, terms: BucketTerms) -> tuple[Objection, ...]:
    """Say what keeps a bucket from being a store; nothing if it may be one. Each reason is given once."""
    return tuple(_objections(facts, terms))


def _objections(facts: BucketFacts, terms: BucketTerms) -> Iterator[Objection]:
    if facts.region != terms.region:
        yield Objection(Unfit.WRONG_REGION, "the bucket lies in another region than the one that was promised")
    if terms.is_production and not facts.uses_tls:
        yield Objection(Unfit.PLAIN_HTTP, "in production a store is reached by TLS")
    if facts.versioning is not Versioning.NEVER and not terms.erases_versions:
        yield Objection(
            Unfit.KEEPS_VERSIONS, "the bucket keeps versions: take another, or turn the erasure of versions on"
        )
    if facts.has_lock and not terms.erases_versions:
        yield Objection(
            Unfit.HAS_OBJECT_LOCK, "the bucket has object lock: take another, or turn the erasure of versions on"
        )
    if facts.locks_by_default:
        yield Objection(Unfit.LOCKS_BY_DEFAULT, "the bucket keeps every new object from being erased: take another")
    at_work = [rule for rule in facts.lifecycle if rule.is_enabled]
    if any(rule.expires_current for rule in at_work):
        yield Objection(
            Unfit.EXPIRES_FOOTAGE,
            "a lifecycle rule expires current objects: remove it. Rules may only abort multipart uploads and remove "
            "noncurrent versions",
        )
    if any(rule.moves_current for rule in at_work):
        yield Objection(Unfit.MOVES_FOOTAGE, "a lifecycle rule moves current objects to other storage: remove it")


def codes_of(objections: tuple[Objection, ...]) -> str:
    """Return the codes of what was objected, separated by commas: short and safe to show."""
    return ", ".join(one.code for one in objections)


@dataclass(frozen=True, slots=True)
class Within:
    """Footage goes to the store of this region."""

    region: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """There is no store for this footage, and why."""

    why: str


def judge_region(promised: str | None, served: Container[str]) -> Within | Elsewhere:
    """Say where footage goes that was promised to stay in a region. What is not known is nowhere."""
    if not promised:
        return Elsewhere("no region is set for this operator")
    if promised not in served:
        return Elsewhere("there is no store in this operator's region")
    return Within(promised)
