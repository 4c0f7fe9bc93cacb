"""Every refusal has a kind, a code of its own that never changes, an answer on every face, and a test."""

import importlib
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from tests.guards.sources import PACKAGES, ROOT, all_tests, missing_test, python_files
from vms_privacy.errors import Kind, Refusal

SHARED: Final = frozenset({"not-found"})
"""Codes that two rooms give on purpose: what one may not see answers like what is not there."""
SHOWN_BY: Final[Mapping[str, str]] = {
    "has-a-platform-admin": (
        "auth/identities/test_http.py::test_the_bootstrap_code_makes_one_platform_admin_and_no_second"
    ),
    "live-has-passed": (
        "streams/live/test_hls.py::test_a_segment_that_has_passed_is_gone_and_one_that_never_was_is_not_found"
    ),
    "rtsp-method-not-served": "streams/rtsp/test_asking.py::test_what_cannot_be_served_is_answered_with_its_status",
    "rtsp-option-not-supported": "streams/rtsp/test_asking.py::test_what_cannot_be_served_is_answered_with_its_status",
    "rtsp-not-in-this-state": "streams/rtsp/test_asking.py::test_order_is_kept",
    "rtsp-parameter-not-understood": "streams/rtsp/test_asking.py::test_a_parameter_is_not_understood",
    "rtsp-not-let-in": "streams/rtsp/test_asking.py::test_a_password_is_asked_for_and_taken_on_loopback",
    "rtsp-too-many-connections": "streams/rtsp/test_asking.py::test_a_full_server_says_so",
    "span-runs-backward": (
        "archive/playback/test_refusals.py::test_a_number_out_of_bounds_is_refused_alike_for_every_camera"
    ),
}
"""Refusals that a test shows by their status and not by their name."""
NONE_YET: Final[frozenset[str]] = frozenset()
"""Refusals that no test shows. This list only ever gets shorter."""
RUNS_ON_IMPORT: Final = frozenset({"vms_privacy.migrations.env"})
_CODE: Final = re.compile(r"[a-z]+(-[a-z0-9]+)*\Z")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[a-z0-9]+)*")


def every_refusal(of: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    """Go through the refusals of the service that are given to somebody: those with a code."""
    for cls in of.__subclasses__():
        if cls.__module__.split(".")[0] in PACKAGES and hasattr(cls, "code"):
            yield cls
        yield from every_refusal(cls)


def faults(refusals: list[type[Refusal]]) -> list[str]:
    """List codes without their form, and codes of more than one refusal."""
    by_code: dict[str, set[str]] = defaultdict(set)
    found = []
    for cls in refusals:
        if not _CODE.match(cls.code) or len(cls.code) > 48:
            found.append(f"{cls.__name__}: {cls.code!r} is no code")
        if "code" in vars(cls):
            by_code[cls.code].add(cls.__name__)
    return found + [
        f"{code}: {sorted(names)}" for code, names in by_code.items() if len(names) > 1 and code not in SHARED
    ]


def untested(refusals: list[type[Refusal]], tests: str) -> list[str]:
    """List the codes of refusals that no test names, by class or by code, and no vector expects."""
    words = set(_WORD.findall(tests))
    # What the vectors of a sealed file expect leaves the first words out.
    return sorted(
        {cls.code for cls in refusals if not {cls.__name__, cls.code, cls.code.removeprefix("sealed-file-")} & words}
    )


@pytest.fixture(scope="module")
def refusals() -> list[type[Refusal]]:
    for room in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}."):
            if module.name not in RUNS_ON_IMPORT:
                importlib.import_module(module.name)
    return list(every_refusal())


def test_every_refusal_has_a_kind_and_a_code_of_its_own(refusals: list[type[Refusal]]) -> None:
    assert len(refusals) > 90
    assert faults(refusals) == []
    assert [cls.__name__ for cls in refusals if not isinstance(getattr(cls, "kind", None), Kind)] == []


def test_every_kind_has_an_answer_on_every_face() -> None:
    from streams.rtsp.statuses import OF_KIND as RTSP
    from vms_privacy.cli.output import EXIT_OF
    from vms_privacy.http.problems import STATUS as HTTP

    assert set(HTTP) == set(EXIT_OF) == set(RTSP) == set(Kind)


def test_every_refusal_is_named_by_a_test(refusals: list[type[Refusal]]) -> None:
    tests = "\n".join(text for path, text in python_files("tests") if not path.startswith("tests/guards/"))
    heads = [
        path.read_bytes().partition(b"\n\n")[0].decode(errors="replace")
        for path in (ROOT / "tests/vectors").rglob("*.vector")
    ]
    assert set(untested(refusals, "\n".join((tests, *heads)))) - set(SHOWN_BY) == NONE_YET


def test_what_shows_a_refusal_by_its_status_exists() -> None:
    assert [wrong for one in SHOWN_BY.values() if (wrong := missing_test(one, all_tests()))] == []


def test_a_bad_code_and_one_that_is_given_twice_are_found() -> None:
    class One(Refusal):
        kind, code = Kind.GONE, "it-is-gone"

    class Two(Refusal):
        kind, code = Kind.GONE, "it-is-gone"

    class Three(Refusal):
        kind, code = Kind.GONE, "It is gone"

    assert faults([One, Two, Three]) == ["Three: 'It is gone' is no code", "it-is-gone: ['One', 'Two']"]
    assert untested([One, Three], "with pytest.raises(Three):") == ["it-is-gone"]
    assert untested([One], "assert problem['code'] == 'it-is-gone'") == []
