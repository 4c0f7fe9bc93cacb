"""Who a person is, and which passwords and codes count."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from vms_privacy.ids import OperatorId, PersonId

LOGIN_PATTERN: Final = r"^[a-z0-9][a-z0-9._@+-]{1,126}$"
LOGIN_WORDS: Final = "a log-in is 2 to 127 of a-z, 0-9 and . _ @ + -, and begins with a letter or digit"
# NIST SP 800-63B and ASVS 5.0, 6.2: length is what counts; no rules of composition, nothing cut off.
SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 1024
CODE_LIFE: Final = timedelta(hours=24)
BOOTSTRAP_PREFIX: Final = "b1"
ENROLMENT_PREFIX: Final = "e1"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can log in. `operator_id` None: a platform admin."""

    id: PersonId
    operator_id: OperatorId | None
    login: str
    display_name: str
    has_password: bool
    created_at: datetime
    disabled_at: datetime | None


def is_login(text: str) -> bool:
    """Say whether anybody could have this log-in; PostgreSQL cannot even be asked for some others."""
    return re.fullmatch(LOGIN_PATTERN, text) is not None and not text.endswith("\n")


@unique
class Weakness(StrEnum):
    """What is wrong with a password."""

    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    ONE_CHARACTER = "one-character-repeated"
    IS_THE_LOGIN = "is-the-log-in"


def weakness_of(password: str, login: str) -> Weakness | None:
    """Say what is wrong with a password for this log-in; None if it may be used. Counted in characters, not bytes."""
    if len(password) < SHORTEST_PASSWORD:
        return Weakness.TOO_SHORT
    if len(password) > LONGEST_PASSWORD:
        return Weakness.TOO_LONG
    if len(set(password)) == 1:
        return Weakness.ONE_CHARACTER
    if password.casefold() in {login.casefold(), login.casefold()[::-1], login.casefold() * 2}:
        return Weakness.IS_THE_LOGIN
    return None


@unique
class CodeProblem(StrEnum):
    """Why a single-use code does not count."""

    UNKNOWN = "unknown"
    USED = "used"
    EXPIRED = "expired"
    ANOTHERS = "anothers"


@dataclass(frozen=True, slots=True)
class Code:
    """A single-use code as it is stored. `person_id` None: it makes the first platform admin."""

    person_id: PersonId | None
    expires_at: datetime
    used_at: datetime | None


def judge_code(code: Code | None, *, for_a_person: bool, now: datetime) -> CodeProblem | None:
    """Say why a code does not count at `now`; None if it does. A code for one purpose is unknown to the other."""
    if code is None or (code.person_id is not None) is not for_a_person:
        return CodeProblem.UNKNOWN
    if code.used_at is not None:
        return CodeProblem.USED
    return CodeProblem.EXPIRED if now >= code.expires_at else None
