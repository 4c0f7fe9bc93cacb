"""Opt-ins over the API, where the outcome table does not reach."""

from datetime import datetime

from auth.principal import Right
from tests.given.consent import opt_in
from tests.given.stage import Stage, Who
from tests.vms_privacy.http.asking import opted_in
from vms_privacy.consent.rules import ConsentKind


def test_the_opt_in_of_a_removed_camera_can_be_withdrawn_and_not_given_again(stage: Stage) -> None:
    parts, camera_id = stage.parts, stage.camera.camera_id
    with parts.db.writing() as session:
        opt_in(parts.ledger, session, stage.app.clock, stage.operator_id, camera_id, ConsentKind.VIDEO_RECORDING)
    with parts.db.writing() as session:
        parts.cameras.remove(session, stage.owner, camera_id)
    somebody = stage.somebody(Who.RIGHT, frozenset({Right.RECORD}))
    assert somebody is not None
    with stage.app.client(stage.log_in(somebody)) as client:
        path = f"/api/v1/cameras/{camera_id}/opt-ins"
        given = client.get(path).json()
        assert [entry["answer"] for entry in given] == ["given"]
        assert client.delete(f"{path}/video-recording").status_code == 200
        again = client.post(path, json=opted_in(stage).body)
        assert (again.status_code, again.json()["code"]) == (404, "not-found")
    with parts.db.reading() as session:
        assert parts.ledger.permit(session, camera_id) is None


def test_the_sign_may_be_confirmed_with_the_moment_at_which_the_text_was_shown(stage: Stage) -> None:
    somebody = stage.somebody(Who.RIGHT, frozenset({Right.RECORD}))
    assert somebody is not None
    with stage.app.client(stage.log_in(somebody)) as client:
        shown = client.get(f"/api/v1/opt-in-wordings/{ConsentKind.VIDEO_RECORDING}").json()
        assert datetime.fromisoformat(shown["shown_at"]) == stage.app.clock.now()
        body = {**(opted_in(stage).body or {}), "sign_confirmed_at": shown["shown_at"]}
        path = f"/api/v1/cameras/{stage.camera.camera_id}/opt-ins"
        assert client.post(path, json=body).status_code == 201
