"""Documents drift wherever no machine reads them: links, settings, targets, commands and paths are looked at here."""

import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from tests.guards.documents import anchors_in, code_in, links_in
from tests.guards.sources import PACKAGES, ROOT, all_tests, documents, python_files

NAME: Final = re.compile(r"(?<![\w/.@-])(?:vms_privacy|archive|streams|auth)(?:\.[A-Za-z_]\w*)+(?![\w/.:])")
PATH: Final = re.compile(r"(?<![\w/.-])(?:docs|tests|archive|auth|streams|vms_privacy)/[\w./*-]*[\w/*]")


def broken_links(path: str, text: str, root: Path = ROOT) -> list[str]:
    """List links that lead nowhere, and anchors that no heading has."""
    found = []
    for target in links_in(text):
        name, _, anchor = target.partition("#")
        page = (root / path).parent / name if name else root / path
        if not page.exists():
            found.append(f"{path}: {target} is not there")
        elif anchor and anchor not in anchors_in(page.read_text()):
            found.append(f"{path}: {target} has no such heading")
    return found


def unknown_settings(path: str, text: str, known: set[str]) -> list[str]:
    return [f"{path}: {name} is no setting" for name in re.findall(r"\bVMS_[A-Z_]+\b", text) if name not in known]


def unknown_metrics(path: str, text: str, source: str) -> list[str]:
    """List names of metrics that the collector does not give out. `_total` is put behind counters by the library."""
    named = {name for line in code_in(text) for name in re.findall(r"\bvms_(?!privacy)[a-z_]+\b", line)}
    told = {name.removesuffix("_total").removeprefix("vms_") for name in named}
    return [f"{path}: vms_{name} is no metric" for name in sorted(told) if not re.search(rf'"(?:vms_)?{name}"', source)]


def unknown_targets(path: str, text: str, known: set[str]) -> list[str]:
    found = [re.match(r"(?:\$ )?make (?:[A-Z]+=\S+ )*([a-z][a-z-]*)", line) for line in code_in(text)]
    return [f"{path}: make {one[1]} is no target" for one in found if one and one[1] not in known]


def unknown_commands(path: str, text: str, command: Any) -> list[str]:
    """List commands that do not exist, and options that a command does not have."""
    found = []
    for line in code_in(text):
        for called in re.findall(r"(?:^|[\s$/])vms-privacy((?: +[^\s|;&#)]+)*)", line):
            # Labels of our formats begin with the same word (`vms-privacy receipt v1`).
            wrong = "" if re.search(r"\bv\d+\b", called) else _wrong_call(called.split(), command)
            if wrong:
                found.append(f"{path}: vms-privacy{called}: {wrong}")
    return found


def _wrong_call(words: Sequence[str], command: Any) -> str:
    for at, word in enumerate(words):
        inner = getattr(command, "commands", None)
        if inner is None or word.startswith("-"):
            return _wrong_option(words[at:], command)
        if word not in inner:
            return f"there is no {word}"
        command = inner[word]
    return ""


def _wrong_option(words: Sequence[str], command: Any) -> str:
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    wrong = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known | {"--help"}]
    return f"there is no {wrong[0]}" if wrong else ""


def unknown_names(path: str, text: str) -> list[str]:
    """List dotted names of ours (`archive.erasure.rules.Step`) that nothing has."""
    named = {name for line in code_in(text) for name in NAME.findall(line)}
    return [f"{path}: there is no {name}" for name in sorted(named) if not _is_name(name)]


def _is_name(name: str) -> bool:
    parts = name.split(".")
    for at in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:at]))
        except ModuleNotFoundError:
            continue
        for part in parts[at:]:
            if not hasattr(found, part) and part not in getattr(found, "model_fields", ()):
                return False
            found = getattr(found, part, None)
        return True
    return False


def missing_paths(path: str, text: str, root: Path = ROOT) -> list[str]:
    """List files and folders of ours that are spoken of and do not exist. A star stands for any."""
    return [f"{path}: {name} is not there" for name in sorted(set(PATH.findall(text))) if not _is_there(name, root)]


def _is_there(name: str, root: Path) -> bool:
    """Look from the root, and from `tests/`, whose folders are named like the rooms."""
    if "*" in name:
        return any(root.glob(name.rstrip("/")))
    return any((start / name.rstrip(".")).exists() for start in (root, root / "tests"))


@pytest.fixture(scope="module")
def settings() -> set[str]:
    from vms_privacy.settings import Settings

    return {f"VMS_{name.upper()}" for name in Settings.model_fields} | {"VMS_URL"}


@pytest.fixture(scope="module")
def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def commands() -> Any:
    from vms_privacy.cli.commands import every_command

    return typer.main.get_command(every_command())


def test_every_link_leads_somewhere() -> None:
    assert [found for path, text in documents() for found in broken_links(path, text)] == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One word\n\n```\n# not a heading\n```\n## `Code` & more\n")
    text = "[a](other.md) [b](other.md#one-word) [c](other.md#code--more) [d](https://example.org/x) `[e](no.md)`"
    assert broken_links("page.md", text, tmp_path) == []
    text = "[a](gone.md) [b](other.md#not-a-heading)"
    assert len(broken_links("page.md", text, tmp_path)) == 2


def test_every_setting_that_is_spoken_of_exists(settings: set[str]) -> None:
    assert [found for path, text in documents() for found in unknown_settings(path, text, settings)] == []


def test_an_unknown_setting_is_found() -> None:
    assert unknown_settings("a.md", "set VMS_HOST and VMS_HOSTS", {"VMS_HOST"}) == ["a.md: VMS_HOSTS is no setting"]


def test_every_metric_that_is_spoken_of_exists() -> None:
    source = (ROOT / "vms_privacy/metrics.py").read_text()
    assert [found for path, text in documents() for found in unknown_metrics(path, text, source)] == []


def test_an_unknown_metric_is_found() -> None:
    text = "`vms_debt`, `vms_rounds_total`, `vms_privacy/db.py`, `vms_gone`"
    assert unknown_metrics("a.md", text, '_gauge("debt"); Family("vms_rounds")') == ["a.md: vms_gone is no metric"]


def test_every_target_that_is_spoken_of_exists(targets: set[str]) -> None:
    assert [found for path, text in documents() for found in unknown_targets(path, text, targets)] == []


def test_an_unknown_target_is_found() -> None:
    text = "we make sure; `make test`, `make PYTHON=python3.12 tests`\n```sh\nmake demo  # it\nmake nothing\n```\n"
    assert unknown_targets("a.md", text, {"test", "demo"}) == [
        "a.md: make nothing is no target",
        "a.md: make tests is no target",
    ]


def test_every_command_that_is_spoken_of_exists(commands: Any) -> None:
    assert [found for path, text in documents() for found in unknown_commands(path, text, commands)] == []


def test_every_command_that_the_code_speaks_of_exists(commands: Any) -> None:
    found = []
    for path, text in python_files():
        for call in re.findall(r"vms-privacy [a-z][a-z-]*(?: [a-z][a-z-]*)?(?=[\"'`])", text):
            wrong = _wrong_call(call.split()[1:], commands)
            found += [f"{path}: {call}: {wrong}"] if wrong else []
    assert found == []


def test_an_unknown_command_or_option_is_found() -> None:
    app = typer.Typer()
    inner = typer.Typer()

    @inner.command("receipt")
    def receipt(keys: str = "") -> None: ...

    @inner.command("audit")
    def audit() -> None: ...

    @app.command("serve")
    def serve() -> None: ...

    app.add_typer(inner, name="verify")
    command = typer.main.get_command(app)
    good = (
        "`vms-privacy serve`, `vms-privacy verify receipt file.txt --keys k.json`, `vms-privacy verify`, `vms-privacy`"
    )
    assert unknown_commands("a.md", good, command) == []
    for bad in (
        "vms-privacy keys",
        "vms-privacy verify all",
        "vms-privacy verify receipt --key k",
        "vms-privacy --fast",
    ):
        assert len(unknown_commands("a.md", f"`{bad}`", command)) == 1, bad


def test_every_file_of_ours_that_is_spoken_of_exists() -> None:
    assert [found for path, text in documents() for found in missing_paths(path, text)] == []


def test_every_page_and_test_that_the_code_speaks_of_exists() -> None:
    found = []
    for path, text in python_files(*PACKAGES, "tests"):
        if not path.startswith("tests/guards/"):
            named = " ".join(re.findall(rf"(?<![\w/])(?:docs|tests|{'|'.join(PACKAGES)})/[\w/-]+\.(?:md|py)", text))
            found += missing_paths(path, named)
    assert found == []


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("")
    assert missing_paths("b.md", "see docs/a.md, docs/*.md and GET /auth/flussonic", tmp_path) == []
    assert missing_paths("b.md", "see docs/b.md or docs/*.txt", tmp_path) == [
        "b.md: docs/*.txt is not there",
        "b.md: docs/b.md is not there",
    ]


def test_every_test_that_a_page_names_exists() -> None:
    every = {name for names in all_tests().values() for name in names}
    files = {module.rsplit("/", 1)[-1].removesuffix(".py") for module in all_tests()}
    found = [
        f"{path}: {name}"
        for path, text in documents()
        for line in code_in(text)
        for name in re.findall(r"\btest_\w+", line)
        if name not in every | files
    ]
    assert found == []


def test_every_name_of_ours_that_a_page_uses_exists() -> None:
    assert [found for path, text in documents() for found in unknown_names(path, text)] == []


def test_an_unknown_name_is_found() -> None:
    text = (
        "`archive.erasure.rules.Step`, `vms_privacy.settings.Settings.ring`, `archive.errors.Nothing`, `streams/x.py`"
    )
    assert unknown_names("a.md", text) == ["a.md: there is no archive.errors.Nothing"]
