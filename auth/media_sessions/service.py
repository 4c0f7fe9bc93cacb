"""All media sessions of this process: opened, found again, judged again, cut, listed, and in the audit as a whole.

`open`, `rejudge` and what hears of changes ask the database and are called from a thread; `resume`, `end` and the
session's own methods are memory only and may be called from the event loop.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Final, NoReturn

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from auth.errors import NotFound
from auth.grants.service import GrantChange
from auth.media_sessions.book import SessionBook
from auth.media_sessions.errors import NotSureEnough, SessionOver, TooManySessions
from auth.media_sessions.rules import LONGEST_GAP_S, AskAgain, End, Ends, Limits, Protocol, Stays, judge_session
from auth.media_sessions.session import MediaSession
from auth.principal import Principal, PrincipalKind
from auth.revocation.view import RevocationView
from auth.tokens.errors import LIVE_IS_RESTRICTED, FootageIsRestricted, TokenWithdrawn
from auth.tokens.handles import random_name
from auth.tokens.judging import GrantJudge
from auth.tokens.rules import Action, Claims
from auth.tokens.service import Admission
from vms_privacy.audit.events import Event, Outcome, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.errors import Refusal
from vms_privacy.group_commit import GroupCommit, WriteFailed
from vms_privacy.ids import CameraId, MediaSessionId, OperatorId, PersonId, Randomness, TokenId

JUDGE_ALL_EVERY_S: Final = 10.0
"""How often every session is judged by the grants, heard of or not: the net below the events."""
_OVER: Final = "this media session is over"
Only = Callable[[MediaSession], bool]


class MediaSessions:
    """Who is looking at what, now. Thread-safe.

    A cut is decided in memory first, so `check` refuses from then on; then every attached cut is called; then the
    audit is written. No viewer's cut waits for another's, and none waits for the database.

    `failed_judgements` counts the rounds in which the grants could not be asked, `unwritten_ends` those in which ends
    could not be written and were kept for the next.
    """

    def __init__(
        self,
        group: GroupCommit,
        clock: Clock,
        randomness: Randomness,
        audit: AuditLog,
        revocation: RevocationView,
        judge: GrantJudge,
        limits: Limits,
    ) -> None:
        self._group = group
        self._clock = clock
        self._randomness = randomness
        self._audit = audit
        self._revocation = revocation
        self._judge = judge
        self._book = SessionBook(limits)
        self._unwritten: list[MediaSession] = []
        self._writing = threading.Lock()
        self._judged_all_at = clock.monotonic()
        self.failed_judgements = 0
        self.unwritten_ends = 0

    def open(self, admission: Admission, protocol: Protocol, address: str) -> MediaSession:
        """Return a session for an admission, in the audit before this returns; it rests on nothing already withdrawn.

        The same client coming again with the same token (same camera, action, protocol and pseudonymous `address`)
        gets the session it has. Raises NotSureEnough, TooManySessions, TokenWithdrawn, SessionOver, WriteFailed.
        """
        if not self._revocation.hearing().may_start:
            self._refuse(admission.claims, NotSureEnough("withdrawals are not heard of at the moment", retry_after=1))
        known = self.going_on(admission.claims, admission.action, protocol, address)
        if known is not None:
            known.asked()
            return known
        session = MediaSession(
            MediaSessionId(self._randomness.uuid()),
            random_name(self._randomness),
            admission.claims,
            admission.action,
            protocol,
            address,
            self._clock,
            self._revocation,
        )
        full = self._book.add(session)
        if full is not None:
            self._refuse(admission.claims, TooManySessions(f"this {full} has all the sessions it may have", of=full))
        try:
            self._group.run(lambda own: self._note(own, Tag.MEDIA_OPENED, session))
        except BaseException:
            # Nobody may look without a trace: the session never was.
            self._book.remove(session)
            raise
        session.is_announced = True
        # Only now: a withdrawal from here on finds the session in the book, one from before is known to the view.
        self._judge_these([session], by_grants=False)
        session.check()
        return session

    def going_on(self, claims: Claims, action: Action, protocol: Protocol, address: str) -> MediaSession | None:
        """Return the living session that a client's next request with the same token belongs to, if there is one."""
        if not protocol.comes_again:
            return None
        return next((one for one in self._of_client(claims, action, address) if one.protocol is protocol), None)

    def is_looking(self, claims: Claims, action: Action, address: str) -> bool:
        """Say whether a client has a living session with this token, by whatever protocol."""
        return any(self._of_client(claims, action, address))

    def resume(self, key: str, camera_id: CameraId, action: Action) -> MediaSession:
        """Return the session that a nested URI names by its key, if it is for this camera and action, and goes on.

        Raises SessionOver, or what ended it; NotFound for another camera, as for one that does not exist.
        """
        session = self._book.by_key(key)
        if session is None:
            raise SessionOver(_OVER)
        if session.camera_id != camera_id or session.action is not action:
            raise NotFound
        if not self._stays(session):
            self._judge_these([session], by_grants=False)
        session.check()
        session.asked()
        return session

    def end(self, session: MediaSession, why: End = End.CLIENT_LEFT) -> None:
        """End a session from within; its end is in the audit with the next `rejudge`. Ending twice is calm."""
        self._finish([(session, why, SessionOver(_OVER))])

    def stop(self) -> None:
        """Cut everybody: the service is stopping."""
        self._finish([(session, End.STOPPING, SessionOver(_OVER)) for session in self._book.living()])
        self.write_ends()

    def rejudge(self, only: Only | None = None) -> int:
        """Judge sessions again and cut those that may not go on; return how many. For a timer of at most 500 ms.

        With `only`, judge just those, at once and by the grants; for events. Every 10 s the timer asks the grants about
        all. Whoever the grants could not be asked about, though something was heard, is cut: unknown fails closed.
        """
        chosen = [session for session in self._book.living() if only is None or only(session)]
        everybody = only is None and self._clock.monotonic() - self._judged_all_at >= JUDGE_ALL_EVERY_S
        cut = self._judge_these(chosen, by_grants=everybody or only is not None)
        if everybody:
            self._judged_all_at = self._clock.monotonic()
        self._book.forget(self._clock.monotonic() - LONGEST_GAP_S)
        try:
            self.write_ends()
        except (WriteFailed, SQLAlchemyError):
            # Whoever told of an event has committed it and must not fail by this: the timer writes again, and says so.
            self.unwritten_ends += 1
            if only is None:
                raise
        return cut

    def hear_grant(self, change: GrantChange) -> None:
        """Hear that a grant was given, changed or withdrawn: what rests on it is judged again at once."""
        self._revocation.hear_grant(change.grant_id, change.version)
        self.rejudge(lambda one: any(use.grant_id == change.grant_id for use in one.claims.grants))

    def hear_token(self, token_id: TokenId) -> None:
        """Hear that a token was withdrawn, which the revocation view knows already."""
        self.rejudge(lambda one: one.claims.token_id == token_id)

    def hear_person(self, person_id: PersonId) -> None:
        """Hear that a person was disabled: all they look at ends."""
        self._revocation.hear_person(person_id)
        self.rejudge(lambda one: one.person_id == person_id)

    def hear_camera(self, camera_id: CameraId) -> None:
        """Hear that a camera was moved, removed or restricted: whoever looks at it is judged again."""
        self.rejudge(lambda one: one.camera_id == camera_id)

    @property
    def count(self) -> int:
        """Return how many sessions there are now, for the metrics."""
        return sum(1 for _ in self._book.living())

    def of_operator(self, operator_id: OperatorId) -> list[MediaSession]:
        """Return who is looking at an operator's cameras now, oldest first."""
        found = [session for session in self._book.living() if session.operator_id == operator_id]
        return sorted(found, key=lambda session: (session.opened_at, session.id))

    def write_ends(self) -> None:
        """Write the ends that are not in the audit yet, in one transaction; what fails is kept for the next time."""
        with self._writing:
            ready = [session for session in self._unwritten if session.is_announced]
            self._unwritten = [session for session in self._unwritten if not session.is_announced]
        if not ready:
            return
        try:
            self._group.run(lambda own: self._note_ends(own, ready))
        except BaseException:
            with self._writing:
                self._unwritten = ready + self._unwritten
            raise

    def _of_client(self, claims: Claims, action: Action, address: str) -> Iterator[MediaSession]:
        wanted = (claims.token_id, action, address)
        for session in self._book.living():
            if (session.claims.token_id, session.action, session.address) == wanted and self._stays(session):
                yield session

    def _stays(self, session: MediaSession) -> bool:
        return isinstance(judge_session(session.signs(), self._clock.for_reading()), Stays)

    def _judge_these(self, sessions: Iterable[MediaSession], *, by_grants: bool) -> int:
        ending: list[_Ending] = []
        certain, doubtful = [], []
        for session in sessions:
            verdict = judge_session(session.signs(), self._clock.for_reading())
            if isinstance(verdict, Ends):
                ending.append((session, verdict.why, _told(verdict.why)))
            elif isinstance(verdict, AskAgain):
                doubtful.append(session)
            elif by_grants:
                certain.append(session)
        # What memory knows ends before anything is asked of the database.
        return self._finish(ending) + self._finish(self._ask_grants(certain, doubtful))

    def _ask_grants(self, certain: list[MediaSession], doubtful: list[MediaSession]) -> list["_Ending"]:
        asked = doubtful + certain
        if not asked:
            return []
        try:
            verdicts = self._judge.judge_again([(session.claims, session.action) for session in asked])
        except SQLAlchemyError:
            self.failed_judgements += 1
            return [(session, End.NOT_JUDGED, _told(End.NOT_JUDGED)) for session in doubtful]
        ending: list[_Ending] = []
        for session, verdict in zip(asked, verdicts, strict=True):
            if isinstance(verdict, TokenWithdrawn):
                ending.append((session, End.NO_LONGER_ALLOWED, verdict))
                continue
            session.claims = verdict
            for use in verdict.grants:
                self._revocation.hear_grant(use.grant_id, use.version)
        return ending

    def _finish(self, ending: Iterable["_Ending"]) -> int:
        """End sessions: all in memory first, then every attached cut, whatever one of them raises."""
        done = 0
        with ExitStack() as every:
            for session, why, refusal in ending:
                cuts = session.finish(why, refusal)
                if cuts is None:
                    continue
                self._book.retire(session, self._clock.monotonic())
                with self._writing:
                    self._unwritten.append(session)
                done += why.is_cut
                for cut in cuts:
                    every.callback(cut)
        return done

    def _refuse(self, claims: Claims, refusal: Refusal) -> NoReturn:
        event = Event(
            tag=Tag.TOKEN_REFUSED,
            at=self._clock.now(),
            actor=_label(claims.person_id),
            outcome=Outcome.REFUSED,
            operator_id=claims.operator_id,
            camera_id=claims.camera_id,
            reason=refusal.code,
            detail={"token": str(claims.token_id)},
        )
        self._audit.note_refusal(event)
        raise refusal

    def _note_ends(self, own: Session, ended: Iterable[MediaSession]) -> None:
        for session in ended:
            assert session.end is not None
            self._note(own, Tag.MEDIA_CUT if session.end.is_cut else Tag.MEDIA_ENDED, session)

    def _note(self, own: Session, tag: Tag, session: MediaSession) -> None:
        now = self._clock.now()
        detail: dict[str, str | int | bool | None] = {
            "session": str(session.id),
            "token": str(session.claims.token_id),
            "protocol": str(session.protocol),
            "action": str(session.action),
            "purpose": str(session.claims.purpose),
        }
        if session.end is None:
            detail["address"] = session.address
        else:
            detail["bytes"] = session.bytes_out
            detail["seconds"] = int((now - session.opened_at).total_seconds())
        event = Event(
            tag=tag,
            at=now,
            actor=_label(session.person_id),
            operator_id=session.operator_id,
            camera_id=session.camera_id,
            reason="" if session.end is None else str(session.end),
            detail=detail,
        )
        self._audit.note(own, event)


_Ending = tuple[MediaSession, End, Refusal]


def _label(person_id: PersonId) -> str:
    return Principal(PrincipalKind.PERSON, person_id).label


def _told(why: End) -> Refusal:
    if why is End.WITHDRAWN:
        return TokenWithdrawn("what this rested on was withdrawn")
    if why is End.RESTRICTED:
        return FootageIsRestricted(LIVE_IS_RESTRICTED)
    if why in {End.DEAF, End.NOT_JUDGED}:
        return NotSureEnough("withdrawals are not heard of at the moment", retry_after=1)
    return SessionOver(_OVER)
