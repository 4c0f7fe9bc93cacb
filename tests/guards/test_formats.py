"""A format's MUST has an id, and each id is named by a vector or a test."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.guards.documents import without_code
from tests.guards.sources import ROOT, all_tests, missing_test, python_files

FORMATS: Final = (
    "sealed-file-v1",
    "audit-chain-v1",
    "keyring-v2",
    "keyring-backup-v1",
    "keyring-pkcs11-v1",
    "backup-v1",
    "stream-token-v1",
    "receipt-v1",
    "custody-journal-v1",
    "manifest-v1",
)
_STATED: Final = re.compile(r"\*\*([A-Z]\d{1,2})\*\*|^\| ([A-Z]\d{1,2}) \|", re.MULTILINE)
_HELD_BY: Final = re.compile(r"^\| ((?:[A-Z]\d{1,2}(?:, )?)+) \| ([^|]*`[^|]*) \|$", re.MULTILINE)

ELSEWHERE: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "audit-chain-v1": {
        "E1": ("vms_privacy/test_audit_log.py::test_what_the_audit_must_not_hold_is_refused",),
        "E2": (
            "auth/identities/test_http.py::test_no_secret_reaches_audit_or_journal",
            "auth/tokens/test_issuing.py::test_a_token_is_in_the_audit_with_ids_and_without_itself",
        ),
        "E3": (
            "vms_privacy/test_audit_log.py::test_an_act_that_is_rolled_back_leaves_no_event",
            "vms_privacy/test_audit_log.py::test_a_refusal_is_kept_although_the_act_was_rolled_back",
        ),
        "E4": ("vms_privacy/test_audit_log.py::test_the_database_refuses_to_change_or_delete_what_was_noted",),
        "A4": (
            "vms_privacy/test_audit_sealer.py::test_a_crash_between_anchor_and_database_is_mended_by_the_next_checkpoint",
        ),
        "S1": (
            "vms_privacy/test_audit_sealer.py::test_an_event_committed_late_under_a_lower_number_is_not_lost",
            "vms_privacy/test_audit_sealer.py::test_a_second_sealer_gets_an_error_and_makes_no_fork",
        ),
        "S2": ("vms_privacy/test_audit_log.py::test_every_event_waits_for_its_seal_from_the_same_transaction_on",),
        "S3": (
            "vms_privacy/test_audit_sealer.py::test_nothing_is_sealed_on_top_of_a_rewritten_chain",
            "vms_privacy/test_audit_sealer.py::test_nothing_is_signed_on_top_of_an_anchor_that_was_cut",
        ),
        "S4": ("guards/test_numbers.py::test_the_audit_is_sealed_each_second_and_signed_each_minute",),
        "V1": ("vms_privacy/test_audit_verify.py::test_a_changed_field_of_an_event_is_found",),
        "V2": ("vms_privacy/test_audit_verify.py::test_a_deleted_event_is_found",),
        "V3": ("vms_privacy/test_audit_verify.py::test_an_entry_deleted_with_its_event_is_found",),
        "V4": ("vms_privacy/test_audit_verify.py::test_two_exchanged_entries_are_found",),
        "V5": ("vms_privacy/test_audit_verify.py::test_a_recomputed_chain_is_found_by_the_anchor",),
        "V6": ("vms_privacy/test_audit_verify.py::test_roots_that_were_signed_wrongly_are_found",),
        "V7": ("vms_privacy/test_audit_verify.py::test_a_cut_tail_is_found_by_the_anchor",),
        "V8": ("vms_privacy/test_audit_verify.py::test_an_event_kept_from_the_sealer_is_found",),
        "V9": ("vms_privacy/test_audit_verify.py::test_a_changed_field_of_the_anchor_is_found",),
        "V10": ("vms_privacy/test_audit_verify.py::test_an_anchor_that_was_cut_is_found_by_the_copies",),
    },
}
"""Which tests hold the ids of pages that have no table of their own."""


def stated(page: str) -> set[str]:
    """Return the ids of a page."""
    return {bold or row for bold, row in _STATED.findall(without_code(page))}


def held_by_vectors(folder: Path) -> set[str]:
    """Return the ids that vectors name."""
    heads = [path.read_bytes().partition(b"\n\n")[0].decode() for path in folder.glob("*.vector")]
    return {one for head in heads for rule in re.findall(r"^rule: (.*)$", head, re.MULTILINE) for one in rule.split()}


def held_by_names(tests: Mapping[str, set[str]], known: set[str]) -> set[str]:
    """Return the ids that tests carry in their names (`test_w5_c2_what_…`)."""
    return {part.upper() for names in tests.values() for name in names for part in name.split("_")} & known


def held_by_the_page(page: str, tests: Mapping[str, set[str]]) -> tuple[set[str], list[str]]:
    """Return the ids in a page's own table of tests, and the tests named there that do not exist."""
    every = {name for names in tests.values() for name in names}
    held, missing = set(), []
    for ids, cell in _HELD_BY.findall(page):
        named = re.findall(r"`(\w+)`", cell)
        if all(name.startswith("test_") or name[0].isupper() for name in named):
            held |= set(ids.split(", "))
            missing += [name for name in named if name not in every]
    return held, missing


@pytest.mark.parametrize("name", FORMATS)
def test_every_must_is_named_by_a_vector_or_a_test(name: str) -> None:
    page = (ROOT / "docs/formats" / f"{name}.md").read_text()
    tests = all_tests()
    ids = stated(page)
    in_table, missing = held_by_the_page(page, tests)
    held = held_by_vectors(ROOT / "tests/vectors" / name.replace("-", "_")) | in_table | set(ELSEWHERE.get(name, {}))
    if name == "sealed-file-v1":
        # The one page whose tests carry the ids in their names; another page's R1 is not this one's.
        formats = {module: names for module, names in tests.items() if "format" in module or "sealed" in module}
        held |= held_by_names(formats | {"keys": tests["archive/test_keys.py"]}, ids)
    assert ids, "the page states no MUST with an id"
    assert sorted(ids - held) == []
    assert missing == []


def test_what_the_guard_names_itself_exists() -> None:
    tests = all_tests()
    ids = [one for page in ELSEWHERE.values() for names in page.values() for one in names]
    assert [wrong for one in ids if (wrong := missing_test(one, tests))] == []


def test_every_format_page_is_looked_at() -> None:
    assert {path.stem for path in (ROOT / "docs/formats").glob("*.md")} == set(FORMATS)


def test_a_must_without_a_test_is_found(tmp_path: Path) -> None:
    lines = (
        "- **X1** A reader MUST.",
        "| X2 | a rule | `code` |",
        "",
        "| X1 | `test_there` |",
        "| X3, X4 | `test_gone` |",
    )
    page = "\n".join((*lines, ""))
    (tmp_path / "a.vector").write_bytes(b"expect: x\nrule: X2 X9\n\n\x00rule: X8")
    assert stated(page) == {"X1", "X2"}
    assert held_by_vectors(tmp_path) == {"X2", "X9"}
    assert held_by_the_page(page, {"a.py": {"test_there"}}) == ({"X1", "X3", "X4"}, ["test_gone"])
    assert held_by_names({"a.py": {"test_x1_it_holds"}}, {"X1", "X2"}) == {"X1"}


def test_the_tests_are_found_without_running_them() -> None:
    modules = {path.removeprefix("tests/") for path, _ in python_files("tests")}
    assert set(all_tests()) <= modules
    assert "test_the_tests_are_found_without_running_them" in all_tests()["guards/test_formats.py"]
