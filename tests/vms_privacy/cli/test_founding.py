"""Setting up: nothing is used up for a wish that cannot be had, and what was stopped goes on where it stopped."""

import asyncio
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.given.auth_app import AuthParts
from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from tests.vms_privacy.cli.typed import Said, say
from vms_privacy.cli import asking
from vms_privacy.cli.refusals import BadName
from vms_privacy.cli.session import Service, logged_in
from vms_privacy.client import Answer
from vms_privacy.db import Database

Capture = pytest.CaptureFixture[str]
URL = "http://127.0.0.1:9"
PASSWORD = "a pass phrase of some length 17"


class Terminal(io.StringIO):
    """Somebody who types these lines."""

    def isatty(self) -> bool:
        return True


class Line:
    """The way from the command line to the room `auth`, which can be cut behind a request: its answer is lost."""

    def __init__(self, auth: AuthParts) -> None:
        self.auth = auth
        self.asked: list[str] = []
        self.cut_behind: int | None = None

    def ask(self, service: Service, method: str, path: str, body: Mapping[str, Any] | None, query: Any) -> Answer:
        headers = {} if service.access_token is None else {"Authorization": f"Bearer {service.access_token}"}

        async def send() -> Answer:
            async with self.auth.client() as client:
                told = await client.request(method, path, json=body, params=query, headers=headers)
            return Answer(told.status_code, dict(told.headers), told.content)

        if path == "/readyz":
            return Answer(200, {}, b'{"parts": {}}')
        answer = asyncio.run(send())
        self.asked.append(f"{method} {path.rsplit('/', maxsplit=1)[-1]}")
        if len(self.asked) == self.cut_behind:
            raise ConnectionResetError
        return answer


@pytest.fixture
def line(
    db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Line]:
    auth = AuthParts(db, clock, randomness, tmp_path)
    line = Line(auth)

    def ask(self: Service, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str | int) -> Answer:
        try:
            return line.ask(self, method, path, body, query)
        except OSError as error:
            raise ConnectionError from error

    monkeypatch.setattr("vms_privacy.client.ApiClient.ask", ask)
    yield line
    auth.journal.close()


@pytest.fixture
def code(line: Line) -> str:
    with line.auth.db.writing() as session:
        return line.auth.enrolment.make_bootstrap_code(session)


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    return file


def set_up(capsys: Capture, password: Path, *words: str, operator: str = "north", login: str = "ann") -> Said:
    wish = ("--operator", operator, "--login", login, "--password-file", password)
    return say(capsys, "operator", "setup", *wish, *words, "--json")


def who_is_logged_in() -> tuple[str, str, list[str]]:
    session = logged_in(URL)
    grants = session.service.call("GET", "/api/v1/auth/me/grants")
    return session.login, session.operator, [one["role"] for one in grants]


def calls_of_a_setup(line: Line, capsys: Capture, password: Path, code: str) -> int:
    assert set_up(capsys, password, "--code", code).code == 0
    return len(line.asked)


def test_a_setup_makes_admin_operator_and_owner(line: Line, code: str, password: Path, capsys: Capture) -> None:
    said = set_up(capsys, password, "--code", code)
    assert (said.document["operator"], said.document["platform_admin"]) == ("north", "admin+ann")
    assert who_is_logged_in() == ("ann", "north", ["owner"])


@pytest.mark.parametrize("cut_behind", range(1, 10))
@pytest.mark.parametrize("with_code", [False, True])
def test_a_setup_that_stopped_anywhere_goes_on(
    cut_behind: int, with_code: bool, line: Line, code: str, password: Path, capsys: Capture
) -> None:
    line.cut_behind = cut_behind
    assert set_up(capsys, password, "--code", code).code == 7
    said = set_up(capsys, password, *(("--code", code) if with_code else ()))
    assert said.code == 0, said.out
    assert who_is_logged_in() == ("ann", "north", ["owner"])


def test_there_is_no_call_at_which_a_setup_was_not_stopped(
    line: Line, code: str, password: Path, capsys: Capture
) -> None:
    assert calls_of_a_setup(line, capsys, password, code) == 9


def test_a_setup_that_is_done_can_be_repeated(line: Line, code: str, password: Path, capsys: Capture) -> None:
    first = set_up(capsys, password, "--code", code).document
    assert set_up(capsys, password).document == first


@pytest.mark.parametrize(
    ("operator", "login", "secret", "refused"),
    [
        ("Acme Ltd", "ann", PASSWORD, "bad-name"),
        ("a" * 64, "ann", PASSWORD, "bad-name"),
        ("north\n", "ann", PASSWORD, "bad-name"),
        ("api", "ann", PASSWORD, "name-is-reserved"),
        ("north", "Ann", PASSWORD, "bad-name"),
        ("north", "a" * 125, PASSWORD, "bad-name"),
        ("north", "ann", "too short", "weak-password"),
        ("north", "ann", "xxxxxxxxxxxxxxx", "weak-password"),
        ("north", "ann-of-north", "admin+ann-of-north", "weak-password"),
    ],
)
def test_a_wish_that_cannot_be_had_uses_no_code(
    operator: str, login: str, secret: str, refused: str, line: Line, code: str, password: Path, capsys: Capture
) -> None:
    password.write_text(f"{secret}\n")
    said = set_up(capsys, password, "--code", code, operator=operator, login=login)
    assert (said.code, said.document["code"]) == (2, refused)
    assert not any("bootstrap" in one for one in line.asked)
    assert secret not in said.out
    password.write_text(f"{PASSWORD}\n")
    assert set_up(capsys, password, "--code", code).code == 0


def test_without_a_code_nothing_is_begun(line: Line, code: str, password: Path, capsys: Capture) -> None:
    said = set_up(capsys, password)
    assert (said.code, said.document["code"]) == (2, "answer-needed")
    assert "--code" in said.document["detail"]


def test_with_another_password_nothing_goes_on(line: Line, code: str, password: Path, capsys: Capture) -> None:
    set_up(capsys, password, "--code", code)
    password.write_text("quite another phrase 4711\n")
    assert set_up(capsys, password, "--code", code).document["code"] == "code-is-spent"


def test_somebody_elses_operator_is_not_taken_over(line: Line, code: str, password: Path, capsys: Capture) -> None:
    set_up(capsys, password, "--code", code)
    assert set_up(capsys, password, operator="south").document["code"] == "name-is-taken"


def test_the_service_is_looked_for_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, password: Path, capsys: Capture
) -> None:
    monkeypatch.setattr("vms_privacy.cli.session._PATIENCE_S", 0.1)
    monkeypatch.setattr("sys.stdin", Terminal(""))
    said = say(capsys, "operator", "setup", "--json")
    assert (said.code, said.document["code"]) == (7, "service-unreachable")
    assert said.err == "waiting for the service at http://127.0.0.1:9 …\n"


def test_a_service_that_is_just_starting_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[Exception | Answer] = iter(
        [ConnectionRefusedError(), ConnectionRefusedError(), Answer(503, {}, b'{"parts": {}}')]
    )

    def ask(*_: object, **__: object) -> Answer:
        told = next(answers)
        if isinstance(told, Exception):
            raise told
        return told

    monkeypatch.setattr("vms_privacy.client.ApiClient.ask", ask)
    Service(URL).wait()
    assert list(answers) == []


def test_an_invitation_knows_its_log_in_and_another_one_does_not_use_it_up(
    line: Line, code: str, password: Path, capsys: Capture
) -> None:
    set_up(capsys, password, "--code", code)
    session = logged_in(URL)
    body = {"login": "bert", "display_name": "Bert"}
    invited = session.service.call("POST", f"{session.path}/people", body)["code"]
    enrol = ("operator", "enrol", "--code", invited, "--password-file", password, "--json")
    said = say(capsys, *enrol, "--login", "berta")
    assert (said.code, said.document["code"]) == (5, "code-is-anothers")
    assert say(capsys, *enrol).document["logged_in"] == "bert"
    assert logged_in(URL).login == "bert"


def test_an_answer_that_will_not_do_is_asked_for_again(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def check(text: str) -> None:
        if text != "good":
            raise BadName("only good will do")

    monkeypatch.setattr("sys.stdin", Terminal("bad\ngood\n"))
    assert asking.answer("", "How", "--how", check) == "good"
    assert "only good will do." in capsys.readouterr().err
