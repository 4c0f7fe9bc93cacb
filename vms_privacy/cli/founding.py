"""Setting an installation up over the API: platform admin, operator, owner, one after the other.

Promise: whatever stops it, the same wish with the same password goes on where it stopped, and no code is needed for
that: each step looks first at what is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from vms_privacy.cli.refusals import AnswerNeeded
from vms_privacy.cli.session import Service, Session, begin
from vms_privacy.client import ApiRefused

_CODE_MADE_AN_ADMIN: Final = frozenset({"code-is-spent", "code-is-unknown", "has-a-platform-admin"})
"""What the service says of a code once there is a platform admin."""
_LOG_IN_REFUSED: Final = "log-in-refused"
_HAS_AN_OWNER: Final = "has-an-owner"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to be set up: their operator, and themselves as its owner and the platform's admin."""

    operator: str
    login: str
    password: str = field(repr=False)

    @property
    def admin_login(self) -> str:
        return admin_login_of(self.login)


def admin_login_of(login: str) -> str:
    """Return the log-in of the platform admin that an owner is as well."""
    return f"admin+{login}"


def found(url: str, code: str, wish: Wish) -> Session:
    """Do what of it is not done yet, and log the owner in. Without a code only what was begun before goes on.

    Raises ApiRefused, AnswerNeeded for a code that is missing.
    """
    admin = Service(url)
    _become_admin(admin, code, wish)
    operator_id = _operator_id(admin, wish.operator)
    owner = Service(url)
    try:
        invited = _invitation(admin, operator_id, wish.login)
    except ApiRefused as refused:
        if refused.code != _HAS_AN_OWNER or not _is_owner(owner, operator_id, wish):
            raise
    else:
        owner.call("POST", "/api/v1/auth/enrolment", {"code": invited["code"], "password": wish.password})
    return begin(owner, wish.login, wish.password)


def _become_admin(admin: Service, code: str, wish: Wish) -> None:
    if not code:
        if not _comes_in(admin, wish.admin_login, wish.password):
            raise AnswerNeeded("nothing was set up with this log-in and password yet: give the bootstrap code, --code")
        return
    body = {"code": code, "login": wish.admin_login, "password": wish.password}
    try:
        admin.call("POST", "/api/v1/auth/bootstrap", body)
    except ApiRefused as refused:
        if refused.code in _CODE_MADE_AN_ADMIN and _comes_in(admin, wish.admin_login, wish.password):
            return
        raise
    admin.log_in(wish.admin_login, wish.password)


def _operator_id(admin: Service, name: str) -> str:
    for one in admin.every("/api/v1/operators"):
        if one["name"] == name:
            return str(one["operator_id"])
    return str(admin.call("POST", "/api/v1/operators", {"name": name, "title": name})["operator_id"])


def _invitation(admin: Service, operator_id: str, login: str) -> Mapping[str, Any]:
    body = {"login": login, "display_name": login}
    made: Mapping[str, Any] = admin.call("POST", f"/api/v1/operators/{operator_id}/owner", body)
    return made


def _is_owner(owner: Service, operator_id: str, wish: Wish) -> bool:
    """Say whether the owner that there is already is whoever asks."""
    if not _comes_in(owner, wish.login, wish.password):
        return False
    return bool(owner.call("GET", "/api/v1/auth/me")["operator_id"] == operator_id)


def _comes_in(service: Service, login: str, password: str) -> bool:
    try:
        service.log_in(login, password)
    except ApiRefused as refused:
        if refused.code != _LOG_IN_REFUSED:
            raise
        return False
    return True
