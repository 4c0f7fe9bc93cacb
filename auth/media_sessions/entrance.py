"""From an HTTP request to a media session: by token, or by the key of a session that a token opened."""

from typing import Any, Final
from uuid import UUID

from fastapi import Request

from auth.gate import mark
from auth.media_sessions.door import MediaDoor
from auth.media_sessions.rules import Protocol
from auth.media_sessions.service import MediaSessions
from auth.media_sessions.session import MediaSession
from auth.tokens.rules import Action
from auth.tokens.service import Admission, Asked, StreamTokens
from vms_privacy.audit.pseudonyms import Pseudonyms
from vms_privacy.ids import CameraId

_NO_CAMERA: Final = CameraId(UUID(int=0))
_NO_NAME: Final = ""


def by_token(action: Action) -> dict[str, Any]:
    """Return what the OpenAPI document says of a route that takes a stream token."""
    return {"x-needs": f"stream token for {action}"}


def by_key(action: Action) -> dict[str, Any]:
    """Return what the OpenAPI document says of a route that takes the key of a media session."""
    return {"x-needs": f"media session for {action}"}


class MediaEntrance:
    """Lets the requests of one action in, and marks them for the backstop. Thread-safe.

    What takes a token asks the database, so it is called from a thread; `by_key` is memory only.
    """

    def __init__(
        self, door: MediaDoor, tokens: StreamTokens, sessions: MediaSessions, pseudonyms: Pseudonyms, action: Action
    ) -> None:
        self._door = door
        self._tokens = tokens
        self._sessions = sessions
        self._pseudonyms = pseudonyms
        self._action = action
        # Names under which a token was let in, so never more than cameras have had. A key opens its own camera only,
        # so an old name gives nothing away.
        self._names: dict[tuple[str, str], CameraId] = {}

    def by_token(
        self,
        request: Request,
        operator: str,
        camera: str,
        token: str | None,
        protocol: Protocol,
        from_us: int | None = None,
        until_us: int | None = None,
    ) -> MediaSession:
        """Open, or find again, the session of a request with a token. Raises what `MediaDoor.enter` raises."""
        address = self._address(request)
        asked = Asked(_plain(request, operator), camera, self._action, from_us, until_us)
        session, admission = self._door.enter(token, asked, protocol, address)
        mark(request.scope, by_token(self._action)["x-needs"])
        self._names[operator, camera] = admission.resource.camera_id
        return session

    def only_asking(self, request: Request, operator: str, camera: str, token: str | None) -> Admission:
        """Let a request in that looks at no picture, so opens no session. Raises what `StreamTokens.admit` raises.

        A player asks every few seconds for as long as it plays: after `exp` too, as long as a session of the same
        client with this token goes on. Asking does not make it last longer.
        """
        claims = self._tokens.read(token)
        is_looking = self._sessions.is_looking(claims, self._action, self._address(request))
        asked = Asked(_plain(request, operator), camera, self._action)
        admission = self._tokens.admit_claims(claims, asked, going_on=is_looking)
        mark(request.scope, by_token(self._action)["x-needs"])
        return admission

    def by_key(self, request: Request, operator: str, camera: str, key: str | None) -> MediaSession:
        """Go on with a session by its key. Raises what `MediaSessions.resume` raises.

        Names that nobody was let in under are asked for all the same, as a camera that cannot be: they answer like any
        other wrong camera.
        """
        camera_id = self._names.get((_plain(request, operator), camera), _NO_CAMERA)
        session = self._sessions.resume(key or "", camera_id, self._action)
        mark(request.scope, by_key(self._action)["x-needs"])
        return session

    def _address(self, request: Request) -> str:
        return self._pseudonyms.address(request.client.host if request.client else "")


def _plain(request: Request, operator: str) -> str:
    """Return the operator's name, or one that nobody has if something in the path was written in escapes.

    No name and no number of a path needs an escape, so what has one is another spelling of a path, or a trick.
    """
    return _NO_NAME if b"%" in request.scope["raw_path"] else operator
