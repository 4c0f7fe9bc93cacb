"""Queries over retention policies."""

import uuid
from datetime import timedelta
from typing import Final

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from archive.retention.rules import DEFAULT_TERMS, Policy, Profile, Terms, Version
from archive.retention.tables import RetentionPolicyRow, RetentionTermsRow
from auth.resources.store import ResourceStore
from vms_privacy.ids import CameraId, OperatorId


def current(session: Session, camera_id: CameraId) -> Policy:
    """Return the newest version of a camera's retention, or the default."""
    row = session.scalars(
        select(RetentionPolicyRow)
        .where(RetentionPolicyRow.camera_id == camera_id)
        .order_by(RetentionPolicyRow.version.desc())
        .limit(1)
    ).one_or_none()
    if row is not None:
        return _policy(row)
    of_operator = terms_of_camera(session, camera_id)
    return Policy(-of_operator.version, of_operator.keep_for)


def terms_of_camera(session: Session, camera_id: CameraId) -> Terms:
    """Return what a camera's operator has set for all its cameras."""
    camera = ResourceStore().by_id(session, camera_id)
    return DEFAULT_TERMS if camera is None else terms(session, camera.operator_id)


def terms(session: Session, operator_id: OperatorId) -> Terms:
    """Return the newest version of an operator's terms, or what nobody had to set."""
    row = session.scalars(
        select(RetentionTermsRow)
        .where(RetentionTermsRow.operator_id == operator_id)
        .order_by(RetentionTermsRow.version.desc())
        .limit(1)
    ).one_or_none()
    return DEFAULT_TERMS if row is None else _terms(row)


def _terms(row: RetentionTermsRow) -> Terms:
    return Terms(
        row.version,
        Profile(row.profile),
        timedelta(seconds=row.keep_seconds),
        timedelta(seconds=row.at_least_seconds),
        row.justification,
    )


def terms_versions(session: Session, operator_id: OperatorId) -> list[Version]:
    """Return from when each version of an operator's default was in force."""
    rows = session.execute(
        select(RetentionTermsRow.set_at, RetentionTermsRow.keep_seconds).where(
            RetentionTermsRow.operator_id == operator_id
        )
    )
    return [Version(row.set_at, timedelta(seconds=row.keep_seconds)) for row in rows]


def terms_history(session: Session, operator_id: OperatorId) -> list[RetentionTermsRow]:
    """Return every version of an operator's terms, newest first."""
    return list(
        session.scalars(
            select(RetentionTermsRow)
            .where(RetentionTermsRow.operator_id == operator_id)
            .order_by(RetentionTermsRow.version.desc())
        )
    )


def all_terms(session: Session) -> dict[OperatorId, Terms]:
    """Return what holds for each operator that has set anything for all its cameras."""
    rows = session.scalars(select(RetentionTermsRow).order_by(RetentionTermsRow.version))
    return {OperatorId(row.operator_id): _terms(row) for row in rows}


def of_cameras(session: Session, operator_id: OperatorId) -> dict[CameraId, timedelta]:
    """Return the retention in force of those of an operator's cameras that have one of their own."""
    return _newest(session, select(*_VERSIONS).where(RetentionPolicyRow.operator_id == operator_id))


def of_all(session: Session) -> dict[CameraId, timedelta]:
    """Return the retention in force of every camera that has one of its own."""
    return _newest(session, select(*_VERSIONS))


_VERSIONS: Final = (RetentionPolicyRow.camera_id, func.max(RetentionPolicyRow.version).label("version"))


def _newest(session: Session, versions: Select[uuid.UUID, int]) -> dict[CameraId, timedelta]:
    newest = versions.group_by(RetentionPolicyRow.camera_id).subquery()
    rows = session.execute(
        select(RetentionPolicyRow.camera_id, RetentionPolicyRow.keep_seconds).join(
            newest,
            and_(newest.c.camera_id == RetentionPolicyRow.camera_id, newest.c.version == RetentionPolicyRow.version),
        )
    )
    return {CameraId(row.camera_id): timedelta(seconds=row.keep_seconds) for row in rows}


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
