"""Off-boarding: operators that leave, their manifests, and what is not taken of them any more."""

import sqlalchemy as sa
from alembic import op

import vms_privacy.db

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "operator",
        sa.Column(
            "leaving_since",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="its off-boarding has begun: nothing new is recorded, registered or given away",
        ),
    )
    op.add_column(
        "operator",
        sa.Column(
            "closed_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="nothing of it is left; its name is free",
        ),
    )
    op.create_table(
        "off_boarding",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=False, comment="in words"),
        sa.Column("proposed_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("approved_by", sa.String(length=80), nullable=False, comment="the second person: an id"),
        sa.Column("begun_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False, comment="the last step that is done; see rules.Step"),
        sa.Column("manifest_id", sa.Uuid(), nullable=True, comment="the manifest that was confirmed"),
        sa.Column(
            "manifest_digest", sa.String(length=64), nullable=False, comment="its SHA-256, by which two people named it"
        ),
        sa.Column("confirm_proposed_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("confirm_approved_by", sa.String(length=80), nullable=False, comment="the second person: an id"),
        sa.Column(
            "confirmed_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="from then on nothing is shown",
        ),
        sa.Column("taken_back_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.Column("taken_back_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column(
            "closed_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="nothing of the operator is left",
        ),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="rounds that failed at the present step"),
        sa.Column("last_failure", sa.String(length=80), nullable=False, comment="a code or a type, never a path"),
        sa.Column(
            "journal_number",
            sa.BigInteger(),
            nullable=True,
            comment="the custody journal's entry, of one that stands again after a restore",
        ),
        sa.CheckConstraint(
            "(confirmed_at IS NULL) = (confirm_proposed_by = '') AND (confirmed_at IS NULL) = (confirm_approved_by = '') AND (confirmed_at IS NULL OR confirm_proposed_by <> confirm_approved_by)",
            name=op.f("ck_off_boarding_two_people_confirm_it"),
        ),
        sa.CheckConstraint(
            "(taken_back_at IS NULL) = (taken_back_by = '') AND (taken_back_at IS NULL OR step = 1)",
            name=op.f("ck_off_boarding_taken_back_before_it_is_confirmed"),
        ),
        sa.CheckConstraint("(closed_at IS NULL) = (step < 8)", name=op.f("ck_off_boarding_closed_by_its_last_step")),
        sa.CheckConstraint(
            "(confirmed_at IS NULL) = (step = 1)", name=op.f("ck_off_boarding_confirmed_before_it_is_carried_out")
        ),
        sa.CheckConstraint("proposed_by <> approved_by", name=op.f("ck_off_boarding_two_people_begin_it")),
        sa.CheckConstraint("step BETWEEN 1 AND 8", name=op.f("ck_off_boarding_known_step")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_off_boarding")),
    )
    op.create_index(
        "ix_off_boarding_operator_id",
        "off_boarding",
        ["operator_id"],
        unique=True,
        sqlite_where=sa.text("taken_back_at IS NULL"),
        postgresql_where=sa.text("taken_back_at IS NULL"),
    )
    op.create_table(
        "off_boarding_manifest",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("off_boarding_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="1, 2, 3, … of the off-boarding; the highest counts"),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("asked_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("listed", sa.BigInteger(), nullable=False, comment="segments listed so far"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="rounds that failed"),
        sa.Column("last_failure", sa.String(length=80), nullable=False, comment="a code or a type, never a path"),
        sa.Column("signed_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False, comment="SHA-256 of what is signed"),
        sa.Column(
            "head", sa.LargeBinary(), nullable=True, comment="its first three lines: docs/formats/manifest-v1.md"
        ),
        sa.CheckConstraint(
            "(signed_at IS NULL) = (digest = '')", name=op.f("ck_off_boarding_manifest_signed_with_a_digest")
        ),
        sa.CheckConstraint(
            "(signed_at IS NULL) = (head IS NULL)", name=op.f("ck_off_boarding_manifest_signed_with_a_head")
        ),
        sa.ForeignKeyConstraint(
            ["off_boarding_id"], ["off_boarding.id"], name=op.f("fk_off_boarding_manifest_off_boarding_id_off_boarding")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_off_boarding_manifest")),
        sa.UniqueConstraint("off_boarding_id", "number", name=op.f("uq_off_boarding_manifest_off_boarding_id_number")),
    )
    op.create_table(
        "off_boarding_manifest_entry",
        sa.Column("manifest_id", sa.Uuid(), nullable=False),
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column("starts_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("ends_us", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False, comment="of the sealed file, as its row says"),
        sa.Column(
            "file_digest", sa.LargeBinary(length=32), nullable=True, comment="SHA-256 of the sealed file, all of it"
        ),
        sa.Column(
            "flaw", sa.String(length=40), nullable=False, comment="why its bytes could not be hashed; a stable code"
        ),
        sa.Column(
            "is_kept", sa.Boolean(), nullable=False, comment="a hold or a restriction covered it when it was listed"
        ),
        sa.CheckConstraint(
            "(file_digest IS NULL) = (flaw <> '')", name=op.f("ck_off_boarding_manifest_entry_hashed_or_told_why_not")
        ),
        sa.CheckConstraint("ends_us > starts_us", name=op.f("ck_off_boarding_manifest_entry_runs_forward")),
        sa.ForeignKeyConstraint(
            ["manifest_id"],
            ["off_boarding_manifest.id"],
            name=op.f("fk_off_boarding_manifest_entry_manifest_id_off_boarding_manifest"),
        ),
        sa.PrimaryKeyConstraint(
            "manifest_id", "camera_id", "starts_us", "segment_id", name=op.f("pk_off_boarding_manifest_entry")
        ),
    )

    guards = _GUARDS if op.get_bind().dialect.name == "sqlite" else _GUARDS_POSTGRESQL
    for statement in guards:
        op.execute(statement)


_GUARDS = (
    """DROP TRIGGER mandate_takes_two""",
    """CREATE TRIGGER mandate_takes_two BEFORE INSERT ON mandate WHEN NOT (NEW.proposed_by = 'worker:replay' AND NEW.journal_number IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND camera_id = NEW.camera_id AND act = 'erase-footage' AND decision = 'approved' AND proposed_by = NEW.proposed_by AND decided_by = NEW.approved_by) AND NOT (NEW.cause = 'off-boarding' AND EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND act = 'confirm-off-boarding' AND decision = 'approved' AND proposed_by = NEW.proposed_by AND decided_by = NEW.approved_by)) BEGIN SELECT RAISE(ABORT, 'two people alone have footage destroyed before its time'); END""",
    """CREATE TRIGGER operator_stays_closed BEFORE UPDATE ON operator WHEN (NEW.closed_at IS NOT NULL AND NEW.leaving_since IS NULL) OR (OLD.closed_at IS NOT NULL AND NEW.closed_at IS NOT OLD.closed_at) BEGIN SELECT RAISE(ABORT, 'an operator leaves before it is closed, and stays closed'); END""",
    """CREATE TRIGGER consent_entry_of_nobody_who_leaves BEFORE INSERT ON consent_entry WHEN NEW.answer = 'given' AND EXISTS (SELECT 1 FROM operator WHERE id = NEW.operator_id AND leaving_since IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'nothing is switched on for an operator that leaves'); END""",
    """CREATE TRIGGER resource_of_nobody_who_leaves BEFORE INSERT ON resource WHEN EXISTS (SELECT 1 FROM operator WHERE id = NEW.operator_id AND leaving_since IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'no camera comes to an operator that leaves'); END""",
    """CREATE TRIGGER access_grant_of_nobody_who_leaves BEFORE INSERT ON access_grant WHEN (',' || NEW.rights || ',' LIKE '%,archive,%' OR ',' || NEW.rights || ',' LIKE '%,disclose,%' OR ',' || NEW.rights || ',' LIKE '%,export,%' OR ',' || NEW.rights || ',' LIKE '%,live,%' OR ',' || NEW.rights || ',' LIKE '%,mask.lift,%') AND EXISTS (SELECT 1 FROM operator WHERE id = NEW.operator_id AND leaving_since IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'nobody is given footage of an operator that leaves'); END""",
    """CREATE TRIGGER off_boarding_no_delete BEFORE DELETE ON off_boarding BEGIN SELECT RAISE(ABORT, 'off-boardings are never deleted'); END""",
    """CREATE TRIGGER off_boarding_takes_two BEFORE INSERT ON off_boarding WHEN NOT (NEW.proposed_by = 'worker:replay' AND NEW.journal_number IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND act = 'begin-off-boarding' AND decision = 'approved' AND proposed_by = NEW.proposed_by AND decided_by = NEW.approved_by) BEGIN SELECT RAISE(ABORT, 'two people alone begin an off-boarding'); END""",
    """CREATE TRIGGER off_boarding_is_confirmed_by_two_on_insert BEFORE INSERT ON off_boarding WHEN NEW.confirmed_at IS NOT NULL AND NOT ((NEW.confirm_proposed_by = 'worker:replay' AND NEW.journal_number IS NOT NULL) OR EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND act = 'confirm-off-boarding' AND decision = 'approved' AND proposed_by = NEW.confirm_proposed_by AND decided_by = NEW.confirm_approved_by)) BEGIN SELECT RAISE(ABORT, 'two people alone confirm an off-boarding'); END""",
    """CREATE TRIGGER off_boarding_is_confirmed_by_two_on_update BEFORE UPDATE ON off_boarding WHEN NEW.confirmed_at IS NOT NULL AND NOT ((NEW.confirm_proposed_by = 'worker:replay' AND NEW.journal_number IS NOT NULL) OR EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND act = 'confirm-off-boarding' AND decision = 'approved' AND proposed_by = NEW.confirm_proposed_by AND decided_by = NEW.confirm_approved_by)) BEGIN SELECT RAISE(ABORT, 'two people alone confirm an off-boarding'); END""",
    """CREATE TRIGGER off_boarding_stays BEFORE UPDATE ON off_boarding WHEN OLD.closed_at IS NOT NULL OR OLD.taken_back_at IS NOT NULL OR NEW.step < OLD.step OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.reason <> OLD.reason OR NEW.proposed_by <> OLD.proposed_by OR NEW.approved_by <> OLD.approved_by OR NEW.begun_at <> OLD.begun_at OR (OLD.confirmed_at IS NOT NULL AND (NEW.confirmed_at IS NOT OLD.confirmed_at OR NEW.manifest_digest <> OLD.manifest_digest OR NEW.manifest_id IS NOT OLD.manifest_id OR NEW.confirm_proposed_by <> OLD.confirm_proposed_by OR NEW.confirm_approved_by <> OLD.confirm_approved_by)) BEGIN SELECT RAISE(ABORT, 'an off-boarding keeps what it says, and no step of it is taken back'); END""",
    """CREATE TRIGGER off_boarding_manifest_no_delete BEFORE DELETE ON off_boarding_manifest BEGIN SELECT RAISE(ABORT, 'manifests are never deleted'); END""",
    """CREATE TRIGGER off_boarding_manifest_stays BEFORE UPDATE ON off_boarding_manifest WHEN OLD.signed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.off_boarding_id <> OLD.off_boarding_id OR NEW.number <> OLD.number OR NEW.operator_id <> OLD.operator_id OR NEW.asked_by <> OLD.asked_by OR NEW.asked_at <> OLD.asked_at BEGIN SELECT RAISE(ABORT, 'what is signed stays as it is'); END""",
    """CREATE TRIGGER off_boarding_manifest_entry_is_written_before_it_is_signed BEFORE INSERT ON off_boarding_manifest_entry WHEN EXISTS (SELECT 1 FROM off_boarding_manifest WHERE id = NEW.manifest_id AND signed_at IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'nothing is added to what is signed'); END""",
    """CREATE TRIGGER off_boarding_manifest_entry_no_update BEFORE UPDATE ON off_boarding_manifest_entry BEGIN SELECT RAISE(ABORT, 'what a manifest lists stays as it was listed'); END""",
)

_GUARDS_POSTGRESQL = (
    """DROP TRIGGER mandate_takes_two ON mandate""",
    """DROP FUNCTION mandate_takes_two()""",
    """CREATE FUNCTION mandate_takes_two() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NOT (NEW.proposed_by = 'worker:replay' AND NEW.journal_number IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND camera_id = NEW.camera_id AND act = 'erase-footage' AND decision = 'approved' AND proposed_by = NEW.proposed_by AND decided_by = NEW.approved_by) AND NOT (NEW.cause = 'off-boarding' AND EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND act = 'confirm-off-boarding' AND decision = 'approved' AND proposed_by = NEW.proposed_by AND decided_by = NEW.approved_by)) THEN RAISE EXCEPTION 'two people alone have footage destroyed before its time' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER mandate_takes_two BEFORE INSERT ON mandate FOR EACH ROW EXECUTE FUNCTION mandate_takes_two()""",
    """CREATE FUNCTION operator_stays_closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (NEW.closed_at IS NOT NULL AND NEW.leaving_since IS NULL) OR (OLD.closed_at IS NOT NULL AND NEW.closed_at IS DISTINCT FROM OLD.closed_at) THEN RAISE EXCEPTION 'an operator leaves before it is closed, and stays closed' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER operator_stays_closed BEFORE UPDATE ON operator FOR EACH ROW EXECUTE FUNCTION operator_stays_closed()""",
    """CREATE FUNCTION consent_entry_of_nobody_who_leaves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.answer = 'given' AND EXISTS (SELECT 1 FROM operator WHERE id = NEW.operator_id AND leaving_since IS NOT NULL) THEN RAISE EXCEPTION 'nothing is switched on for an operator that leaves' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER consent_entry_of_nobody_who_leaves BEFORE INSERT ON consent_entry FOR EACH ROW EXECUTE FUNCTION consent_entry_of_nobody_who_leaves()""",
    """CREATE FUNCTION resource_of_nobody_who_leaves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM operator WHERE id = NEW.operator_id AND leaving_since IS NOT NULL) THEN RAISE EXCEPTION 'no camera comes to an operator that leaves' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER resource_of_nobody_who_leaves BEFORE INSERT ON resource FOR EACH ROW EXECUTE FUNCTION resource_of_nobody_who_leaves()""",
    """CREATE FUNCTION access_grant_of_nobody_who_leaves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (',' || NEW.rights || ',' LIKE '%,archive,%' OR ',' || NEW.rights || ',' LIKE '%,disclose,%' OR ',' || NEW.rights || ',' LIKE '%,export,%' OR ',' || NEW.rights || ',' LIKE '%,live,%' OR ',' || NEW.rights || ',' LIKE '%,mask.lift,%') AND EXISTS (SELECT 1 FROM operator WHERE id = NEW.operator_id AND leaving_since IS NOT NULL) THEN RAISE EXCEPTION 'nobody is given footage of an operator that leaves' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER access_grant_of_nobody_who_leaves BEFORE INSERT ON access_grant FOR EACH ROW EXECUTE FUNCTION access_grant_of_nobody_who_leaves()""",
    """CREATE FUNCTION off_boarding_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'off-boardings are never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER off_boarding_no_delete BEFORE DELETE ON off_boarding FOR EACH ROW EXECUTE FUNCTION off_boarding_no_delete()""",
    """CREATE FUNCTION off_boarding_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'off-boardings are never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER off_boarding_no_truncate BEFORE TRUNCATE ON off_boarding FOR EACH STATEMENT EXECUTE FUNCTION off_boarding_no_truncate()""",
    """CREATE FUNCTION off_boarding_takes_two() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NOT (NEW.proposed_by = 'worker:replay' AND NEW.journal_number IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND act = 'begin-off-boarding' AND decision = 'approved' AND proposed_by = NEW.proposed_by AND decided_by = NEW.approved_by) THEN RAISE EXCEPTION 'two people alone begin an off-boarding' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER off_boarding_takes_two BEFORE INSERT ON off_boarding FOR EACH ROW EXECUTE FUNCTION off_boarding_takes_two()""",
    """CREATE FUNCTION off_boarding_is_confirmed_by_two_on_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.confirmed_at IS NOT NULL AND NOT ((NEW.confirm_proposed_by = 'worker:replay' AND NEW.journal_number IS NOT NULL) OR EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND act = 'confirm-off-boarding' AND decision = 'approved' AND proposed_by = NEW.confirm_proposed_by AND decided_by = NEW.confirm_approved_by)) THEN RAISE EXCEPTION 'two people alone confirm an off-boarding' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER off_boarding_is_confirmed_by_two_on_insert BEFORE INSERT ON off_boarding FOR EACH ROW EXECUTE FUNCTION off_boarding_is_confirmed_by_two_on_insert()""",
    """CREATE FUNCTION off_boarding_is_confirmed_by_two_on_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.confirmed_at IS NOT NULL AND NOT ((NEW.confirm_proposed_by = 'worker:replay' AND NEW.journal_number IS NOT NULL) OR EXISTS (SELECT 1 FROM proposal WHERE operator_id = NEW.operator_id AND act = 'confirm-off-boarding' AND decision = 'approved' AND proposed_by = NEW.confirm_proposed_by AND decided_by = NEW.confirm_approved_by)) THEN RAISE EXCEPTION 'two people alone confirm an off-boarding' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER off_boarding_is_confirmed_by_two_on_update BEFORE UPDATE ON off_boarding FOR EACH ROW EXECUTE FUNCTION off_boarding_is_confirmed_by_two_on_update()""",
    """CREATE FUNCTION off_boarding_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.closed_at IS NOT NULL OR OLD.taken_back_at IS NOT NULL OR NEW.step < OLD.step OR NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.reason <> OLD.reason OR NEW.proposed_by <> OLD.proposed_by OR NEW.approved_by <> OLD.approved_by OR NEW.begun_at <> OLD.begun_at OR (OLD.confirmed_at IS NOT NULL AND (NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at OR NEW.manifest_digest <> OLD.manifest_digest OR NEW.manifest_id IS DISTINCT FROM OLD.manifest_id OR NEW.confirm_proposed_by <> OLD.confirm_proposed_by OR NEW.confirm_approved_by <> OLD.confirm_approved_by)) THEN RAISE EXCEPTION 'an off-boarding keeps what it says, and no step of it is taken back' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER off_boarding_stays BEFORE UPDATE ON off_boarding FOR EACH ROW EXECUTE FUNCTION off_boarding_stays()""",
    """CREATE FUNCTION off_boarding_manifest_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'manifests are never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER off_boarding_manifest_no_delete BEFORE DELETE ON off_boarding_manifest FOR EACH ROW EXECUTE FUNCTION off_boarding_manifest_no_delete()""",
    """CREATE FUNCTION off_boarding_manifest_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'manifests are never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER off_boarding_manifest_no_truncate BEFORE TRUNCATE ON off_boarding_manifest FOR EACH STATEMENT EXECUTE FUNCTION off_boarding_manifest_no_truncate()""",
    """CREATE FUNCTION off_boarding_manifest_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.signed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.off_boarding_id <> OLD.off_boarding_id OR NEW.number <> OLD.number OR NEW.operator_id <> OLD.operator_id OR NEW.asked_by <> OLD.asked_by OR NEW.asked_at <> OLD.asked_at THEN RAISE EXCEPTION 'what is signed stays as it is' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER off_boarding_manifest_stays BEFORE UPDATE ON off_boarding_manifest FOR EACH ROW EXECUTE FUNCTION off_boarding_manifest_stays()""",
    """CREATE FUNCTION off_boarding_manifest_entry_is_written_before_it_is_signed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM off_boarding_manifest WHERE id = NEW.manifest_id AND signed_at IS NOT NULL) THEN RAISE EXCEPTION 'nothing is added to what is signed' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER off_boarding_manifest_entry_is_written_before_it_is_signed BEFORE INSERT ON off_boarding_manifest_entry FOR EACH ROW EXECUTE FUNCTION off_boarding_manifest_entry_is_written_before_it_is_signed()""",
    """CREATE FUNCTION off_boarding_manifest_entry_no_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'what a manifest lists stays as it was listed' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER off_boarding_manifest_entry_no_update BEFORE UPDATE ON off_boarding_manifest_entry FOR EACH ROW EXECUTE FUNCTION off_boarding_manifest_entry_no_update()""",
)
