"""A replay of the custody journal that leaves something out breaks a promise that the archive's machine sees."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import pytest

from archive.orders.rules import OrderKind
from tests.given.databases import DatabaseServer
from tests.properties.test_archive_machine import ArchiveMachine
from vms_privacy.custody.service import Custody
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import Fact, Head, JournalEntry, JournalKind


def _on(database_server: DatabaseServer) -> ArchiveMachine:
    class Here(ArchiveMachine):
        server = database_server

    return Here()


def _play(machine: ArchiveMachine, *acts: str) -> None:
    """Do some acts, each such as `wait 31`, and look at every invariant after each; then bring all to its end."""
    try:
        for act in ("begin", *acts):
            word, *numbers = act.split()
            _ACTS[word](machine, *map(int, numbers))
            machine.what_is_shown_is_what_may_be_shown_and_all_that_can_be_decoded()
            machine.what_is_destroyed_has_no_key_and_no_byte()
            machine.nothing_lies_in_clear()
            machine.nothing_is_kept_longer_than_was_promised()
            machine.the_check_has_nothing_to_say()
    except BaseException:
        machine.let_go()
        raise
    machine.teardown()


_ACTS: Final[Mapping[str, Callable[..., None]]] = {
    "begin": ArchiveMachine.begin,
    "record": lambda machine, seconds: machine.record(seconds, closes=True),
    "wait": ArchiveMachine.wait,
    "keep-for": ArchiveMachine.keep_for,
    "withdraw": ArchiveMachine.withdraw,
    "request": ArchiveMachine.request,
    "hold": lambda machine, since_s, length_s: machine.order(OrderKind.HOLD, since_s, length_s),
    "lift": lambda machine: machine.lift_one(machine.model.orders[0]),
    "deliver": ArchiveMachine.deliver,
    "sweep": ArchiveMachine.sweep,
    "copy": ArchiveMachine.copy,
    "put-back-first": lambda machine: machine.put_back(machine.copies[0]),
    "put-back": lambda machine: machine.put_back(machine.copies[-1]),
}


class _Forgetful(Journal):
    """The journal, but for entries of some kinds when it is read."""

    def __init__(self, real: Journal, kinds: AbstractSet[JournalKind]) -> None:
        self._real = real
        self._forgotten = kinds

    @property
    def head(self) -> Head:
        return self._real.head

    def entries(self) -> Iterator[JournalEntry]:
        return (entry for entry in self._real.entries() if entry.kind not in self._forgotten)

    def append(self, kind: JournalKind, facts: Mapping[str, Fact]) -> int:
        return self._real.append(kind, facts)

    def close(self) -> None:
        self._real.close()


# Orders are not among them: what a replay leaves out of these, the next start places again.
_LEFT_OUT: Final[Mapping[str, tuple[AbstractSet[JournalKind], Sequence[str]]]] = {
    "withdrawals": ({JournalKind.WITHDRAWAL}, ("record 3", "deliver", "copy", "withdraw", "put-back", "record 3")),
    "shortenings": ({JournalKind.SHORTENING}, ("record 3", "deliver", "copy", "keep-for 10", "wait 31", "put-back")),
    "mandates": ({JournalKind.MANDATE}, ("record 4", "deliver", "copy", "request 3 1", "put-back")),
    "erasures": (
        {JournalKind.ERASURE, JournalKind.KEY_DESTROYED},
        ("record 4", "deliver", "copy", "keep-for 10", "wait 31", "sweep", "put-back"),
    ),
}


@pytest.mark.parametrize("what", _LEFT_OUT)
def test_a_replay_that_leaves_something_out_breaks_a_promise_and_a_whole_one_none(
    what: str, database_server: DatabaseServer
) -> None:
    kinds, acts = _LEFT_OUT[what]

    class Whole(ArchiveMachine):
        server = database_server

    class Broken(Whole):
        def custody(self) -> Custody:
            self.house.journal = _Forgetful(self.house.journal, kinds)
            return super().custody()

    _play(Whole(), *acts)
    with pytest.raises(AssertionError):
        _play(Broken(), *acts)


def test_what_stood_again_after_a_restore_stands_after_that_of_a_still_older_copy(
    database_server: DatabaseServer,
) -> None:
    acts = (
        "record 3",
        "copy",
        "hold 5 20",
        "deliver",
        "copy",
        "lift",
        "put-back",
        "put-back",
        "keep-for 10",
        "wait 31",
    )
    _play(_on(database_server), *acts, "sweep")


def test_a_hold_that_stood_again_stands_after_a_restore_of_a_copy_that_has_it_as_lifted(
    database_server: DatabaseServer,
) -> None:
    lifted_in_between = ("record 3", "hold 5 20", "deliver", "copy", "lift", "copy", "put-back-first", "put-back")
    _play(_on(database_server), *lifted_in_between, "keep-for 10", "wait 31", "sweep")


def test_a_shortening_holds_after_a_restore_of_a_copy_that_has_another_rule_of_the_same_number(
    database_server: DatabaseServer,
) -> None:
    two_lines = ("keep-for 40", "record 3", "deliver", "copy", "keep-for 120", "copy", "put-back-first", "keep-for 10")
    _play(_on(database_server), *two_lines, "put-back", "wait 31", "sweep")


def test_a_shortening_holds_after_a_restore_of_a_copy_that_has_more_rules_than_it_counts(
    database_server: DatabaseServer,
) -> None:
    longer_line = ("keep-for 10", "keep-for 12", "keep-for 15", "keep-for 120", "copy")
    shorter_line = ("put-back-first", "keep-for 100", "keep-for 20")
    acts = ("keep-for 40", "record 3", "deliver", "copy", *longer_line, *shorter_line)
    _play(_on(database_server), *acts, "put-back", "record 3", "wait 31", "sweep")
