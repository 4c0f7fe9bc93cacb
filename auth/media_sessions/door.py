"""The one way from a token in a request to a media session, for every face that delivers media."""

from auth.media_sessions.rules import Protocol
from auth.media_sessions.service import MediaSessions
from auth.media_sessions.session import MediaSession
from auth.tokens.service import Admission, Asked, StreamTokens


class MediaDoor:
    """Lets a request with a token in, whether it starts something or goes on with what the token started.

    Sync: an async route calls it through a thread. What carries a session key instead of a token goes to
    `MediaSessions.resume`, which needs no thread.
    """

    def __init__(self, tokens: StreamTokens, sessions: MediaSessions) -> None:
        self._tokens = tokens
        self._sessions = sessions

    def enter(self, text: str | None, asked: Asked, protocol: Protocol, address: str) -> tuple[MediaSession, Admission]:
        """Return the session of this request: a new one, or the one that the same client has with this token.

        `exp` ends the right to start, not to go on: a player may come again with its first URL after that, as long as
        its session lives. Raises what `StreamTokens.admit` and `MediaSessions.open` raise.
        """
        claims = self._tokens.read(text)
        known = self._sessions.going_on(claims, asked.action, protocol, address)
        if known is not None:
            admission = self._tokens.admit_claims(claims, asked, going_on=True)
            if known.end is None:
                known.asked()
                return known, admission
        # Also where it ended just now: what begins must have the right to start.
        admission = self._tokens.admit_claims(claims, asked)
        return self._sessions.open(admission, protocol, address), admission
