"""One operator with its neighbour, new for each test, and everybody who may ask for something of it."""

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum, unique

from auth.grants.rules import Grant
from auth.identities.store import PersonStore
from auth.opaque import digest_of, new_opaque
from auth.principal import RIGHTS_OF, Principal, Right, Role
from auth.resources.rules import Resource
from auth.sessions.memory import AccessMemory
from auth.sessions.rules import ACCESS_PREFIX
from auth.sessions.store import Digests, LoginSessionStore
from streams.cameras.service import NewCamera
from tests.given.access import Access
from tests.given.whole_app import WholeApp
from vms_privacy.ids import CameraId, LoginSessionId, OperatorId

HOUR = timedelta(hours=1)
EVERYTHING = RIGHTS_OF[Role.OWNER] | {Right.MASK_LIFT}


@unique
class Who(StrEnum):
    """Who asks. What somebody holds, they hold over the whole operator if nothing else is said."""

    NOBODY = "nobody"
    STRANGER = "somebody with a token that nobody gave out"
    DISABLED = "somebody who was disabled"
    NEIGHBOUR = "the owner of another operator"
    PLATFORM = "a platform admin"
    NEWCOMER = "one of its people without a grant"
    ELSEWHERE = "the owner of another of its cameras"
    OTHER_RIGHT = "somebody with every other right"
    NARROW = "somebody with the right over this camera alone"
    RIGHT = "somebody with the right"
    WITHDRAWN = "somebody whose grant was withdrawn"
    EXPIRED = "somebody whose grant has ended"
    NOT_YET = "somebody whose grant has not begun"


class Stage:
    """An operator with two cameras and an owner, and a neighbour with one camera and an owner."""

    def __init__(self, app: WholeApp) -> None:
        self.app, self.parts = app, app.parts
        self.access = Access(self.parts.db, self.parts.randomness, app.clock.now())
        self.name, self.operator_id, self.owner = self._operator("north")
        self.camera = self._camera(self.operator_id, self.owner, "door")
        self.other_camera = self._camera(self.operator_id, self.owner, "yard")
        _, self.neighbour_id, self.neighbour = self._operator("south")
        self.neighbours_camera = self._camera(self.neighbour_id, self.neighbour, "door")

    def somebody(self, who: Who, rights: frozenset[Right] = frozenset()) -> Principal | None:
        """Make whoever asks; `rights` is what those hold who hold the right. None for who has no face."""
        match who:
            case Who.NOBODY | Who.STRANGER:
                return None
            case Who.NEIGHBOUR:
                return self.neighbour
            case Who.PLATFORM:
                return self.access.platform_admin(self._unique("admin"))
        person = self.person()
        now = self.app.clock.now()
        match who:
            case Who.ELSEWHERE:
                self.access.grant(person, Role.OWNER, self.other_camera.camera_id)
            case Who.OTHER_RIGHT:
                self.access.grant(person, EVERYTHING - rights)
            case Who.NARROW:
                self.access.grant(person, rights, self.camera.camera_id)
            case Who.RIGHT | Who.DISABLED:
                self.access.grant(person, rights)
            case Who.WITHDRAWN:
                self.withdraw(self.access.grant(person, rights))
            case Who.EXPIRED:
                self.access.grant(person, rights, valid_from=now - 2 * HOUR, valid_until=now - HOUR)
            case Who.NOT_YET:
                # Whatever is done meanwhile takes days of the clock.
                self.access.grant(person, rights, valid_from=now + 1000 * HOUR)
        return person

    def access_token(self, who: Who, asker: Principal | None) -> str | None:
        """Return what somebody sends to say who they are."""
        if who is Who.STRANGER:
            return new_opaque(self.parts.randomness, ACCESS_PREFIX)
        if asker is None:
            return None
        token = self.log_in(asker)
        if who is Who.DISABLED:
            assert asker.person_id is not None
            with self.parts.db.writing() as session:
                PersonStore().disable(session, asker.person_id, self.app.clock.now())
        return token

    def log_in(self, asker: Principal) -> str:
        """An access token, without the hashing of a log-in."""
        assert asker.person_id is not None
        token = new_opaque(self.parts.randomness, ACCESS_PREFIX)
        session_id = LoginSessionId(self.parts.randomness.uuid())
        digests = Digests(digest_of(f"f{token}"), digest_of(f"r{token}"), digest_of(token))
        now = self.app.clock.now()
        with self.parts.db.writing() as session:
            store = LoginSessionStore(AccessMemory(self.app.clock))
            store.add(session, session_id, asker.person_id, digests, now, now + HOUR, now + 24 * HOUR)
        return token

    def person(self, rights: Role | Iterable[Right] | None = None, camera_id: CameraId | None = None) -> Principal:
        """One of the operator's people, with rights if any are named."""
        made = self.access.person(self.operator_id, self._unique("person"))
        if rights is not None:
            self.access.grant(made, rights, camera_id)
        return made

    def withdraw(self, grant: Grant) -> None:
        """Withdraw a grant as its operator's owner does."""
        with self.parts.db.writing() as session:
            self.parts.grants.withdraw(session, self.owner, grant.scope.operator_id, grant.id)

    def _operator(self, name: str) -> tuple[str, OperatorId, Principal]:
        name = self._unique(name)
        operator_id = self.access.operator(name)
        owner = self.access.person(operator_id, self._unique("owner"))
        self.access.grant(owner, Role.OWNER)
        return name, operator_id, owner

    def _camera(self, operator_id: OperatorId, owner: Principal, name: str) -> Resource:
        new = NewCamera(name, "rtsp://camera:secret@127.0.0.1:9/1", "protection of the door")
        with self.parts.db.writing() as session:
            camera_id = self.parts.cameras.create(session, owner, operator_id, new)
        return Resource(camera_id, operator_id, name, "", 1)

    def _unique(self, name: str) -> str:
        return f"{name}-{self.parts.randomness.octets(4).hex()}"
