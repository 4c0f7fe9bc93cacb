"""The glossary is law: names say what it says."""

import re

import pytest

from tests.guards.lints.words import FOREIGN, SAY_INSTEAD, wrong_words
from tests.guards.sources import ROOT, python_files


@pytest.mark.parametrize(
    "source",
    [
        "tenant_id = 1",
        "def purge_segments(): ...",
        "class UserService: ...",
        "def f(device_id): ...",
        "self.users = []",
        "@routes.delete('/tenants/{id}')\ndef erase(): ...",
        "@app.command('purge')\ndef sweep(): ...",
        "class Refused(Refusal):\n    code = 'token-revoked'",
        "class Row(Base):\n    __tablename__ = 'user'",
    ],
)
def test_a_wrong_word_is_found(source: str) -> None:
    assert len(wrong_words(source, "a.py")) == 1


def test_a_module_with_a_wrong_name_is_found() -> None:
    assert wrong_words("", "streams/utils.py") == ["streams/utils.py:1 utils: for 'utils' say what it does"]


@pytest.mark.parametrize(
    "source",
    [
        "operator_id = 1",
        "def f(cliphanger): ...",
        "session.delete(row)",
        "@routes.delete('/grants/{grant_id}')\ndef withdraw(): ...",
        "text = 'a user said so'",
    ],
)
def test_right_words_and_other_peoples_names_are_fine(source: str) -> None:
    assert wrong_words(source, "a.py") == []


def test_every_name_says_what_the_glossary_says() -> None:
    assert [found for path, text in python_files() for found in wrong_words(text, path, FOREIGN)] == []


def test_every_foreign_word_is_still_used() -> None:
    texts = dict(python_files())
    for word, path in FOREIGN:
        assert any(f"for {word!r}" in found for found in wrong_words(texts[path], path)), (word, path)


def test_the_glossary_knows_what_to_say_instead() -> None:
    words = set(re.findall(r"^\| ([a-z][^|]*?) \|", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE))
    for good in set(SAY_INSTEAD.values()) - {"what it does"}:
        # `withdrawn` is said of a withdrawal, `erase` of an erasure.
        assert any(word.startswith(good[:4]) for word in words), f"{good} is not in the glossary"


_CITED = re.compile(r"[Ww]ords?[^.\n]{0,12}docs/glossary\.md, ((?:\s*\"[^\"]+\",?)+)")


def cited(source: str) -> list[str]:
    """Return the words for which a docstring sends its reader to the glossary."""
    return [" ".join(word.split()) for found in _CITED.findall(source) for word in re.findall(r'"([^"]+)"', found)]


def test_every_word_that_a_room_refers_to_is_in_the_glossary() -> None:
    words = set(re.findall(r"^\| ([a-z][^|]*?) \|", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE))
    assert [f"{path}: {word}" for path, text in python_files() for word in cited(text) if word not in words] == []


def test_a_reference_to_a_word_is_read() -> None:
    assert cited('Words: docs/glossary.md, "tap",\n"key picture".') == ["tap", "key picture"]
