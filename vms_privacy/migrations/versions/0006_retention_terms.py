"""What an operator sets for all its cameras: whose law, the default retention, the minimum."""

import sqlalchemy as sa
from alembic import op

import vms_privacy.db

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retention_terms",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column(
            "version", sa.Integer(), nullable=False, comment="1, 2, 3, …; without any row 72 h hold, under no profile"
        ),
        sa.Column("profile", sa.String(length=8), nullable=False, comment="general, fr, lu, kz or uk"),
        sa.Column(
            "keep_seconds", sa.BigInteger(), nullable=False, comment="where a camera has no retention of its own"
        ),
        sa.Column("at_least_seconds", sa.BigInteger(), nullable=False),
        sa.Column("justification", sa.String(length=2000), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("set_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "at_least_seconds >= 10 AND keep_seconds >= at_least_seconds",
            name=op.f("ck_retention_terms_kept_for_the_minimum"),
        ),
        sa.CheckConstraint(
            "keep_seconds <= 259200 OR length(justification) > 0", name=op.f("ck_retention_terms_longer_is_justified")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_terms")),
        sa.UniqueConstraint("operator_id", "version", name=op.f("uq_retention_terms_operator_id_version")),
    )
    guards = _GUARDS if op.get_bind().dialect.name == "sqlite" else _GUARDS_POSTGRESQL
    for statement in guards:
        op.execute(statement)


_GUARDS = (
    """CREATE TRIGGER retention_terms_no_update BEFORE UPDATE ON retention_terms BEGIN SELECT RAISE(ABORT, 'retention terms are only ever added'); END""",
    """CREATE TRIGGER retention_terms_no_delete BEFORE DELETE ON retention_terms BEGIN SELECT RAISE(ABORT, 'retention terms are only ever added'); END""",
)

_GUARDS_POSTGRESQL = (
    """CREATE FUNCTION retention_terms_no_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'retention terms are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER retention_terms_no_update BEFORE UPDATE ON retention_terms FOR EACH ROW EXECUTE FUNCTION retention_terms_no_update()""",
    """CREATE FUNCTION retention_terms_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'retention terms are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER retention_terms_no_delete BEFORE DELETE ON retention_terms FOR EACH ROW EXECUTE FUNCTION retention_terms_no_delete()""",
    """CREATE FUNCTION retention_terms_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'retention terms are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER retention_terms_no_truncate BEFORE TRUNCATE ON retention_terms FOR EACH STATEMENT EXECUTE FUNCTION retention_terms_no_truncate()""",
)
