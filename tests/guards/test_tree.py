"""The tree speaks of the project alone, and its files fit the head."""

import re
from importlib.metadata import packages_distributions

import pytest

from tests.conftest import pytest_runtest_setup
from tests.guards.sources import PACKAGES, ROOT, kept_files, python_files

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


def test_the_names_of_our_packages_are_ours_alone() -> None:
    """Names as plain as `auth` may be taken by something else in a shared environment, and imported instead of ours."""
    owners = packages_distributions()
    assert {name: set(owners[name]) for name in PACKAGES} == {name: {"vms-privacy"} for name in PACKAGES}


def test_a_test_that_needs_what_is_not_there_skips_here_and_fails_in_ci(request: pytest.FixtureRequest) -> None:
    pytest_runtest_setup(request.node)
    request.node.add_marker(pytest.mark.needs("no-such-program"))
    with pytest.raises((pytest.skip.Exception, pytest.fail.Exception), match="no-such-program"):
        pytest_runtest_setup(request.node)
