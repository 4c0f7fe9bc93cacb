"""The tree speaks of the project alone, and its files fit the head."""

import re

from tests.guards.sources import ROOT, kept_files, python_files

# Spelled apart so that this file does not find itself.
_NOT_OURS = re.compile(
    "|".join(
        ["pypi" + r"\.org", "python" + "hosted", "npm" + r"js\.", "deb" + r"\.debian\.", "/ro" + "ot/", "/wo" + "rk/"]
    )
)
LONGEST = 400


def test_no_registry_host_and_no_path_of_a_machine_is_in_the_tree() -> None:
    found = []
    for path in kept_files():
        text = path.read_bytes().decode("utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in _NOT_OURS.finditer(text)]
    assert found == []


def test_the_search_for_hosts_finds_one_that_is_there() -> None:
    assert _NOT_OURS.search("see files.python" + "hosted.example")


def test_no_source_file_is_too_long_for_the_head() -> None:
    long = [
        f"{path}: {text.count(chr(10))}"
        for path, text in python_files()
        # A migration is a list: one statement after the other, frozen once it is released.
        if text.count("\n") > LONGEST and not path.startswith("vms_privacy/migrations/versions/")
    ]
    assert long == []
