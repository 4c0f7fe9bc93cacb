"""Whether a name, a log-in and a password that somebody wishes for may be had at all, by the rules of the service.

Promise: what is refused here costs nothing: no code is used up for it. Whether a name is taken only the service knows.
"""

from typing import Final

from auth.errors import NameIsReserved, WeakPassword
from auth.identities.rules import LOGIN_WORDS, LONGEST_PASSWORD, SHORTEST_PASSWORD, Weakness, is_login, weakness_of
from auth.operators.rules import name_is_free_to_take
from vms_privacy.cli.refusals import BadName
from vms_privacy.web import NAME_WORDS, is_name

PASSWORD_FORM: Final = f"at least {SHORTEST_PASSWORD} characters"
_SAID: Final = {
    Weakness.TOO_SHORT: f"a password has {PASSWORD_FORM}",
    Weakness.TOO_LONG: f"a password has at most {LONGEST_PASSWORD} characters",
    Weakness.ONE_CHARACTER: "a password is more than one character repeated",
    Weakness.IS_THE_LOGIN: "a password is not the log-in, nor the log-in backwards or twice",
}


def check_operator_name(name: str) -> None:
    """Raise BadName, NameIsReserved."""
    if not is_name(name):
        raise BadName(NAME_WORDS)
    if not name_is_free_to_take(name):
        raise NameIsReserved


def check_login(login: str) -> None:
    """Raise BadName."""
    if not is_login(login):
        raise BadName(LOGIN_WORDS)


def check_password(password: str, *logins: str) -> None:
    """Raise WeakPassword if it may not be the password of one of these log-ins."""
    for login in logins or ("",):
        weakness = weakness_of(password, login)
        if weakness is not None:
            raise WeakPassword(_SAID[weakness], weakness=str(weakness))
