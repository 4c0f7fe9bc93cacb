"""Custody: restores and what they could not settle; mandates that stand again by the journal."""

import sqlalchemy as sa
from alembic import op

import vms_privacy.db

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "mandate",
        sa.Column(
            "journal_number",
            sa.BigInteger(),
            nullable=True,
            comment="the custody journal's entry, of one that stands again after a restore",
        ),
    )
    op.create_table(
        "custody_restore",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("backup_id", sa.Uuid(), nullable=True, comment="the copy; none: it was put back by other tools"),
        sa.Column(
            "copied_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True, comment="when the copy was made"
        ),
        sa.Column("copied_number", sa.BigInteger(), nullable=True, comment="the journal's last entry at that time"),
        sa.Column("begun_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column(
            "replayed_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="when the whole journal was replayed",
        ),
        sa.Column("replayed_number", sa.BigInteger(), nullable=True, comment="the journal's last entry at that time"),
        sa.Column(
            "released_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="from then on it is like any other",
        ),
        sa.Column("release_reason", sa.String(length=64), nullable=True, comment="small words joined by hyphens"),
        sa.CheckConstraint(
            "(released_at IS NULL) = (release_reason IS NULL)", name=op.f("ck_custody_restore_released_for_a_reason")
        ),
        sa.CheckConstraint(
            "released_at IS NULL OR replayed_at IS NOT NULL", name=op.f("ck_custody_restore_replayed_before_released")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custody_restore")),
    )
    op.create_table(
        "custody_unsettled",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("restore_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.String(length=48), nullable=False, comment="a stable code"),
        sa.Column("subject", sa.String(length=80), nullable=False, comment="an id, or a place"),
        sa.ForeignKeyConstraint(
            ["restore_id"], ["custody_restore.id"], name=op.f("fk_custody_unsettled_restore_id_custody_restore")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custody_unsettled")),
        sa.UniqueConstraint("restore_id", "code", "subject", name=op.f("uq_custody_unsettled_restore_id_code_subject")),
    )
    guards = _GUARDS if op.get_bind().dialect.name == "sqlite" else _GUARDS_POSTGRESQL
    for statement in guards:
        op.execute(statement)


_GUARDS = (
    """DROP TRIGGER mandate_takes_two""",
    """DROP TRIGGER mandate_stays""",
    """CREATE TRIGGER mandate_takes_two BEFORE INSERT ON mandate WHEN NOT (NEW.proposed_by = 'worker:replay' AND NEW.journal_number IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND camera_id = NEW.camera_id AND act = 'erase-footage' AND decision = 'approved' AND proposed_by = NEW.proposed_by AND decided_by = NEW.approved_by) BEGIN SELECT RAISE(ABORT, 'two people alone have footage destroyed before its time'); END""",
    """CREATE TRIGGER mandate_stays BEFORE UPDATE ON mandate WHEN OLD.done_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us OR NEW.cause <> OLD.cause OR NEW.reference <> OLD.reference OR NEW.reason <> OLD.reason OR NEW.proposed_by <> OLD.proposed_by OR NEW.approved_by <> OLD.approved_by OR NEW.placed_at <> OLD.placed_at OR NEW.journal_number IS NOT OLD.journal_number BEGIN SELECT RAISE(ABORT, 'a mandate keeps what it says, and once done stays done'); END""",
    """CREATE TRIGGER custody_restore_no_delete BEFORE DELETE ON custody_restore BEGIN SELECT RAISE(ABORT, 'that a database was put back stays written'); END""",
    """CREATE TRIGGER custody_restore_stays BEFORE UPDATE ON custody_restore WHEN OLD.released_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.backup_id IS NOT OLD.backup_id OR NEW.copied_at IS NOT OLD.copied_at OR NEW.copied_number IS NOT OLD.copied_number OR NEW.begun_at <> OLD.begun_at BEGIN SELECT RAISE(ABORT, 'a restore keeps what it says, and once released stays released'); END""",
    """CREATE TRIGGER custody_unsettled_no_delete BEFORE DELETE ON custody_unsettled BEGIN SELECT RAISE(ABORT, 'what was not settled stays written'); END""",
    """CREATE TRIGGER custody_unsettled_no_update BEFORE UPDATE ON custody_unsettled BEGIN SELECT RAISE(ABORT, 'what was not settled stays written'); END""",
)

_GUARDS_POSTGRESQL = (
    """DROP TRIGGER mandate_takes_two ON mandate""",
    """DROP FUNCTION mandate_takes_two()""",
    """DROP TRIGGER mandate_stays ON mandate""",
    """DROP FUNCTION mandate_stays()""",
    """CREATE FUNCTION mandate_takes_two() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NOT (NEW.proposed_by = 'worker:replay' AND NEW.journal_number IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND camera_id = NEW.camera_id AND act = 'erase-footage' AND decision = 'approved' AND proposed_by = NEW.proposed_by AND decided_by = NEW.approved_by) THEN RAISE EXCEPTION 'two people alone have footage destroyed before its time' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER mandate_takes_two BEFORE INSERT ON mandate FOR EACH ROW EXECUTE FUNCTION mandate_takes_two()""",
    """CREATE FUNCTION mandate_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.done_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us OR NEW.cause <> OLD.cause OR NEW.reference <> OLD.reference OR NEW.reason <> OLD.reason OR NEW.proposed_by <> OLD.proposed_by OR NEW.approved_by <> OLD.approved_by OR NEW.placed_at <> OLD.placed_at OR NEW.journal_number IS DISTINCT FROM OLD.journal_number THEN RAISE EXCEPTION 'a mandate keeps what it says, and once done stays done' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER mandate_stays BEFORE UPDATE ON mandate FOR EACH ROW EXECUTE FUNCTION mandate_stays()""",
    """CREATE FUNCTION custody_restore_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'that a database was put back stays written' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER custody_restore_no_delete BEFORE DELETE ON custody_restore FOR EACH ROW EXECUTE FUNCTION custody_restore_no_delete()""",
    """CREATE FUNCTION custody_restore_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'that a database was put back stays written' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER custody_restore_no_truncate BEFORE TRUNCATE ON custody_restore FOR EACH STATEMENT EXECUTE FUNCTION custody_restore_no_truncate()""",
    """CREATE FUNCTION custody_restore_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.released_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.backup_id IS DISTINCT FROM OLD.backup_id OR NEW.copied_at IS DISTINCT FROM OLD.copied_at OR NEW.copied_number IS DISTINCT FROM OLD.copied_number OR NEW.begun_at <> OLD.begun_at THEN RAISE EXCEPTION 'a restore keeps what it says, and once released stays released' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER custody_restore_stays BEFORE UPDATE ON custody_restore FOR EACH ROW EXECUTE FUNCTION custody_restore_stays()""",
    """CREATE FUNCTION custody_unsettled_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'what was not settled stays written' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER custody_unsettled_no_delete BEFORE DELETE ON custody_unsettled FOR EACH ROW EXECUTE FUNCTION custody_unsettled_no_delete()""",
    """CREATE FUNCTION custody_unsettled_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'what was not settled stays written' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER custody_unsettled_no_truncate BEFORE TRUNCATE ON custody_unsettled FOR EACH STATEMENT EXECUTE FUNCTION custody_unsettled_no_truncate()""",
    """CREATE FUNCTION custody_unsettled_no_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'what was not settled stays written' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER custody_unsettled_no_update BEFORE UPDATE ON custody_unsettled FOR EACH ROW EXECUTE FUNCTION custody_unsettled_no_update()""",
)
