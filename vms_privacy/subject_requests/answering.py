"""Putting together what whoever asked is told."""

from sqlalchemy.orm import Session

from auth.operators.service import OperatorService
from auth.resources.store import ResourceStore
from vms_privacy.clock import Clock
from vms_privacy.errors import Refusal
from vms_privacy.ids import OperatorId, RequestId
from vms_privacy.subject_requests import rules
from vms_privacy.subject_requests.errors import RequestIsUndecided, RequestIsUnderWay
from vms_privacy.subject_requests.following import Followed, RequestFollower, standings_of
from vms_privacy.subject_requests.kinds import Outcome, Standing
from vms_privacy.subject_requests.request import Request
from vms_privacy.subject_requests.service import RequestService
from vms_privacy.subject_requests.statement import Told, statement

KEYRING = "keyring"
STORE = "footage store"


class RequestAnswers:
    """Writes statements. They hold what whoever asked may know, and nobody's contact."""

    def __init__(
        self, requests: RequestService, follower: RequestFollower, operators: OperatorService, clock: Clock
    ) -> None:
        self._requests = requests
        self._follower = follower
        self._operators = operators
        self._clock = clock
        self._resources = ResourceStore()

    def statement(self, session: Session, operator_id: OperatorId, request_id: RequestId) -> str:
        """Write the answer to a request that is decided. Raises RequestIsUndecided, RequestIsUnderWay, NotFound."""
        request = self._requests.find(session, operator_id, request_id)
        followed = self._follower.follow(session, request)
        cameras = self._resources.by_ids(session, {one.place.camera_id for one in request.items})
        return statement(
            request,
            [Told(one.item, one.standing, waits_for(one)) for one in followed],
            _outcome(request, followed),
            self._operators.by_id(session, operator_id).title,
            {camera_id: one.name for camera_id, one in cameras.items()},
            self._requests.words(session, request),
            self._clock.now(),
        )


def waits_for(one: Followed) -> tuple[str, ...]:
    """Return who has not confirmed yet that what was granted is gone; both, where something is not begun."""
    carrying = one.carrying
    if one.standing is not Standing.UNDER_WAY or carrying is None:
        return ()
    found, is_begun = carrying.confirmed, carrying.is_begun
    keyring = (KEYRING,) if not is_begun or found.keys_gone < found.segments else ()
    store = (STORE,) if not is_begun or found.bytes_gone < found.segments or found.unfinished else ()
    return (*keyring, *store)


def _outcome(request: Request, followed: list[Followed]) -> Outcome | None:
    if request.outcome is not None:
        return request.outcome
    found = rules.outcome_of(request, standings_of(followed))
    if not isinstance(found, Refusal):
        return found
    if isinstance(found, RequestIsUndecided) or any(one.standing is Standing.WAITS for one in followed):
        raise found
    if isinstance(found, RequestIsUnderWay):
        return None
    raise found
