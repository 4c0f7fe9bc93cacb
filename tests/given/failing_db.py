"""A real database that is away for a while, takes no commit, or whose commit arrives and whose answer does not."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from vms_privacy.db import Database


class FailingDatabase(Database):
    """`is_away`: every transaction fails; `refused` counts them. `is_full`: every commit does, and nothing is kept.

    `after_commit` is raised once, in place of the answer to the next commit, which is durable.
    """

    is_away = False
    is_full = False
    after_commit: BaseException | None = None
    refused = 0

    @contextmanager
    def reading(self) -> Iterator[Session]:
        self._refuse_if_away()
        with super().reading() as session:
            yield session

    @contextmanager
    def glancing(self, *, at_one_moment: bool = False) -> Iterator[Connection]:
        self._refuse_if_away()
        with super().glancing(at_one_moment=at_one_moment) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Session]:
        self._refuse_if_away()
        with super().writing() as session:
            yield session
            if self.is_full:
                raise lost_connection()
            error, self.after_commit = self.after_commit, None
            if error is not None:
                session.commit()
                raise error

    def _refuse_if_away(self) -> None:
        if self.is_away:
            self.refused += 1
            raise lost_connection()


def lost_connection() -> OperationalError:
    return OperationalError("BEGIN", None, Exception("the connection is lost"))
