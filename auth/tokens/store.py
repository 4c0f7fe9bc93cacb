"""Queries over issued tokens. Issuing is the busiest write of the service, so its statement is made once."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from sqlalchemy import Dialect, Table, bindparam, delete, select, update
from sqlalchemy.orm import Session

from auth.tokens.tables import StreamTokenRow
from vms_privacy.audit.inserting import PlainInsert
from vms_privacy.db import Reading, changed, connection_of
from vms_privacy.ids import TokenId

_TABLE = cast("Table", StreamTokenRow.__table__)
_PAYLOAD = select(_TABLE.c.payload)
_BY_DIGEST = _PAYLOAD.where(_TABLE.c.handle_digest == bindparam("digest"))
_BY_ID = _PAYLOAD.where(_TABLE.c.id == bindparam("token_id"))


@dataclass(frozen=True, slots=True)
class KeptToken:
    """What is kept of an issued token: never the token itself, nor its handle."""

    token_id: TokenId
    handle_digest: bytes
    payload: str
    session_until: datetime


class TokenStore:
    """Reads and writes issued tokens. Every call takes a session."""

    def __init__(self, dialect: Dialect) -> None:
        self._insert = PlainInsert(_TABLE, dialect, without="withdrawn_at")

    def add(self, session: Session, token: KeptToken) -> None:
        """Write a new token."""
        until = int(token.session_until.timestamp())
        self._insert.into(session, [(token.token_id.hex, token.handle_digest, token.payload, until)])

    def by_digest(self, asked: Reading, digest: bytes) -> str | None:
        """Return the payload of a handle's token, withdrawn or not."""
        return cast("str | None", connection_of(asked).execute(_BY_DIGEST, {"digest": digest}).scalar_one_or_none())

    def by_id(self, session: Session, token_id: TokenId) -> str | None:
        """Return the payload of a token, withdrawn or not."""
        return cast("str | None", session.connection().execute(_BY_ID, {"token_id": token_id}).scalar_one_or_none())

    def withdraw(self, session: Session, token_id: TokenId, at: datetime) -> bool:
        """Mark a token as withdrawn; say whether it was not before."""
        wanted = update(StreamTokenRow).where(StreamTokenRow.id == token_id, StreamTokenRow.withdrawn_at.is_(None))
        return changed(session, wanted.values(withdrawn_at=at)) == 1

    def withdrawn(self, session: Session, now: datetime) -> dict[TokenId, datetime]:
        """Return the withdrawn tokens on which something could still rest, with the moment that ends."""
        wanted = select(StreamTokenRow.id, StreamTokenRow.session_until).where(
            StreamTokenRow.withdrawn_at.is_not(None), StreamTokenRow.session_until > now.timestamp()
        )
        return {TokenId(token_id): datetime.fromtimestamp(until, UTC) for token_id, until in session.execute(wanted)}

    def forget(self, session: Session, before: datetime) -> int:
        """Delete the tokens on which nothing can rest since `before`; the audit keeps that they were issued."""
        return changed(session, delete(StreamTokenRow).where(StreamTokenRow.session_until < before.timestamp()))
