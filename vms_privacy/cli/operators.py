"""The commands about oneself: set an installation up, enrol, log in and out, one's rights, one's password."""

from pathlib import Path
from typing import Annotated

import typer

from vms_privacy.cli.asking import PasswordFile, answer, answer_if_any, refuse_early, secret
from vms_privacy.cli.forms import facts, table
from vms_privacy.cli.founding import Wish, admin_login_of, found
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.people import GRANT_HEAD, grant_row
from vms_privacy.cli.session import KeptSessions, Service, begin, logged_in
from vms_privacy.cli.wishes import PASSWORD_FORM, check_login, check_operator_name, check_password

app = command_group("Your operator: set up, log in, invite people, give and withdraw rights.")

Login = Annotated[str, typer.Option(help="The log-in; asked for if it is not given.")]
Code = Annotated[str, typer.Option(help="The code, good for once; asked for if it is not given.")]
NewPasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        help=f"Read the password, {PASSWORD_FORM}, from the first line of this file, `-` for standard input; else it "
        "is asked for.",
    ),
]
_FILE = "--password-file"


@app.command("setup")
def setup(
    code: Code = "",
    operator: Annotated[str, typer.Option(help="Your operator's name in URLs (a-z, 0-9, -).")] = "",
    login: Login = "",
    password_file: NewPasswordFile = None,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Use the bootstrap code: make the platform admin, your operator, and you as its owner; then log you in.

    The platform admin is `admin+LOGIN`, with the same password. A setup that stopped goes on when it is repeated with
    the same log-in and password; no code is needed for that.
    """
    refuse_early(operator, "--operator", check_operator_name)
    refuse_early(login, "--login", _check_both_logins)
    refuse_early(password_file, _FILE)
    Service(url).wait()
    code = answer_if_any(code, "Bootstrap code (nothing: go on with a setup that stopped)")
    operator = answer(operator, "Your operator's name (a-z, 0-9, -)", "--operator", check_operator_name)
    login = answer(login, "Your log-in", "--login", _check_both_logins)
    password = _new_password(password_file, "Password", login, admin_login_of(login))
    wish = Wish(operator, login, password)
    session = found(url, code, wish)
    document = {
        "operator": operator,
        "operator_id": session.operator_id,
        "owner": login,
        "platform_admin": wish.admin_login,
    }
    told = {
        "operator": operator,
        "owner": f"{login} (logged in now)",
        "platform admin": f"{wish.admin_login} (same password)",
    }
    tell(document, [*facts(told), "next: vms-privacy camera add NAME rtsps://user@host/path"], as_json=as_json)


@app.command("enrol")
def enrol(
    code: Code = "",
    login: Annotated[str, typer.Option(help="Your log-in; the code is used only if it was given out for it.")] = "",
    password_file: NewPasswordFile = None,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Use an invitation: choose your password, and be logged in."""
    service = Service(url)
    if login:
        check_login(login)
    code = answer(code, "Code", "--code")
    password = _new_password(password_file, "Password", login)
    body = {"code": code, "password": password, **({"login": login} if login else {})}
    mine = service.call("POST", "/api/v1/auth/enrolment", body)["login"]
    session = begin(service, mine, password)
    _tell_logged_in(mine, session.operator, service.url, as_json=as_json)


@app.command("log-in")
def log_in(
    login: Login = "", password_file: PasswordFile = None, url: Url = DEFAULT_URL, *, as_json: AsJson = False
) -> None:
    """Log in; what is kept is a token that is renewed with each command, never the password."""
    service = Service(url)
    login = answer(login, "Your log-in", "--login")
    session = begin(service, login, secret(password_file, "Password", _FILE))
    _tell_logged_in(login, session.operator, service.url, as_json=as_json)


@app.command("log-out")
def log_out(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """End the log-in session, at the service and on this machine."""
    session = logged_in(url)
    session.service.call("POST", "/api/v1/auth/logout")
    sessions = KeptSessions()
    with sessions.alone():
        sessions.forget(session.service.url)
    tell({"logged_out": session.login}, [f"{session.login} is logged out of {session.service.url}."], as_json=as_json)


@app.command("who")
def who(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Show who is logged in, and with which rights."""
    session = logged_in(url)
    me = session.service.call("GET", "/api/v1/auth/me")
    grants = session.service.call("GET", "/api/v1/auth/me/grants")
    told = {"log-in": me["login"], "name": me["display_name"], "kind": me["kind"], "operator": session.operator}
    names = {one["camera_id"]: one["name"] for one in session.cameras()} if session.operator_id else {}
    rows = (grant_row(one, me["login"], names) for one in grants)
    lines = [*facts(told), "", *table(GRANT_HEAD, rows, "No rights yet: an owner gives them.")]
    tell({**me, "operator": session.operator, "grants": grants}, lines, as_json=as_json)


@app.command("password")
def password(
    present_file: Annotated[Path | None, typer.Option(help="The present password, likewise.")] = None,
    password_file: NewPasswordFile = None,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Change your password; your other sessions end."""
    session = logged_in(url)
    present = secret(present_file, "Present password", "--present-file")
    wanted = _new_password(password_file, "New password", session.login)
    session.service.call("PUT", "/api/v1/auth/password", {"present": present, "wanted": wanted})
    tell({"changed": session.login}, [f"The password of {session.login} is changed."], as_json=as_json)


def _new_password(file: Path | None, question: str, *logins: str) -> str:
    """Ask for a password that may be the one of these log-ins. Raises WeakPassword, AnswerNeeded, OSError."""
    return secret(
        file, f"{question}, {PASSWORD_FORM}", _FILE, twice=True, check=lambda text: check_password(text, *logins)
    )


def _check_both_logins(login: str) -> None:
    """Check a log-in, and the longer one of the platform admin beside it. Raises BadName."""
    check_login(login)
    check_login(admin_login_of(login))


def _tell_logged_in(login: str, operator: str, url: str, *, as_json: bool) -> None:
    where = f"operator {operator}" if operator else "the platform"
    tell(
        {"logged_in": login, "operator": operator, "url": url},
        [f"{login} of {where} is logged in at {url}."],
        as_json=as_json,
    )
