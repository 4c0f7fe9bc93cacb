"""What comes round by time: reminding, forgetting who had asked, and closing what withdrawals had asked for."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from vms_privacy.audit.events import Tag
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.subject_requests import rules, store
from vms_privacy.subject_requests.clocks import REMIND_DAYS, reminder_due
from vms_privacy.subject_requests.following import RequestFollower
from vms_privacy.subject_requests.kinds import RequestKind
from vms_privacy.subject_requests.request import Request
from vms_privacy.subject_requests.service import RequestService

ACTOR: Final = "worker:requests"
_MOST: Final = 10_000


class RequestCare:
    """One round after the other; each request in a transaction of its own, so that none waits for another (P12).

    `reminded` counts the reminders that this process has noted.
    """

    def __init__(self, db: Database, requests: RequestService, follower: RequestFollower, clock: Clock) -> None:
        self._db = db
        self._requests = requests
        self._follower = follower
        self._clock = clock
        self.reminded = 0

    def round(self) -> str:
        """Do what is due now; return what failed, by code, as a job tells it."""
        now = self._clock.now()
        with self._db.reading() as session:
            near = store.due_by(session, now + timedelta(days=max(REMIND_DAYS)), _MOST)
            noted = store.reminded(session)
            old = store.forgettable(session, now - rules.FORGOTTEN_AFTER, _MOST)
            withdrawals = store.open_of_kind(session, RequestKind.WITHDRAWAL, _MOST)
        # Most have been noted before: nobody takes a turn at writing for them.
        due = [one for one in near if reminder_due(one.answer_by, now, noted.get(one.id, ())) is not None]
        failed = self._each(due, self._remind) + self._each(old, self._forget) + self._each(withdrawals, self._close)
        return ",".join(sorted(set(failed)))

    def _each(self, requests: list[Request], act: Callable[[Session, Request], None]) -> list[str]:
        failed = []
        for request in requests:
            try:
                with self._db.writing() as session:
                    # As it is now: somebody may have closed it since it was looked up.
                    act(session, self._requests.find(session, request.operator_id, request.id))
            except (Refusal, SQLAlchemyError, OSError) as error:
                failed.append(error.code if isinstance(error, Refusal) else type(error).__name__)
        return failed

    def _remind(self, session: Session, request: Request) -> None:
        if request.closed_at is not None:
            return
        now = self._clock.now()
        days = reminder_due(request.answer_by, now, store.reminded(session, request.id).get(request.id, ()))
        if days is None:
            return
        store.note_reminder(session, request, days, now)
        self._requests.note(
            session, Tag.REQUEST_REMINDED, request, ACTOR, days=days, answer_by=request.answer_by.isoformat()
        )
        self.reminded += 1

    def _forget(self, session: Session, request: Request) -> None:
        if request.forgotten_at is None and rules.is_forgettable(request, self._clock.now()):
            self._requests.forget(session, request, ACTOR)

    def _close(self, session: Session, request: Request) -> None:
        """Close a withdrawal's request once all of it is gone: nobody waits to be told."""
        now = self._clock.now()
        made = rules.close(request, self._follower.standings(session, request), now, ACTOR, now)
        if isinstance(made, Request):
            self._requests.closed(session, request, made, ACTOR)
