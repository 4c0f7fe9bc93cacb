"""When each camera is recorded within its opt-in."""

import sqlalchemy as sa
from alembic import op

import vms_privacy.db

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recording_times",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="1, 2, 3, …; without any row it is recorded always"),
        sa.Column("zone", sa.String(length=64), nullable=False, comment="a name of the IANA time zone database"),
        sa.Column(
            "stretches",
            sa.String(length=1200),
            nullable=False,
            comment="such as mon+tue=08:00-18:00, by one blank; unreadable: no recording",
        ),
        sa.Column("set_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("set_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_recording_times_version_counts_from_one")),
        sa.CheckConstraint("zone <> '' AND stretches <> ''", name=op.f("ck_recording_times_says_something")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_times")),
        sa.UniqueConstraint("camera_id", "version", name=op.f("uq_recording_times_camera_id_version")),
    )
    guards = _GUARDS if op.get_bind().dialect.name == "sqlite" else _GUARDS_POSTGRESQL
    for statement in guards:
        op.execute(statement)


_GUARDS = (
    """CREATE TRIGGER recording_times_no_update BEFORE UPDATE ON recording_times BEGIN SELECT RAISE(ABORT, 'recording times are only ever added'); END""",
    """CREATE TRIGGER recording_times_no_delete BEFORE DELETE ON recording_times BEGIN SELECT RAISE(ABORT, 'recording times are only ever added'); END""",
)

_GUARDS_POSTGRESQL = (
    """CREATE FUNCTION recording_times_no_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'recording times are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER recording_times_no_update BEFORE UPDATE ON recording_times FOR EACH ROW EXECUTE FUNCTION recording_times_no_update()""",
    """CREATE FUNCTION recording_times_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'recording times are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER recording_times_no_delete BEFORE DELETE ON recording_times FOR EACH ROW EXECUTE FUNCTION recording_times_no_delete()""",
    """CREATE FUNCTION recording_times_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'recording times are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER recording_times_no_truncate BEFORE TRUNCATE ON recording_times FOR EACH STATEMENT EXECUTE FUNCTION recording_times_no_truncate()""",
)
