"""Invariants of the custody journal's lines and chain."""

import random
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vms_privacy.journal.rules import (
    IDS_IN_AN_ENTRY,
    LINE_LIMIT,
    NO_ENTRY,
    BadLine,
    Fact,
    JournalEntry,
    JournalKind,
    bucket_keys_in,
    ids_in,
    joined,
    line_of,
    next_entry,
    read_line,
)

WORD_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:+/=-"
names = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
values: st.SearchStrategy[Fact] = st.none() | st.integers(-(2**63), 2**63) | st.text(WORD_LETTERS, max_size=100)
facts = st.dictionaries(names, values, max_size=8)
zones = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
moments = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
acts = st.tuples(moments, st.sampled_from(JournalKind), facts)


NOON = datetime(2030, 1, 15, 12, tzinfo=UTC)


def chain_of(told: list[tuple[datetime, JournalKind, dict[str, Fact]]]) -> list[JournalEntry]:
    head, chain = NO_ENTRY, []
    for at, kind, said in told:
        chain.append(next_entry(head, at, kind, said))
        head = chain[-1].head
    return chain


def read_all(lines: list[bytes]) -> list[JournalEntry]:
    head, chain = NO_ENTRY, []
    for line in lines:
        chain.append(read_line(line, head))
        head = chain[-1].head
    return chain


@given(told=st.lists(acts, max_size=6))
def test_a_chain_reads_back_as_it_was_written(told: list[tuple[datetime, JournalKind, dict[str, Fact]]]) -> None:
    chain = chain_of(told)
    assert read_all([line_of(entry) for entry in chain]) == chain
    assert [entry.number for entry in chain] == list(range(1, len(told) + 1))


@given(at=moments, zone=zones, said=facts)
def test_one_moment_has_one_spelling_whatever_its_zone(at: datetime, zone: timezone, said: dict[str, Fact]) -> None:
    here = next_entry(NO_ENTRY, at.astimezone(zone), JournalKind.HOLD, said)
    assert line_of(here) == line_of(next_entry(NO_ENTRY, at, JournalKind.HOLD, said))


@given(told=st.lists(acts, min_size=1, max_size=4), at=st.integers(0), flip=st.integers(1, 255))
def test_no_byte_can_be_changed_unnoticed(
    told: list[tuple[datetime, JournalKind, dict[str, Fact]]], at: int, flip: int
) -> None:
    whole = b"".join(line_of(entry) for entry in chain_of(told))
    at %= len(whole)
    changed = whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :]
    with pytest.raises(BadLine):
        read_all(changed.splitlines(keepends=True) if changed.endswith(b"\n") else [changed])


@given(told=st.lists(acts, min_size=2, max_size=5), order=st.randoms(use_true_random=False))
def test_no_entry_can_be_left_out_or_moved_unnoticed(
    told: list[tuple[datetime, JournalKind, dict[str, Fact]]], order: random.Random
) -> None:
    lines = [line_of(entry) for entry in chain_of(told)]
    chosen = order.sample(lines, order.randint(1, len(lines)))
    if chosen == lines[: len(chosen)]:
        assert len(read_all(chosen)) == len(chosen)
        return
    with pytest.raises(BadLine):
        read_all(chosen)


@given(line=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode() + b"\n"))
def test_any_bytes_are_an_entry_or_a_named_fault(line: bytes) -> None:
    with pytest.raises(BadLine):
        read_line(line, NO_ENTRY)


@given(name=st.text(max_size=40), value=st.text(max_size=250))
def test_what_is_taken_is_short_ascii_without_spaces(name: str, value: str) -> None:
    said: Mapping[str, Fact] = {name: value}
    try:
        line = line_of(next_entry(NO_ENTRY, datetime(2030, 1, 1, tzinfo=UTC), JournalKind.ERASURE, said))
    except ValueError:
        return
    assert name.isascii()
    assert value.isascii()
    assert not set(value) & set(' @\n\r\t"\\')
    assert len(line) <= LINE_LIMIT


@given(st.integers(0, 2 * IDS_IN_AN_ENTRY + 1), st.integers(0, 2**63))
def test_ids_come_back_from_as_few_entries_as_hold_them_and_each_fits_in_a_line(count: int, first: int) -> None:
    ids = [uuid.UUID(int=(first << 64) + number) for number in range(count)]
    shares = joined("ids", ids)
    assert len(shares) == -(-len(ids) // IDS_IN_AN_ENTRY)
    beside: dict[str, Fact] = {"erasure": str(uuid.UUID(int=1)), "cause": "off-boarding", "segments": 10**9}
    found: list[uuid.UUID] = []
    for share in shares:
        entry = next_entry(NO_ENTRY, NOON, JournalKind.ERASURE, beside | share)
        read = read_line(line_of(entry), NO_ENTRY)
        assert read == entry
        found += ids_in(read.facts, "ids")
    assert sorted(found) == sorted(ids)


@given(st.uuids(), st.lists(st.uuids(), max_size=20))
def test_bucket_keys_are_found_in_entries_of_both_forms(older: uuid.UUID, keys: list[uuid.UUID]) -> None:
    assert bucket_keys_in({"bucket_key": str(older), "segments": 1}) == [older]
    assert [one for facts in joined("bucket_keys", keys) for one in bucket_keys_in(facts)] == keys
    assert bucket_keys_in({"purpose": "totp", "version": 1}) == []
