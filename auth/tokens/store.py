"""Queries over issued tokens. Core statements, made once: issuing is the busiest write of the service."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from auth.principal import Right
from auth.tokens.payload import read_use, write_use
from auth.tokens.rules import Action, Claims, Purpose
from auth.tokens.tables import StreamTokenRow
from vms_privacy.db import changed
from vms_privacy.ids import CameraId, OperatorId, PersonId, TokenId

_TABLE = StreamTokenRow.__table__
_INSERT = insert(_TABLE).inline()  # type: ignore[arg-type]
_BY_DIGEST = select(_TABLE).where(_TABLE.c.handle_digest == bindparam("digest"))
_BY_ID = select(_TABLE).where(_TABLE.c.id == bindparam("token_id"))


class TokenStore:
    """Reads and writes issued tokens. Holds nothing itself; every call takes a session."""

    def add(self, session: Session, claims: Claims, digest: bytes) -> None:
        """Write a new token."""
        session.execute(
            _INSERT,
            {
                "id": claims.token_id,
                "handle_digest": digest,
                "person_id": claims.person_id,
                "operator_id": claims.operator_id,
                "camera_id": claims.camera_id,
                "actions": ",".join(sorted(claims.actions)),
                "purpose": str(claims.purpose),
                "not_before": claims.not_before,
                "expires_at": claims.expires_at,
                "session_until": claims.session_until,
                "grants": ",".join(f"{use.right}={write_use(use)}" for use in claims.grants),
                "window_from": claims.window_from,
                "window_until": claims.window_until,
                "depth_seconds": None if claims.depth is None else int(claims.depth.total_seconds()),
                "withdrawn_at": None,
            },
        )

    def by_digest(self, session: Session, digest: bytes) -> Claims | None:
        """Return what the token of a handle says, withdrawn or not."""
        row = session.execute(_BY_DIGEST, {"digest": digest}).one_or_none()
        return None if row is None else _claims(row)

    def by_id(self, session: Session, token_id: TokenId) -> Claims | None:
        """Return what a token says, withdrawn or not."""
        row = session.execute(_BY_ID, {"token_id": token_id}).one_or_none()
        return None if row is None else _claims(row)

    def withdraw(self, session: Session, token_id: TokenId, at: datetime) -> bool:
        """Mark a token as withdrawn; say whether it was not before."""
        wanted = update(StreamTokenRow).where(StreamTokenRow.id == token_id, StreamTokenRow.withdrawn_at.is_(None))
        return changed(session, wanted.values(withdrawn_at=at)) == 1

    def withdrawn(self, session: Session, now: datetime) -> dict[TokenId, datetime]:
        """Return the withdrawn tokens on which something could still rest, with the moment that ends."""
        wanted = select(StreamTokenRow.id, StreamTokenRow.session_until).where(
            StreamTokenRow.withdrawn_at.is_not(None), StreamTokenRow.session_until > now
        )
        return {TokenId(token_id): until for token_id, until in session.execute(wanted)}

    def forget(self, session: Session, before: datetime) -> int:
        """Delete the tokens on which nothing can rest since `before`; the audit keeps that they were issued."""
        return changed(session, delete(StreamTokenRow).where(StreamTokenRow.session_until < before))


def _claims(row: Any) -> Claims:
    uses = (text.split("=", 1) for text in row.grants.split(","))
    return Claims(
        token_id=TokenId(row.id),
        person_id=PersonId(row.person_id),
        operator_id=OperatorId(row.operator_id),
        camera_id=CameraId(row.camera_id),
        actions=frozenset(Action(name) for name in row.actions.split(",")),
        purpose=Purpose(row.purpose),
        not_before=row.not_before,
        expires_at=row.expires_at,
        session_until=row.session_until,
        grants=tuple(read_use(Right(right), use) for right, use in uses),
        window_from=row.window_from,
        window_until=row.window_until,
        depth=None if row.depth_seconds is None else timedelta(seconds=row.depth_seconds),
    )
