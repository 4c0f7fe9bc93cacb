"""Whatever is sent by whoever may do everything: a clear answer, never a failure, and nothing of it repeated."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.given.schemas import CANARY, NASTY, fitting, spoilt
from tests.given.stage import Stage, Who
from tests.given.whole_app import WholeApp
from tests.guards.test_routes import operations
from tests.vms_privacy.http.answers import faults
from tests.vms_privacy.http.asking import ASKS
from tests.vms_privacy.http.media_outcomes import BY_KEY, BY_TOKEN
from tests.vms_privacy.http.outcomes import API

EXAMPLES: Final = 60
LARGEST_PROBLEM: Final = 10_000
MEDIA: Final = {row.operation for row in (*BY_TOKEN, *BY_KEY)}
BOUNDED: Final = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
NAMES: Final = sorted({row.operation for row in API} | MEDIA)


@pytest.fixture(scope="module")
def document(app: WholeApp) -> dict[str, Any]:
    return app.api.openapi()


@pytest.mark.parametrize("name", NAMES)
def test_no_request_makes_the_service_fail_or_repeat_what_it_was_sent(
    app: WholeApp, document: dict[str, Any], name: str
) -> None:
    sender, operation = Sender(app, name), dict(operations(document))[name]

    @BOUNDED
    @given(data=st.data())
    def every_answer_is_clear(data: st.DataObject) -> None:
        answer = sender.send(data, operation, document)
        assert answer.status_code < 500 or answer.json()["code"] == "camera-not-live", answer.text
        assert faults(answer) == []
        if answer.status_code >= 400:
            assert CANARY not in answer.text
            assert len(answer.content) < LARGEST_PROBLEM

    every_answer_is_clear()


class Sender:
    """Somebody who may do everything, on a stage of their own for each operation."""

    def __init__(self, app: WholeApp, name: str) -> None:
        self.method, self.path = name.split(" ")
        self.stage = Stage(app)
        self.path_values: Mapping[str, str] = ASKS[name](self.stage).path if name in ASKS else {}
        is_platforms = "platform" in next((row.needs for row in API if row.operation == name), "")
        asker = self.stage.somebody(Who.PLATFORM) if is_platforms else self.stage.owner
        self.token = self.stage.access_token(Who.RIGHT, asker)
        known = {"camera_id": self.stage.camera.camera_id, "person_id": self.stage.person().person_id}
        self.known = {name: str(value) for name, value in known.items()} | dict(self.path_values)

    def send(self, data: st.DataObject, operation: dict[str, Any], document: dict[str, Any]) -> httpx.Response:
        query = {}
        path = dict(self.path_values)
        for wanted in operation.get("parameters", ()):
            good = fitting(wanted["schema"], document, self.known)
            if wanted["in"] == "query" and data.draw(st.booleans()):
                query[wanted["name"]] = _text(data.draw(st.one_of(good, st.sampled_from(NASTY))))
            if wanted["in"] == "path" and (wanted["name"] not in path or data.draw(st.integers(0, 4)) == 0):
                path[wanted["name"]] = _text(data.draw(st.one_of(good, st.sampled_from(NASTY))))
        content = None
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            good = fitting(schema, document, self.known)
            content = json.dumps(data.draw(st.one_of(good, spoilt(good)))).encode()
        url = self.path.format(**{name: quote(text, safe="") for name, text in path.items()})
        with self.stage.app.client(self.token) as client:
            return client.request(
                self.method, url, params=query, content=content, headers={"Content-Type": "application/json"}
            )


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    # What cannot be written in UTF-8 cannot be written in an address either.
    return text.encode("utf-8", "replace").decode()[:6000] or "-"


def test_the_audit_holds_nothing_of_what_was_refused(app: WholeApp) -> None:
    """Whatever order the tests run in, this looks at what those before it have left."""
    assert not [event for event in app.events_after(0) if CANARY in f"{event.actor}{event.reason}{event.detail}"]
