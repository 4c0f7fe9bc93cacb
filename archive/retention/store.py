"""Queries over retention policies."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from archive.retention.rules import DEFAULT_POLICY, Policy, Version
from archive.retention.tables import RetentionPolicyRow
from vms_privacy.ids import CameraId


def current(session: Session, camera_id: CameraId) -> Policy:
    """Return the newest version of a camera's retention, or the default."""
    row = session.scalars(
        select(RetentionPolicyRow)
        .where(RetentionPolicyRow.camera_id == camera_id)
        .order_by(RetentionPolicyRow.version.desc())
        .limit(1)
    ).one_or_none()
    return DEFAULT_POLICY if row is None else _policy(row)


def history(session: Session, camera_id: CameraId) -> list[RetentionPolicyRow]:
    """Return every version of a camera's retention, newest first."""
    return list(
        session.scalars(
            select(RetentionPolicyRow)
            .where(RetentionPolicyRow.camera_id == camera_id)
            .order_by(RetentionPolicyRow.version.desc())
        )
    )


def versions(session: Session, camera_id: CameraId) -> list[Version]:
    """Return from when each version of a camera's retention was in force."""
    rows = session.execute(
        select(RetentionPolicyRow.set_at, RetentionPolicyRow.keep_seconds).where(
            RetentionPolicyRow.camera_id == camera_id
        )
    )
    return [Version(row.set_at, timedelta(seconds=row.keep_seconds)) for row in rows]


def _policy(row: RetentionPolicyRow) -> Policy:
    return Policy(row.version, timedelta(seconds=row.keep_seconds), row.justification)
