"""Mandates, and segments that are destroyed in part."""

import sqlalchemy as sa
from alembic import op

import vms_privacy.db

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mandate",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False, comment="our clock; this moment is destroyed"),
        sa.Column("until_us", sa.BigInteger(), nullable=False, comment="our clock; not destroyed"),
        sa.Column("cause", sa.String(length=16), nullable=False),
        sa.Column(
            "reference",
            sa.String(length=80),
            nullable=False,
            comment="the request's id, or the operator's own word for it",
        ),
        sa.Column("reason", sa.String(length=2000), nullable=False, comment="in words"),
        sa.Column("proposed_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("approved_by", sa.String(length=80), nullable=False, comment="the second person: an id"),
        sa.Column("placed_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column(
            "done_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True, comment="when nothing of it was left"
        ),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="failed rounds so far"),
        sa.Column("last_failure", sa.String(length=80), nullable=False, comment="a code or a type, never a path"),
        sa.Column("next_attempt_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("cause IN ('request', 'withdrawal', 'off-boarding')", name=op.f("ck_mandate_known_cause")),
        sa.CheckConstraint("until_us > from_us", name=op.f("ck_mandate_runs_forward")),
        sa.CheckConstraint("trim(reference) <> '' AND trim(reason) <> ''", name=op.f("ck_mandate_is_told")),
        sa.CheckConstraint("proposed_by <> approved_by", name=op.f("ck_mandate_two_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mandate")),
    )
    op.create_index(
        "ix_mandate_standing",
        "mandate",
        ["camera_id", "from_us"],
        unique=False,
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )
    op.create_index("ix_mandate_operator_id_placed_at", "mandate", ["operator_id", "placed_at"], unique=False)
    op.create_table(
        "kept_part",
        sa.Column("blob_name", sa.String(length=22), nullable=False, comment="opaque, used once, ever"),
        sa.Column("worker_id", sa.Uuid(), nullable=False, comment="who makes it, in whose spool"),
        sa.Column("segment_id", sa.Uuid(), nullable=False, comment="of which it is a part"),
        sa.Column("begun_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("blob_name", name=op.f("pk_kept_part")),
    )
    op.create_index(op.f("ix_kept_part_worker_id"), "kept_part", ["worker_id"], unique=False)
    op.add_column(
        "segment",
        sa.Column(
            "resealed_from", sa.Uuid(), nullable=True, comment="the destroyed segment of which this part was kept"
        ),
    )
    op.add_column(
        "erasure",
        sa.Column("mandate_id", sa.Uuid(), nullable=True, comment="the mandate it carries out; none: expiry"),
    )
    op.add_column(
        "erasure",
        sa.Column(
            "due_us", sa.BigInteger(), nullable=True, comment="our clock, of a mandate's; else each segment's own"
        ),
    )
    op.add_column(
        "erasure",
        sa.Column(
            "verified",
            sa.Integer(),
            nullable=False,
            server_default=sa.text("0"),
            comment="segments of a sample that were shown to be gone; -1: one opened",
        ),
    )
    op.create_index(op.f("ix_erasure_mandate_id"), "erasure", ["mandate_id"], unique=False)
    # What the database itself refuses.
    guards = _GUARDS if op.get_bind().dialect.name == "sqlite" else _GUARDS_POSTGRESQL
    for statement in guards:
        op.execute(statement)


_GUARDS = (
    """DROP TRIGGER segment_needs_opt_in""",
    """DROP TRIGGER segment_never_overlaps""",
    """DROP TRIGGER segment_keeps_its_owner""",
    """CREATE TRIGGER mandate_no_delete BEFORE DELETE ON mandate BEGIN SELECT RAISE(ABORT, 'mandates are never deleted'); END""",
    """CREATE TRIGGER mandate_takes_two BEFORE INSERT ON mandate WHEN NOT EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND camera_id = NEW.camera_id AND act = 'erase-footage' AND decision = 'approved' AND proposed_by = NEW.proposed_by AND decided_by = NEW.approved_by) BEGIN SELECT RAISE(ABORT, 'two people alone have footage destroyed before its time'); END""",
    """CREATE TRIGGER mandate_stays BEFORE UPDATE ON mandate WHEN OLD.done_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us OR NEW.cause <> OLD.cause OR NEW.reference <> OLD.reference OR NEW.reason <> OLD.reason OR NEW.proposed_by <> OLD.proposed_by OR NEW.approved_by <> OLD.approved_by OR NEW.placed_at <> OLD.placed_at BEGIN SELECT RAISE(ABORT, 'a mandate keeps what it says, and once done stays done'); END""",
    """CREATE TRIGGER segment_needs_opt_in BEFORE INSERT ON segment WHEN ((SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us)) IS NULL OR NEW.consent_entry_id IS NOT (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us))) AND NOT (EXISTS (SELECT 1 FROM segment_ahead WHERE id = NEW.id AND camera_id = NEW.camera_id AND consent_entry_id = NEW.consent_entry_id AND blob_name = NEW.blob_name AND registered_us <= NEW.starts_us) OR EXISTS (SELECT 1 FROM segment WHERE id = NEW.resealed_from AND state = 'erasing' AND camera_id = NEW.camera_id AND operator_id = NEW.operator_id AND consent_entry_id = NEW.consent_entry_id AND keep_us = NEW.keep_us AND tracks = NEW.tracks AND run = NEW.run AND epoch = NEW.epoch AND blob_name <> NEW.blob_name AND salt <> NEW.salt AND (NEW.ends_us = starts_us OR NEW.starts_us = ends_us) AND NEW.destroy_from_us <= destroy_from_us)) BEGIN SELECT RAISE(ABORT, 'no active opt-in'); END""",
    """CREATE TRIGGER segment_kept_part_has_its_origin BEFORE INSERT ON segment WHEN NEW.resealed_from IS NOT NULL AND NOT EXISTS (SELECT 1 FROM segment WHERE id = NEW.resealed_from AND state = 'erasing' AND camera_id = NEW.camera_id AND operator_id = NEW.operator_id AND consent_entry_id = NEW.consent_entry_id AND keep_us = NEW.keep_us AND tracks = NEW.tracks AND run = NEW.run AND epoch = NEW.epoch AND blob_name <> NEW.blob_name AND salt <> NEW.salt AND (NEW.ends_us = starts_us OR NEW.starts_us = ends_us) AND NEW.destroy_from_us <= destroy_from_us) BEGIN SELECT RAISE(ABORT, 'a kept part lies beside what is destroyed of its segment'); END""",
    """CREATE TRIGGER segment_never_overlaps BEFORE INSERT ON segment WHEN EXISTS (SELECT 1 FROM segment WHERE camera_id = NEW.camera_id AND ends_us > NEW.starts_us AND (NEW.ends_us IS NULL OR starts_us < NEW.ends_us)) OR EXISTS (SELECT 1 FROM segment WHERE camera_id = NEW.camera_id AND ends_us IS NULL AND (NEW.resealed_from IS NULL OR starts_us < NEW.ends_us)) BEGIN SELECT RAISE(ABORT, 'segment overlaps another'); END""",
    """CREATE TRIGGER segment_keeps_its_owner BEFORE UPDATE OF operator_id, camera_id, starts_us, blob_name, resealed_from ON segment WHEN NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.blob_name <> OLD.blob_name OR NEW.resealed_from IS NOT OLD.resealed_from OR (NEW.starts_us <> OLD.starts_us AND (OLD.state <> 'erasing' OR OLD.key_destroyed_at IS NOT NULL OR NEW.starts_us < OLD.starts_us OR NEW.starts_us >= OLD.ends_us)) BEGIN SELECT RAISE(ABORT, 'a segment keeps its owner, camera, start and name'); END""",
)

_GUARDS_POSTGRESQL = (
    """DROP TRIGGER segment_needs_opt_in ON segment""",
    """DROP FUNCTION segment_needs_opt_in()""",
    """DROP TRIGGER segment_never_overlaps ON segment""",
    """DROP FUNCTION segment_never_overlaps()""",
    """DROP TRIGGER segment_keeps_its_owner ON segment""",
    """DROP FUNCTION segment_keeps_its_owner()""",
    """CREATE FUNCTION mandate_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'mandates are never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER mandate_no_delete BEFORE DELETE ON mandate FOR EACH ROW EXECUTE FUNCTION mandate_no_delete()""",
    """CREATE FUNCTION mandate_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'mandates are never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER mandate_no_truncate BEFORE TRUNCATE ON mandate FOR EACH STATEMENT EXECUTE FUNCTION mandate_no_truncate()""",
    """CREATE FUNCTION mandate_takes_two() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NOT EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND camera_id = NEW.camera_id AND act = 'erase-footage' AND decision = 'approved' AND proposed_by = NEW.proposed_by AND decided_by = NEW.approved_by) THEN RAISE EXCEPTION 'two people alone have footage destroyed before its time' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER mandate_takes_two BEFORE INSERT ON mandate FOR EACH ROW EXECUTE FUNCTION mandate_takes_two()""",
    """CREATE FUNCTION mandate_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.done_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us OR NEW.cause <> OLD.cause OR NEW.reference <> OLD.reference OR NEW.reason <> OLD.reason OR NEW.proposed_by <> OLD.proposed_by OR NEW.approved_by <> OLD.approved_by OR NEW.placed_at <> OLD.placed_at THEN RAISE EXCEPTION 'a mandate keeps what it says, and once done stays done' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER mandate_stays BEFORE UPDATE ON mandate FOR EACH ROW EXECUTE FUNCTION mandate_stays()""",
    """CREATE FUNCTION segment_needs_opt_in() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF ((SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us) FOR SHARE) IS NULL OR NEW.consent_entry_id IS DISTINCT FROM (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us) FOR SHARE)) AND NOT (EXISTS (SELECT 1 FROM segment_ahead WHERE id = NEW.id AND camera_id = NEW.camera_id AND consent_entry_id = NEW.consent_entry_id AND blob_name = NEW.blob_name AND registered_us <= NEW.starts_us) OR EXISTS (SELECT 1 FROM segment WHERE id = NEW.resealed_from AND state = 'erasing' AND camera_id = NEW.camera_id AND operator_id = NEW.operator_id AND consent_entry_id = NEW.consent_entry_id AND keep_us = NEW.keep_us AND tracks = NEW.tracks AND run = NEW.run AND epoch = NEW.epoch AND blob_name <> NEW.blob_name AND salt <> NEW.salt AND (NEW.ends_us = starts_us OR NEW.starts_us = ends_us) AND NEW.destroy_from_us <= destroy_from_us)) THEN RAISE EXCEPTION 'no active opt-in' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_needs_opt_in BEFORE INSERT ON segment FOR EACH ROW EXECUTE FUNCTION segment_needs_opt_in()""",
    """CREATE FUNCTION segment_kept_part_has_its_origin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.resealed_from IS NOT NULL AND NOT EXISTS (SELECT 1 FROM segment WHERE id = NEW.resealed_from AND state = 'erasing' AND camera_id = NEW.camera_id AND operator_id = NEW.operator_id AND consent_entry_id = NEW.consent_entry_id AND keep_us = NEW.keep_us AND tracks = NEW.tracks AND run = NEW.run AND epoch = NEW.epoch AND blob_name <> NEW.blob_name AND salt <> NEW.salt AND (NEW.ends_us = starts_us OR NEW.starts_us = ends_us) AND NEW.destroy_from_us <= destroy_from_us) THEN RAISE EXCEPTION 'a kept part lies beside what is destroyed of its segment' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_kept_part_has_its_origin BEFORE INSERT ON segment FOR EACH ROW EXECUTE FUNCTION segment_kept_part_has_its_origin()""",
    """CREATE FUNCTION segment_never_overlaps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM segment WHERE camera_id = NEW.camera_id AND ends_us > NEW.starts_us AND (NEW.ends_us IS NULL OR starts_us < NEW.ends_us)) OR EXISTS (SELECT 1 FROM segment WHERE camera_id = NEW.camera_id AND ends_us IS NULL AND (NEW.resealed_from IS NULL OR starts_us < NEW.ends_us)) THEN RAISE EXCEPTION 'segment overlaps another' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_never_overlaps BEFORE INSERT ON segment FOR EACH ROW EXECUTE FUNCTION segment_never_overlaps()""",
    """CREATE FUNCTION segment_keeps_its_owner() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.blob_name <> OLD.blob_name OR NEW.resealed_from IS DISTINCT FROM OLD.resealed_from OR (NEW.starts_us <> OLD.starts_us AND (OLD.state <> 'erasing' OR OLD.key_destroyed_at IS NOT NULL OR NEW.starts_us < OLD.starts_us OR NEW.starts_us >= OLD.ends_us)) THEN RAISE EXCEPTION 'a segment keeps its owner, camera, start and name' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_keeps_its_owner BEFORE UPDATE OF operator_id, camera_id, starts_us, blob_name, resealed_from ON segment FOR EACH ROW EXECUTE FUNCTION segment_keeps_its_owner()""",
)
