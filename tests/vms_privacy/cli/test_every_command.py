"""What every command promises: one document with --json whatever happens, code and next step in a refusal."""

import importlib
import json
import os
import pkgutil
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest
import typer

from archive.erasure.rules import NOT_BEGUN, STILL_OPEN, TIME_IN_DOUBT, UNDER_WAY
from auth.grants.rules import Why
from tests.guards.sources import ROOT
from tests.vms_privacy.cli.examples import where_nothing_is
from tests.vms_privacy.cli.typed import leaves, say
from vms_privacy import cli
from vms_privacy.cli.advice import ADVICE
from vms_privacy.cli.commands import ALONE, GROUPS, every_command, overview
from vms_privacy.cli.output import EXIT_OF, MEANINGS
from vms_privacy.cli.reasons import REASONS

PAGE: Final = ROOT / "docs/operate/command-line.md"
COMMANDS: Final = sorted(leaves())


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def examples(tmp_path: Path, taken_port: int) -> Mapping[str, tuple[tuple[object, ...], int]]:
    return where_nothing_is(tmp_path, taken_port)


def test_every_command_has_an_example(examples: Mapping[str, object]) -> None:
    assert sorted(examples) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_with_json_there_is_one_document_whatever_happens(
    command: str, examples: Mapping[str, tuple[tuple[object, ...], int]], capsys: pytest.CaptureFixture[str]
) -> None:
    words, code = examples[command]
    said = say(capsys, *command.split(), *words, "--json")
    assert said.code == code, said.out + said.err
    assert said.document
    assert (code == 0) is ("code" not in said.document or command == "problems")
    if code:
        assert set(said.document) >= {"type", "title", "code", "detail", "next"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_mistyped_line_is_one_document_too(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = say(capsys, *command.split(), "--no-such-option", "--json")
    assert (said.code, said.document["code"], said.err) == (2, "wrong-usage", "")
    assert f"vms-privacy {command} --help" in said.document["next"]


@pytest.mark.parametrize("command", ["camera list", "check", "receipt keys", "verify receipt"])
def test_for_people_a_refusal_has_code_sentence_and_next_step_and_leaves_standard_output_empty(
    command: str, examples: Mapping[str, tuple[tuple[object, ...], int]], capsys: pytest.CaptureFixture[str]
) -> None:
    words, code = examples[command]
    said = say(capsys, *command.split(), *words)
    assert (said.code, said.out) == (code, "")
    assert re.fullmatch(r"[a-z-]+: .+\n  next: .+\n", said.err), said.err


def test_every_command_takes_json_and_says_what_it_does() -> None:
    for words, command in leaves().items():
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--json" in options, words
        assert command.help, words


def test_every_command_is_found_by_its_first_word() -> None:
    assert sorted({words.split()[0] for words in COMMANDS}) == sorted({*ALONE, *GROUPS})


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    listed, real = (typer.main.get_command(one()) for one in (overview, every_command))
    assert {name: one.help for name, one in listed.commands.items()} == {  # type: ignore[attr-defined]
        name: one.help
        for name, one in real.commands.items()  # type: ignore[attr-defined]
    }


@pytest.mark.parametrize("words", ["--help", "", "--version", "no-such-command"])
def test_for_the_list_of_commands_nothing_of_the_service_is_loaded(words: str) -> None:
    program = """
import sys
from vms_privacy.cli.running import run
run(sys.argv[1:])
print("loaded:", *{"sqlalchemy", "fastapi", "av", "uvicorn", "cryptography", "alembic"} & set(sys.modules))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, *words.split()],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
    )
    assert ran.stdout.splitlines()[-1] == "loaded:"


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    said = say(capsys, "--version")
    assert (said.code, said.out) == (0, f"vms-privacy {version('vms-privacy')}\n")
    assert say(capsys, "--version", "--json").document == {"version": version("vms-privacy")}


@pytest.mark.parametrize("words", ["--json status", "--json", "no-such-command --json", "--no-such-option --json"])
def test_a_line_that_begins_with_no_command_is_wrong_usage(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = say(capsys, *words.split())
    assert (said.code, said.document["code"], said.err) == (2, "wrong-usage", "")


def test_every_module_of_commands_is_joined() -> None:
    joined = {*ALONE.values(), *(module for group in GROUPS.values() for module in group)}
    found = {one.name for one in pkgutil.iter_modules(cli.__path__) if _has_commands(one.name)}
    assert found == joined


def _has_commands(name: str) -> bool:
    return hasattr(importlib.import_module(f"vms_privacy.cli.{name}"), "app")


def test_the_page_lists_every_command_and_no_other() -> None:
    listed = re.findall(r"^\| `([a-z -]+?)(?: [A-Z\[].*?)?` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(listed) == COMMANDS


def test_the_page_lists_every_exit_code_with_its_meaning() -> None:
    listed = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", PAGE.read_text(), re.MULTILINE))
    assert listed == {str(code): meaning for code, meaning in MEANINGS.items()}
    assert set(EXIT_OF.values()) <= set(MEANINGS)


def test_every_code_with_advice_is_a_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    known = {one["code"] for one in say(capsys, "problems", "--json").document["items"]}
    assert set(ADVICE) <= known


def test_every_code_has_something_to_do_next_other_than_to_read_about_it(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "problems.md").read_text()
    # Refusals that only tests have are loaded with them.
    known = [one for one in say(capsys, "problems", "--json").document["items"] if f"`{one['code']}`" in page]
    assert len(known) > 100
    for one in known:
        assert one["next"], one["code"]
        assert f"vms-privacy problems {one['code']}" not in one["next"], one["code"]


def test_every_verdict_and_reason_that_is_shown_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    known = {one["code"] for one in say(capsys, "problems", "--json").document["items"]}
    receipts = re.findall(r'Invalid\(\s*"([a-z-]+)"', (ROOT / "archive/receipts/rules.py").read_text())
    # That one of `extract` is told as a refusal of its own.
    assert set(receipts) - known == {"receipt-is-an-extract"}
    assert {str(one) for one in Why} | {NOT_BEGUN, UNDER_WAY, STILL_OPEN, TIME_IN_DOUBT} <= known


def test_every_code_of_the_page_is_explained() -> None:
    # In a process of its own: here the tests have loaded more than the command does.
    program = "from vms_privacy.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", program, "problems", "--json"],
        check=True,
        capture_output=True,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
    )
    page = (ROOT / "docs/reference/problems.md").read_text()
    on_page = set(re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.MULTILINE))
    assert on_page <= {one["code"] for one in json.loads(ran.stdout)["items"]}


def test_a_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    said = say(capsys, "problems", "not-logged-in")
    assert "exit code    3" in said.out
    assert "operator log-in" in said.out
    said = say(capsys, "problems", "no-such-code")
    assert (said.code, said.err.split(":")[0]) == (4, "no-such-problem")


def test_every_advice_names_commands_that_exist() -> None:
    for code, advice in {**ADVICE, **{one.code: one.next for one in REASONS}}.items():
        for named in re.findall(r"`vms-privacy ([a-z-]+(?: [a-z-]+)?)", advice):
            assert any(one.startswith(named) for one in COMMANDS), (code, named)


def test_a_code_in_json_is_the_code_of_the_exit(capsys: pytest.CaptureFixture[str]) -> None:
    said = say(capsys, "camera", "list", "--json")
    told = say(capsys, "problems", said.document["code"], "--json").document
    assert told["exit_code"] == said.code == 3
    assert json.loads(said.out)["type"] == "/problems/not-logged-in"
