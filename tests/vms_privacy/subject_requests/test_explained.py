"""Why footage is there, or gone, names the requests about it to whoever handles them."""

from datetime import timedelta

from archive.explain.rules import Answer, MayKnow, What
from archive.explain.service import Explainer
from tests.given.desk import Desk
from vms_privacy.subject_requests.kinds import Answer as Decided

HANDLES = MayKnow(holds=False, proof=False, requests=True)
AUDITS = MayKnow(holds=True, proof=True)


def _why(desk: Desk, moment_us: int, may: MayKnow = HANDLES) -> Answer:
    explainer = Explainer(desk.house.ledger, desk.requests, desk.clock, timedelta(minutes=1))
    with desk.db.reading() as session:
        return explainer.why(session, desk.house.camera.camera_id, moment_us, may)


def _requests(answer: Answer) -> list[str]:
    return [one.about for one in answer.because if one.code == "request-is-open"]


def test_an_open_request_is_named_for_each_moment_that_it_asks_about_until_it_is_closed(desk: Desk) -> None:
    segment = desk.recorded()
    place = desk.middle(segment)
    request = desk.enter(place, ago=timedelta(days=1))
    inside_us, behind_us = place.span.from_us, place.span.until_us
    found = _why(desk, inside_us)
    assert (found.what, _requests(found)) == (What.KEPT, [str(request.id)])
    assert _requests(_why(desk, behind_us)) == []
    assert _requests(_why(desk, inside_us, AUDITS)) == [], "an auditor does not handle requests"
    older = desk.enter(place, ago=timedelta(days=3))
    assert _requests(_why(desk, inside_us)) == [str(older.id), str(request.id)]
    desk.decide(older, Decided.ERASE)
    desk.second_person(older)
    assert _why(desk, inside_us).what is What.EXPIRED
    assert desk.house.eraser.sweep().is_clean
    desk.close(older)
    assert _requests(_why(desk, inside_us)) == [str(request.id)]
