"""Every cell of the table of outcomes, asked over the wire; and what else is true of each answer."""

import json
from collections.abc import Iterator
from typing import Final

import httpx
import pytest

from auth.principal import Principal
from tests.given.stage import Stage, Who
from tests.given.whole_app import WholeApp
from tests.vms_privacy.http.answers import faults, same
from tests.vms_privacy.http.asking import ASKS, Ask
from tests.vms_privacy.http.outcomes import API, HIDDEN, Cell, Row
from vms_privacy.audit.events import Outcome
from vms_privacy.audit.tables import EventRow

NOBODY: Final = "nobody"
CELLS: Final = [
    pytest.param(row, who, id=f"{row.operation} by {who.name}") for row in (*API, *HIDDEN) for who in row.outcomes
]


class Asker:
    """Somebody who asks for an operation, and what the audit says of it."""

    def __init__(self, stage: Stage, row: Row, who: Who) -> None:
        self.stage, self.row = stage, row
        # Who asks is there before: of an operator that leaves, nobody new is given anything.
        self.person: Principal | None = stage.somebody(who, row.rights)
        self.ask = ASKS[row.operation](stage)
        self._method, self._path = row.operation.split(" ")
        self._token = stage.access_token(who, self.person)
        self.told: list[EventRow] = []

    @property
    def changes_something(self) -> bool:
        return self._method != "GET"

    def send(self, ask: Ask) -> httpx.Response:
        """Send it, and look up what the audit says of it afterwards."""
        app = self.stage.app
        app.parts.refusals.flush_all()
        before = app.last_event()
        with app.client(self._token) as client:
            answer = client.request(self._method, self._path.format(**ask.path), params=ask.query, json=ask.body)
        app.parts.refusals.flush_all()
        self.told = app.events_after(before)
        return answer

    def refusals(self) -> list[EventRow]:
        return [event for event in self.told if event.outcome == Outcome.REFUSED]


@pytest.fixture(scope="module", autouse=True)
def audit_is_whole(app: WholeApp) -> Iterator[None]:
    """Whatever was asked for in this module, the audit can seal and verify it."""
    yield
    app.parts.sealer.seal_once()
    app.parts.sealer.checkpoint_once()


@pytest.mark.parametrize(("row", "who"), CELLS)
def test_everybody_gets_the_answer_of_the_table(stage: Stage, row: Row, who: Who) -> None:
    asker, cell = Asker(stage, row, who), row.outcomes[who]
    answer = asker.send(asker.ask)
    assert (answer.status_code, _code(answer)) == (cell.status, cell.code), answer.text
    assert faults(answer) == []
    _check_trace(asker, cell)
    if cell.status == 404:
        assert same(asker.send(asker.ask.elsewhere(stage))) == same(answer)
        _check_trace(asker, cell)


def _check_trace(asker: Asker, cell: Cell) -> None:
    """A change leaves a trace; a refusal leaves one, of the person, or in the count of nobody's."""
    refused = asker.refusals()
    if not cell.is_refusal:
        assert refused == []
        assert asker.told or not asker.changes_something
    elif asker.person is None or cell.status == 401 or asker.row.needs == NOBODY:
        assert [event.actor for event in refused] == [NOBODY]
        assert json.loads(refused[0].detail)["count"] == 1
    else:
        assert [(event.actor, event.operator_id) for event in refused] == [
            (asker.person.label, asker.person.operator_id)
        ]


def _code(answer: httpx.Response) -> str:
    return str(answer.json()["code"]) if answer.status_code >= 400 else ""
