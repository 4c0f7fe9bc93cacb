"""What is true of every chain, whoever tampers with it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from vms_privacy.audit.checkpoints import BEFORE_THE_FIRST, Checkpoint, parse
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.rules import (
    FIRST_LINK,
    LARGEST_NUMBER,
    LONGEST_TEXT,
    NO_ID,
    by_operator,
    bytes_of,
    detail_text,
    leaf,
    link,
    merkle_root,
    microseconds,
    moment_of,
    operators_root,
)
from vms_privacy.audit.walk import Entry, Fault, Finding, Walk
from vms_privacy.ids import CameraId, OperatorId

printable = st.text(st.characters(codec="utf-8").filter(str.isprintable), max_size=LONGEST_TEXT)
keys = st.from_regex(r"\A[a-z][a-z0-9_]{0,39}\Z")
values = st.one_of(printable, st.integers(-LARGEST_NUMBER, LARGEST_NUMBER), st.booleans(), st.none())
details = st.dictionaries(keys, values, max_size=4)
moments = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds of a strategy
ids = st.uuids(version=4)
events = st.builds(
    Event,
    st.sampled_from(Tag),
    moments,
    printable,
    st.sampled_from(Outcome),
    st.none() | ids.map(OperatorId),
    st.none() | ids.map(CameraId),
    printable,
    details,
)
operators = st.sampled_from([None, b"n" * 16, b"s" * 16])
hashes = st.binary(min_size=32, max_size=32)


def entries_of(leaves: list[tuple[bytes | None, bytes]]) -> list[Entry]:
    head, out = FIRST_LINK, []
    for position, (operator, of_leaf) in enumerate(leaves, 1):
        head = link(head, of_leaf)
        out.append(Entry(position, operator, of_leaf, head, of_leaf, operator))
    return out


def checkpoints_of(entries: list[Entry], lasts: set[int]) -> list[Checkpoint]:
    out: list[Checkpoint] = []
    first = 1
    for last in sorted(lasts):
        span = entries[first - 1 : last]
        roots = operators_root(by_operator((entry.operator or NO_ID, entry.leaf) for entry in span))
        out.append(Checkpoint(len(out) + 1, first, last, 0, span[-1].head, roots, BEFORE_THE_FIRST))
        first = last + 1
    return out


def walked(entries: list[Entry], checkpoints: list[Checkpoint]) -> Finding | None:
    walk = Walk(iter(checkpoints))
    for entry in entries:
        finding = walk.take(entry)
        if finding is not None:
            return finding
    return walk.end()


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[Entry], list[Checkpoint]]:
    leaves = draw(st.lists(st.tuples(operators, hashes), min_size=2, max_size=12, unique_by=lambda each: each[1]))
    entries = entries_of(leaves)
    lasts = draw(st.sets(st.integers(1, len(entries)), max_size=4))
    return entries, checkpoints_of(entries, lasts)


@given(chains())
def test_an_untouched_chain_is_found_good(chain: tuple[list[Entry], list[Checkpoint]]) -> None:
    assert walked(*chain) is None


@given(chains(), st.data())
def test_a_changed_event_is_found_where_it_is(chain: tuple[list[Entry], list[Checkpoint]], data: st.DataObject) -> None:
    entries, checkpoints = chain
    at = data.draw(st.integers(0, len(entries) - 1))
    changes: list[Callable[[Entry], Entry]] = [
        lambda entry: replace(entry, event_leaf=leaf(entry.leaf)),
        lambda entry: replace(entry, event_leaf=None),
        lambda entry: replace(entry, leaf=leaf(entry.leaf)),
        lambda entry: replace(entry, head=leaf(entry.head)),
        lambda entry: replace(entry, operator=b"x" * 16),
        lambda entry: replace(entry, event_operator=b"x" * 16),
        lambda entry: replace(entry, operator=NO_ID),
        lambda entry: replace(entry, event_leaf=b""),
        lambda entry: replace(entry, leaf=leaf(entry.leaf), event_leaf=leaf(entry.leaf)),
    ]
    changed = [*entries[:at], data.draw(st.sampled_from(changes))(entries[at]), *entries[at + 1 :]]
    finding = walked(changed, checkpoints)
    assert finding is not None
    assert finding.position == at + 1


@given(chains(), st.data())
def test_a_missing_entry_is_found_where_it_was(
    chain: tuple[list[Entry], list[Checkpoint]], data: st.DataObject
) -> None:
    entries, checkpoints = chain
    at = data.draw(st.integers(0, len(entries) - 2))
    finding = walked(entries[:at] + entries[at + 1 :], checkpoints)
    assert finding is not None
    assert (finding.fault, finding.position) == (Fault.ENTRY_MISSING, at + 1)


@given(chains(), st.data())
def test_two_exchanged_entries_are_found_at_the_first(
    chain: tuple[list[Entry], list[Checkpoint]], data: st.DataObject
) -> None:
    entries, checkpoints = chain
    first = data.draw(st.integers(0, len(entries) - 2))
    second = data.draw(st.integers(first + 1, len(entries) - 1))
    moved = list(entries)
    moved[first] = replace(entries[second], position=first + 1)
    moved[second] = replace(entries[first], position=second + 1)
    finding = walked(moved, checkpoints)
    assert finding is not None
    assert (finding.fault, finding.position) == (Fault.ENTRY_MOVED, first + 1)


@given(chains(), st.data())
def test_a_recomputed_chain_is_found_by_the_checkpoint_that_spoke_for_it(
    chain: tuple[list[Entry], list[Checkpoint]], data: st.DataObject
) -> None:
    entries, checkpoints = chain
    assume(checkpoints)
    at = data.draw(st.integers(1, checkpoints[-1].last))
    point = next(point for point in checkpoints if point.first <= at <= point.last)
    leaves = [(entry.operator, leaf(entry.leaf) if entry.position == at else entry.leaf) for entry in entries]
    finding = walked(entries_of(leaves), checkpoints)
    assert finding is not None
    assert (finding.fault, finding.position) == (Fault.REWRITTEN, point.first)


@given(chains(), st.data())
def test_a_tail_cut_below_the_last_checkpoint_is_found(
    chain: tuple[list[Entry], list[Checkpoint]], data: st.DataObject
) -> None:
    entries, checkpoints = chain
    assume(checkpoints)
    left = data.draw(st.integers(0, checkpoints[-1].last - 1))
    finding = walked(entries[:left], checkpoints)
    assert finding is not None
    assert (finding.fault, finding.position) == (Fault.TAIL_CUT, left + 1)


@given(events, events, ids, ids)
def test_two_events_never_have_the_same_bytes(one: Event, other: Event, one_id: UUID, other_id: UUID) -> None:
    if (one, one_id) != (other, other_id):
        assert bytes_of(one, one_id) != bytes_of(other, other_id)


@given(details)
def test_a_detail_is_json_that_says_the_same_and_has_one_form(detail: dict[str, str | int | bool | None]) -> None:
    text = detail_text(detail)
    assert json.loads(text) == detail
    assert "\n" not in text
    assert detail_text(dict(reversed(detail.items()))) == text
    assert detail_text(json.loads(text)) == text


@given(moments)
def test_a_moment_comes_back_to_the_microsecond(moment: datetime) -> None:
    assert moment_of(microseconds(moment)) == moment


@given(st.lists(hashes, max_size=40))
def test_a_root_splits_at_the_largest_power_of_two(leaves: list[bytes]) -> None:
    if len(leaves) < 2:
        return
    split = 1 << (len(leaves) - 1).bit_length() - 1
    two = [merkle_root(leaves[:split]), merkle_root(leaves[split:])]
    assert merkle_root(leaves) == merkle_root(two)


@given(st.integers(1, 10**17), st.integers(1, 10**17), st.integers(1, 10**17), st.integers(0, 10**17), hashes, hashes)
def test_a_line_comes_back_as_it_was_written(
    number: int, first: int, last: int, at_us: int, head: bytes, previous: bytes
) -> None:
    checkpoint = Checkpoint(number, first, last, at_us, head, head, previous)
    line = parse(checkpoint.line("kid", bytes(64)))
    assert line is not None
    assert (line.checkpoint, line.kid, line.signature) == (checkpoint, "kid", bytes(64))


@given(st.text(max_size=600))
def test_what_is_no_line_is_refused_and_what_is_one_is_written_the_same_again(text: str) -> None:
    line = parse(text)
    if line is not None:
        assert line.checkpoint.line(line.kid, line.signature) == text
