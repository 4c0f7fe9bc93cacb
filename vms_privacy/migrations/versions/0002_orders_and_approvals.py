"""Holds, restrictions, acts that need two people, and sums of what is stored by day."""

import sqlalchemy as sa
from alembic import op

import vms_privacy.db

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "footage_day",
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column(
            "day",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="days since 1970, UTC, by the end of the last packet",
        ),
        sa.Column("keep_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("segments", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", "day", "keep_us", name=op.f("pk_footage_day")),
    )
    op.create_table(
        "footage_order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=11), nullable=False),
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False, comment="our clock; this moment is covered"),
        sa.Column(
            "until_us", sa.BigInteger(), nullable=False, comment="our clock, not covered; 2^60 for one without an end"
        ),
        sa.Column("case_ref", sa.String(length=80), nullable=False, comment="the operator's own reference"),
        sa.Column("ground", sa.String(length=24), nullable=False),
        sa.Column("authority", sa.String(length=200), nullable=False, comment="who asked for it"),
        sa.Column("reason", sa.String(length=2000), nullable=False, comment="in words"),
        sa.Column("placed_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("placed_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column(
            "review_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=False,
            comment="when somebody has to look at it again",
        ),
        sa.Column("lifted_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.String(length=80), nullable=True, comment="who proposed its end: an id"),
        sa.Column("lift_approved_by", sa.String(length=80), nullable=True, comment="the second person: an id"),
        sa.CheckConstraint("kind IN ('hold', 'restriction')", name=op.f("ck_footage_order_known_kind")),
        sa.CheckConstraint(
            "trim(case_ref) <> '' AND trim(authority) <> '' AND trim(reason) <> ''",
            name=op.f("ck_footage_order_is_told"),
        ),
        sa.CheckConstraint(
            "(lifted_at IS NULL) = (lifted_by IS NULL) AND (lifted_at IS NULL) = (lift_approved_by IS NULL)",
            name=op.f("ck_footage_order_lifted_by_somebody"),
        ),
        sa.CheckConstraint(
            "lifted_at IS NULL OR lifted_by <> lift_approved_by", name=op.f("ck_footage_order_lifted_by_two_people")
        ),
        sa.CheckConstraint("until_us > from_us", name=op.f("ck_footage_order_runs_forward")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_footage_order")),
    )
    op.create_index("ix_footage_order_camera_id_lifted_at", "footage_order", ["camera_id", "lifted_at"], unique=False)
    op.create_index(
        "ix_footage_order_in_force",
        "footage_order",
        ["camera_id", "from_us"],
        unique=False,
        sqlite_where=sa.text("lifted_at IS NULL"),
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
    op.create_index(
        "ix_footage_order_operator_id_placed_at", "footage_order", ["operator_id", "placed_at"], unique=False
    )
    op.create_table(
        "proposal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column(
            "camera_id", sa.Uuid(), nullable=True, comment="what both must hold the right over; empty: all of it"
        ),
        sa.Column("act", sa.String(length=32), nullable=False),
        sa.Column("needs", sa.String(length=16), nullable=False, comment="the right that both must hold"),
        sa.Column("facts", sa.Text(), nullable=False, comment="JSON: ids, counts, moments; exactly what would be done"),
        sa.Column("reason", sa.String(length=2000), nullable=False, comment="the proposer's words"),
        sa.Column("proposed_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("proposed_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=True, comment="approved, refused or taken-back"),
        sa.Column("decided_by", sa.String(length=80), nullable=True, comment="a principal's label, an id"),
        sa.Column("decided_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "decision IS NULL OR decision <> 'approved' OR decided_by <> proposed_by",
            name=op.f("ck_proposal_two_people"),
        ),
        sa.CheckConstraint(
            "decision IS NULL OR decision IN ('approved', 'refused', 'taken-back')",
            name=op.f("ck_proposal_known_decision"),
        ),
        sa.CheckConstraint(
            "(decision IS NULL) = (decided_by IS NULL) AND (decision IS NULL) = (decided_at IS NULL)",
            name=op.f("ck_proposal_decided_by_somebody"),
        ),
        sa.CheckConstraint("expires_at > proposed_at", name=op.f("ck_proposal_runs_forward")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
    )
    op.create_index("ix_proposal_operator_id_proposed_at", "proposal", ["operator_id", "proposed_at"], unique=False)
    op.create_index(
        "ix_proposal_waiting",
        "proposal",
        ["operator_id", "proposed_at"],
        unique=False,
        sqlite_where=sa.text("decision IS NULL"),
        postgresql_where=sa.text("decision IS NULL"),
    )
    op.create_table(
        "footage_order_person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("added_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("added_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("removed_by", sa.String(length=80), nullable=True, comment="a principal's label, an id"),
        sa.Column("removed_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(removed_at IS NULL) = (removed_by IS NULL)", name=op.f("ck_footage_order_person_removed_by_somebody")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["footage_order.id"], name=op.f("fk_footage_order_person_order_id_footage_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_footage_order_person")),
    )
    op.create_index("ix_footage_order_person_order_id", "footage_order_person", ["order_id"], unique=False)
    op.execute(_SUMS)
    guards = _GUARDS if op.get_bind().dialect.name == "sqlite" else _GUARDS_POSTGRESQL
    for statement in guards:
        op.execute(statement)


# What is stored already is counted once; from then on each change counts itself.
_SUMS = """INSERT INTO footage_day (camera_id, day, keep_us, segments, size_bytes, recorded_us)
SELECT camera_id, (destroy_from_us - keep_us) / 86400000000, keep_us, count(*), sum(size_bytes), sum(ends_us - starts_us)
FROM segment WHERE state = 'stored' GROUP BY camera_id, (destroy_from_us - keep_us) / 86400000000, keep_us"""

_GUARDS = (
    """CREATE TRIGGER footage_order_no_delete BEFORE DELETE ON footage_order BEGIN SELECT RAISE(ABORT, 'orders are lifted, never deleted'); END""",
    """CREATE TRIGGER footage_order_stays BEFORE UPDATE ON footage_order WHEN OLD.lifted_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.kind <> OLD.kind OR NEW.camera_id <> OLD.camera_id OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us OR NEW.case_ref <> OLD.case_ref OR NEW.ground <> OLD.ground OR NEW.authority <> OLD.authority OR NEW.reason <> OLD.reason OR NEW.placed_by <> OLD.placed_by OR NEW.placed_at <> OLD.placed_at BEGIN SELECT RAISE(ABORT, 'an order keeps what it says, and once lifted stays lifted'); END""",
    """CREATE TRIGGER footage_order_is_lifted_by_approval BEFORE UPDATE ON footage_order WHEN NEW.lifted_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM proposal WHERE camera_id = NEW.camera_id AND act IN ('lift-hold', 'lift-restriction') AND decision = 'approved' AND proposed_by = NEW.lifted_by AND decided_by = NEW.lift_approved_by) BEGIN SELECT RAISE(ABORT, 'an order is lifted by two people alone'); END""",
    """CREATE TRIGGER proposal_no_delete BEFORE DELETE ON proposal BEGIN SELECT RAISE(ABORT, 'proposals are never deleted'); END""",
    """CREATE TRIGGER proposal_is_decided_once BEFORE UPDATE ON proposal WHEN OLD.decision IS NOT NULL OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id IS NOT OLD.camera_id OR NEW.act <> OLD.act OR NEW.needs <> OLD.needs OR NEW.facts <> OLD.facts OR NEW.reason <> OLD.reason OR NEW.proposed_by <> OLD.proposed_by OR NEW.proposed_at <> OLD.proposed_at OR NEW.expires_at <> OLD.expires_at BEGIN SELECT RAISE(ABORT, 'a proposal keeps what it says, and is decided once'); END""",
    """CREATE TRIGGER footage_order_person_no_delete BEFORE DELETE ON footage_order_person BEGIN SELECT RAISE(ABORT, 'people are taken off, never deleted'); END""",
    """CREATE TRIGGER footage_order_person_stays BEFORE UPDATE ON footage_order_person WHEN OLD.removed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.order_id <> OLD.order_id OR NEW.person_id <> OLD.person_id OR NEW.added_by <> OLD.added_by OR NEW.added_at <> OLD.added_at BEGIN SELECT RAISE(ABORT, 'who was of a case, and from when, stays written'); END""",
    """CREATE TRIGGER segment_is_kept_by_orders BEFORE UPDATE OF state ON segment WHEN NEW.state IN ('erasing', 'erased') AND OLD.state NOT IN ('erasing', 'erased') AND EXISTS (SELECT 1 FROM footage_order WHERE camera_id = OLD.camera_id AND lifted_at IS NULL AND until_us > OLD.starts_us - CASE OLD.tracks WHEN 'video' THEN 0 ELSE 10000000 END AND from_us < coalesce(OLD.destroy_from_us - OLD.keep_us, 9223372036854775807)) BEGIN SELECT RAISE(ABORT, 'a hold or a restriction keeps this segment'); END""",
    """CREATE TRIGGER segment_keeps_its_last_packet BEFORE UPDATE OF destroy_from_us, keep_us ON segment WHEN OLD.destroy_from_us IS NOT NULL AND (NEW.destroy_from_us IS NULL OR NEW.destroy_from_us - NEW.keep_us < OLD.destroy_from_us - OLD.keep_us) BEGIN SELECT RAISE(ABORT, 'a closed segment keeps its last packet'); END""",
    """CREATE TRIGGER segment_no_delete BEFORE DELETE ON segment WHEN OLD.state <> 'writing' BEGIN SELECT RAISE(ABORT, 'what was recorded stays written'); END""",
)

_GUARDS_POSTGRESQL = (
    """CREATE FUNCTION footage_order_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'orders are lifted, never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER footage_order_no_delete BEFORE DELETE ON footage_order FOR EACH ROW EXECUTE FUNCTION footage_order_no_delete()""",
    """CREATE FUNCTION footage_order_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'orders are lifted, never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER footage_order_no_truncate BEFORE TRUNCATE ON footage_order FOR EACH STATEMENT EXECUTE FUNCTION footage_order_no_truncate()""",
    """CREATE FUNCTION footage_order_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.lifted_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.kind <> OLD.kind OR NEW.camera_id <> OLD.camera_id OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us OR NEW.case_ref <> OLD.case_ref OR NEW.ground <> OLD.ground OR NEW.authority <> OLD.authority OR NEW.reason <> OLD.reason OR NEW.placed_by <> OLD.placed_by OR NEW.placed_at <> OLD.placed_at THEN RAISE EXCEPTION 'an order keeps what it says, and once lifted stays lifted' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER footage_order_stays BEFORE UPDATE ON footage_order FOR EACH ROW EXECUTE FUNCTION footage_order_stays()""",
    """CREATE FUNCTION footage_order_is_lifted_by_approval() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.lifted_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM proposal WHERE camera_id = NEW.camera_id AND act IN ('lift-hold', 'lift-restriction') AND decision = 'approved' AND proposed_by = NEW.lifted_by AND decided_by = NEW.lift_approved_by) THEN RAISE EXCEPTION 'an order is lifted by two people alone' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER footage_order_is_lifted_by_approval BEFORE UPDATE ON footage_order FOR EACH ROW EXECUTE FUNCTION footage_order_is_lifted_by_approval()""",
    """CREATE FUNCTION proposal_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'proposals are never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER proposal_no_delete BEFORE DELETE ON proposal FOR EACH ROW EXECUTE FUNCTION proposal_no_delete()""",
    """CREATE FUNCTION proposal_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'proposals are never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER proposal_no_truncate BEFORE TRUNCATE ON proposal FOR EACH STATEMENT EXECUTE FUNCTION proposal_no_truncate()""",
    """CREATE FUNCTION proposal_is_decided_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.decision IS NOT NULL OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id IS DISTINCT FROM OLD.camera_id OR NEW.act <> OLD.act OR NEW.needs <> OLD.needs OR NEW.facts <> OLD.facts OR NEW.reason <> OLD.reason OR NEW.proposed_by <> OLD.proposed_by OR NEW.proposed_at <> OLD.proposed_at OR NEW.expires_at <> OLD.expires_at THEN RAISE EXCEPTION 'a proposal keeps what it says, and is decided once' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER proposal_is_decided_once BEFORE UPDATE ON proposal FOR EACH ROW EXECUTE FUNCTION proposal_is_decided_once()""",
    """CREATE FUNCTION footage_order_person_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'people are taken off, never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER footage_order_person_no_delete BEFORE DELETE ON footage_order_person FOR EACH ROW EXECUTE FUNCTION footage_order_person_no_delete()""",
    """CREATE FUNCTION footage_order_person_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'people are taken off, never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER footage_order_person_no_truncate BEFORE TRUNCATE ON footage_order_person FOR EACH STATEMENT EXECUTE FUNCTION footage_order_person_no_truncate()""",
    """CREATE FUNCTION footage_order_person_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.removed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.order_id <> OLD.order_id OR NEW.person_id <> OLD.person_id OR NEW.added_by <> OLD.added_by OR NEW.added_at <> OLD.added_at THEN RAISE EXCEPTION 'who was of a case, and from when, stays written' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER footage_order_person_stays BEFORE UPDATE ON footage_order_person FOR EACH ROW EXECUTE FUNCTION footage_order_person_stays()""",
    """CREATE FUNCTION segment_is_kept_by_orders() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.state IN ('erasing', 'erased') AND OLD.state NOT IN ('erasing', 'erased') AND EXISTS (SELECT 1 FROM footage_order WHERE camera_id = OLD.camera_id AND lifted_at IS NULL AND until_us > OLD.starts_us - CASE OLD.tracks WHEN 'video' THEN 0 ELSE 10000000 END AND from_us < coalesce(OLD.destroy_from_us - OLD.keep_us, 9223372036854775807)) THEN RAISE EXCEPTION 'a hold or a restriction keeps this segment' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_is_kept_by_orders BEFORE UPDATE OF state ON segment FOR EACH ROW EXECUTE FUNCTION segment_is_kept_by_orders()""",
    """CREATE FUNCTION segment_keeps_its_last_packet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.destroy_from_us IS NOT NULL AND (NEW.destroy_from_us IS NULL OR NEW.destroy_from_us - NEW.keep_us < OLD.destroy_from_us - OLD.keep_us) THEN RAISE EXCEPTION 'a closed segment keeps its last packet' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_keeps_its_last_packet BEFORE UPDATE OF destroy_from_us, keep_us ON segment FOR EACH ROW EXECUTE FUNCTION segment_keeps_its_last_packet()""",
    """CREATE FUNCTION segment_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.state <> 'writing' THEN RAISE EXCEPTION 'what was recorded stays written' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN OLD; END $$""",
    """CREATE TRIGGER segment_no_delete BEFORE DELETE ON segment FOR EACH ROW EXECUTE FUNCTION segment_no_delete()""",
    """CREATE FUNCTION segment_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'what was recorded stays written' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER segment_no_truncate BEFORE TRUNCATE ON segment FOR EACH STATEMENT EXECUTE FUNCTION segment_no_truncate()""",
)
