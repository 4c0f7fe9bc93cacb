"""Requests about footage: their clocks, what they ask for, what became of it."""

import sqlalchemy as sa
from alembic import op

import vms_privacy.db

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subject_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=11), nullable=False),
        sa.Column("channel", sa.String(length=7), nullable=False),
        sa.Column(
            "received_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=False,
            comment="when it truly arrived; the clock runs from it",
        ),
        sa.Column("entered_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("entered_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column(
            "promised_by",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=False,
            comment="the first due date; it never moves",
        ),
        sa.Column(
            "answer_by",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=False,
            comment="until when the law wants an answer",
        ),
        sa.Column("identity", sa.String(length=10), nullable=False),
        sa.Column("doubt", sa.String(length=20), nullable=False, comment="why who asks was in doubt; a code"),
        sa.Column(
            "asked_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="when they were first asked who they are",
        ),
        sa.Column(
            "settled_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True, comment="when that was settled"
        ),
        sa.Column(
            "more_months", sa.Integer(), nullable=False, comment="by how many months it was extended; 0: it was not"
        ),
        sa.Column("longer_because", sa.String(length=13), nullable=False, comment="a code"),
        sa.Column(
            "told_longer_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="when whoever asked was told so",
        ),
        sa.Column(
            "sealed_contact",
            sa.LargeBinary(),
            nullable=True,
            comment="who asks, under the keyring's request-contact key, bound to the id",
        ),
        sa.Column(
            "sealed_words",
            sa.LargeBinary(),
            nullable=True,
            comment="what they are told in words, sealed as the contact",
        ),
        sa.Column("refused_whole", sa.String(length=24), nullable=False, comment="why nothing of it is done; a code"),
        sa.Column("complaint_to", sa.String(length=300), nullable=False, comment="the authority to complain to"),
        sa.Column("outcome", sa.String(length=14), nullable=True),
        sa.Column(
            "answered_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="when whoever asked had the answer",
        ),
        sa.Column("closed_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column(
            "forgotten_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="when contact and words were taken out",
        ),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (outcome IS NULL) AND (closed_at IS NULL) = (answered_at IS NULL) AND (closed_at IS NULL) = (closed_by = '')",
            name=op.f("ck_subject_request_closed_with_outcome_and_answer"),
        ),
        sa.CheckConstraint(
            "(more_months = 0) = (longer_because = '') AND (more_months = 0) = (told_longer_at IS NULL)",
            name=op.f("ck_subject_request_extended_with_reason"),
        ),
        sa.CheckConstraint(
            "channel IN ('account', 'mail', 'letter', 'counter')", name=op.f("ck_subject_request_known_channel")
        ),
        sa.CheckConstraint(
            "identity IN ('not-needed', 'asked-for', 'confirmed', 'failed')",
            name=op.f("ck_subject_request_known_identity"),
        ),
        sa.CheckConstraint(
            "kind IN ('erasure', 'restriction', 'access', 'objection', 'withdrawal')",
            name=op.f("ck_subject_request_known_kind"),
        ),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('granted', 'partly-granted', 'refused', 'nothing-there', 'taken-back')",
            name=op.f("ck_subject_request_known_outcome"),
        ),
        sa.CheckConstraint(
            "answered_at IS NULL OR (answered_at >= received_at AND answered_at <= closed_at)",
            name=op.f("ck_subject_request_answered_after_receipt"),
        ),
        sa.CheckConstraint(
            "forgotten_at IS NULL OR (closed_at IS NOT NULL AND sealed_contact IS NULL AND sealed_words IS NULL)",
            name=op.f("ck_subject_request_forgotten_means_gone"),
        ),
        sa.CheckConstraint("more_months BETWEEN 0 AND 2", name=op.f("ck_subject_request_extended_in_bounds")),
        sa.CheckConstraint(
            "promised_by > received_at AND answer_by >= promised_by", name=op.f("ck_subject_request_has_a_clock")
        ),
        sa.CheckConstraint(
            "received_at <= entered_at", name=op.f("ck_subject_request_is_received_before_it_is_entered")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_request")),
        info={
            "refused": {"DELETE", "TRUNCATE"},
            "guards": {
                "sqlite": {
                    "subject_request_no_delete": (
                        "CREATE TRIGGER subject_request_no_delete BEFORE DELETE ON subject_request BEGIN SELECT RAISE(ABORT, 'requests are closed, never deleted'); END",
                    ),
                    "subject_request_stays": (
                        "CREATE TRIGGER subject_request_stays BEFORE UPDATE ON subject_request WHEN NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.kind <> OLD.kind OR NEW.channel <> OLD.channel OR NEW.received_at <> OLD.received_at OR NEW.entered_by <> OLD.entered_by OR NEW.entered_at <> OLD.entered_at OR NEW.promised_by <> OLD.promised_by BEGIN SELECT RAISE(ABORT, 'a request keeps what it says of its receipt'); END",
                    ),
                    "subject_request_stays_closed": (
                        "CREATE TRIGGER subject_request_stays_closed BEFORE UPDATE ON subject_request WHEN OLD.closed_at IS NOT NULL AND (NEW.closed_at IS NULL OR NEW.closed_at <> OLD.closed_at OR NEW.outcome <> OLD.outcome OR NEW.answered_at <> OLD.answered_at OR NEW.closed_by <> OLD.closed_by OR NEW.answer_by <> OLD.answer_by OR NEW.identity <> OLD.identity OR NEW.more_months <> OLD.more_months OR NEW.refused_whole <> OLD.refused_whole OR NEW.complaint_to <> OLD.complaint_to OR NEW.sealed_contact IS NOT NULL OR NEW.sealed_words IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'a closed request stays as it was closed'); END",
                    ),
                    "subject_request_is_closed_decided": (
                        "CREATE TRIGGER subject_request_is_closed_decided BEFORE UPDATE ON subject_request WHEN OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND NEW.outcome <> 'taken-back' AND (EXISTS (SELECT 1 FROM subject_request_item WHERE request_id = NEW.id AND answer IS NULL) OR (NEW.refused_whole = '' AND NOT EXISTS (SELECT 1 FROM subject_request_item WHERE request_id = NEW.id))) BEGIN SELECT RAISE(ABORT, 'a request is closed once all of it is decided'); END",
                    ),
                },
                "postgresql": {
                    "subject_request_no_delete": (
                        "CREATE FUNCTION subject_request_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'requests are closed, never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$",
                        "CREATE TRIGGER subject_request_no_delete BEFORE DELETE ON subject_request FOR EACH ROW EXECUTE FUNCTION subject_request_no_delete()",
                    ),
                    "subject_request_no_truncate": (
                        "CREATE FUNCTION subject_request_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'requests are closed, never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$",
                        "CREATE TRIGGER subject_request_no_truncate BEFORE TRUNCATE ON subject_request FOR EACH STATEMENT EXECUTE FUNCTION subject_request_no_truncate()",
                    ),
                    "subject_request_stays": (
                        "CREATE FUNCTION subject_request_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.kind <> OLD.kind OR NEW.channel <> OLD.channel OR NEW.received_at <> OLD.received_at OR NEW.entered_by <> OLD.entered_by OR NEW.entered_at <> OLD.entered_at OR NEW.promised_by <> OLD.promised_by THEN RAISE EXCEPTION 'a request keeps what it says of its receipt' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$",
                        "CREATE TRIGGER subject_request_stays BEFORE UPDATE ON subject_request FOR EACH ROW EXECUTE FUNCTION subject_request_stays()",
                    ),
                    "subject_request_stays_closed": (
                        "CREATE FUNCTION subject_request_stays_closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.closed_at IS NOT NULL AND (NEW.closed_at IS NULL OR NEW.closed_at <> OLD.closed_at OR NEW.outcome <> OLD.outcome OR NEW.answered_at <> OLD.answered_at OR NEW.closed_by <> OLD.closed_by OR NEW.answer_by <> OLD.answer_by OR NEW.identity <> OLD.identity OR NEW.more_months <> OLD.more_months OR NEW.refused_whole <> OLD.refused_whole OR NEW.complaint_to <> OLD.complaint_to OR NEW.sealed_contact IS NOT NULL OR NEW.sealed_words IS NOT NULL) THEN RAISE EXCEPTION 'a closed request stays as it was closed' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$",
                        "CREATE TRIGGER subject_request_stays_closed BEFORE UPDATE ON subject_request FOR EACH ROW EXECUTE FUNCTION subject_request_stays_closed()",
                    ),
                    "subject_request_is_closed_decided": (
                        "CREATE FUNCTION subject_request_is_closed_decided() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND NEW.outcome <> 'taken-back' AND (EXISTS (SELECT 1 FROM subject_request_item WHERE request_id = NEW.id AND answer IS NULL) OR (NEW.refused_whole = '' AND NOT EXISTS (SELECT 1 FROM subject_request_item WHERE request_id = NEW.id))) THEN RAISE EXCEPTION 'a request is closed once all of it is decided' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$",
                        "CREATE TRIGGER subject_request_is_closed_decided BEFORE UPDATE ON subject_request FOR EACH ROW EXECUTE FUNCTION subject_request_is_closed_decided()",
                    ),
                },
            },
        },
    )
    op.create_index("ix_subject_request_closed_at", "subject_request", ["closed_at"], unique=False)
    op.create_index(
        "ix_subject_request_open",
        "subject_request",
        ["operator_id", "answer_by"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_subject_request_operator_id_received_at", "subject_request", ["operator_id", "received_at"], unique=False
    )
    op.create_table(
        "subject_request_item",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="1, 2, 3, … of its request"),
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False, comment="our clock; this moment is asked about"),
        sa.Column("until_us", sa.BigInteger(), nullable=False, comment="our clock; not asked about"),
        sa.Column("answer", sa.String(length=13), nullable=True),
        sa.Column("reason", sa.String(length=24), nullable=False, comment="of a refusal; a code"),
        sa.Column("decided_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("decided_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.Column("proposal_id", sa.Uuid(), nullable=True, comment="the act of two people that erases it"),
        sa.Column("order_id", sa.Uuid(), nullable=True, comment="the restriction that closes it"),
        sa.CheckConstraint(
            "(answer IS NOT NULL AND answer = 'refuse') = (reason <> '')",
            name=op.f("ck_subject_request_item_refused_with_reason"),
        ),
        sa.CheckConstraint(
            "(answer IS NULL) = (decided_by = '') AND (answer IS NULL) = (decided_at IS NULL)",
            name=op.f("ck_subject_request_item_decided_by_somebody"),
        ),
        sa.CheckConstraint(
            "answer IS NULL OR answer IN ('erase', 'restrict', 'give-copy', 'offer-viewing', 'nothing-there', 'refuse')",
            name=op.f("ck_subject_request_item_known_answer"),
        ),
        sa.CheckConstraint(
            "order_id IS NULL OR answer = 'restrict'", name=op.f("ck_subject_request_item_ordered_to_restrict")
        ),
        sa.CheckConstraint(
            "proposal_id IS NULL OR answer = 'erase'", name=op.f("ck_subject_request_item_proposed_to_erase")
        ),
        sa.CheckConstraint("until_us > from_us", name=op.f("ck_subject_request_item_runs_forward")),
        sa.ForeignKeyConstraint(
            ["request_id"], ["subject_request.id"], name=op.f("fk_subject_request_item_request_id_subject_request")
        ),
        sa.PrimaryKeyConstraint("request_id", "number", name=op.f("pk_subject_request_item")),
        info={
            "refused": {"TRUNCATE"},
            "guards": {
                "postgresql": {
                    "subject_request_item_no_truncate": (
                        "CREATE FUNCTION subject_request_item_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'what was asked for stays written' USING ERRCODE = 'integrity_constraint_violation'; END $$",
                        "CREATE TRIGGER subject_request_item_no_truncate BEFORE TRUNCATE ON subject_request_item FOR EACH STATEMENT EXECUTE FUNCTION subject_request_item_no_truncate()",
                    ),
                    "subject_request_item_stays_closed_on_insert": (
                        "CREATE FUNCTION subject_request_item_stays_closed_on_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM subject_request WHERE id = NEW.request_id AND closed_at IS NOT NULL) THEN RAISE EXCEPTION 'a closed request stays as it was closed' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$",
                        "CREATE TRIGGER subject_request_item_stays_closed_on_insert BEFORE INSERT ON subject_request_item FOR EACH ROW EXECUTE FUNCTION subject_request_item_stays_closed_on_insert()",
                    ),
                    "subject_request_item_stays_closed_on_update": (
                        "CREATE FUNCTION subject_request_item_stays_closed_on_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM subject_request WHERE id = OLD.request_id AND closed_at IS NOT NULL) THEN RAISE EXCEPTION 'a closed request stays as it was closed' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$",
                        "CREATE TRIGGER subject_request_item_stays_closed_on_update BEFORE UPDATE ON subject_request_item FOR EACH ROW EXECUTE FUNCTION subject_request_item_stays_closed_on_update()",
                    ),
                    "subject_request_item_stays_closed_on_delete": (
                        "CREATE FUNCTION subject_request_item_stays_closed_on_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM subject_request WHERE id = OLD.request_id AND closed_at IS NOT NULL) THEN RAISE EXCEPTION 'a closed request stays as it was closed' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN OLD; END $$",
                        "CREATE TRIGGER subject_request_item_stays_closed_on_delete BEFORE DELETE ON subject_request_item FOR EACH ROW EXECUTE FUNCTION subject_request_item_stays_closed_on_delete()",
                    ),
                    "subject_request_item_stays": (
                        "CREATE FUNCTION subject_request_item_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.request_id <> OLD.request_id OR NEW.number <> OLD.number OR NEW.camera_id <> OLD.camera_id OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us THEN RAISE EXCEPTION 'an item keeps what it is about' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$",
                        "CREATE TRIGGER subject_request_item_stays BEFORE UPDATE ON subject_request_item FOR EACH ROW EXECUTE FUNCTION subject_request_item_stays()",
                    ),
                    "subject_request_item_no_delete_decided": (
                        "CREATE FUNCTION subject_request_item_no_delete_decided() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.answer IS NOT NULL THEN RAISE EXCEPTION 'what was decided stays written' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN OLD; END $$",
                        "CREATE TRIGGER subject_request_item_no_delete_decided BEFORE DELETE ON subject_request_item FOR EACH ROW EXECUTE FUNCTION subject_request_item_no_delete_decided()",
                    ),
                },
                "sqlite": {
                    "subject_request_item_stays_closed_on_insert": (
                        "CREATE TRIGGER subject_request_item_stays_closed_on_insert BEFORE INSERT ON subject_request_item WHEN EXISTS (SELECT 1 FROM subject_request WHERE id = NEW.request_id AND closed_at IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'a closed request stays as it was closed'); END",
                    ),
                    "subject_request_item_stays_closed_on_update": (
                        "CREATE TRIGGER subject_request_item_stays_closed_on_update BEFORE UPDATE ON subject_request_item WHEN EXISTS (SELECT 1 FROM subject_request WHERE id = OLD.request_id AND closed_at IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'a closed request stays as it was closed'); END",
                    ),
                    "subject_request_item_stays_closed_on_delete": (
                        "CREATE TRIGGER subject_request_item_stays_closed_on_delete BEFORE DELETE ON subject_request_item WHEN EXISTS (SELECT 1 FROM subject_request WHERE id = OLD.request_id AND closed_at IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'a closed request stays as it was closed'); END",
                    ),
                    "subject_request_item_stays": (
                        "CREATE TRIGGER subject_request_item_stays BEFORE UPDATE ON subject_request_item WHEN NEW.request_id <> OLD.request_id OR NEW.number <> OLD.number OR NEW.camera_id <> OLD.camera_id OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us BEGIN SELECT RAISE(ABORT, 'an item keeps what it is about'); END",
                    ),
                    "subject_request_item_no_delete_decided": (
                        "CREATE TRIGGER subject_request_item_no_delete_decided BEFORE DELETE ON subject_request_item WHEN OLD.answer IS NOT NULL BEGIN SELECT RAISE(ABORT, 'what was decided stays written'); END",
                    ),
                },
            },
        },
    )
    op.create_index("ix_subject_request_item_camera_id", "subject_request_item", ["camera_id"], unique=False)
    op.create_table(
        "subject_request_reminder",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column(
            "answer_by", vms_privacy.db.UTCDateTime(timezone=True), nullable=False, comment="the date as it stood then"
        ),
        sa.Column("days", sa.Integer(), autoincrement=False, nullable=False, comment="before that date; 0: on it"),
        sa.Column("noted_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"], ["subject_request.id"], name=op.f("fk_subject_request_reminder_request_id_subject_request")
        ),
        sa.PrimaryKeyConstraint("request_id", "answer_by", "days", name=op.f("pk_subject_request_reminder")),
        info={
            "refused": {"DELETE", "TRUNCATE"},
            "guards": {
                "sqlite": {
                    "subject_request_reminder_no_delete": (
                        "CREATE TRIGGER subject_request_reminder_no_delete BEFORE DELETE ON subject_request_reminder BEGIN SELECT RAISE(ABORT, 'reminders stay noted'); END",
                    )
                },
                "postgresql": {
                    "subject_request_reminder_no_delete": (
                        "CREATE FUNCTION subject_request_reminder_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'reminders stay noted' USING ERRCODE = 'integrity_constraint_violation'; END $$",
                        "CREATE TRIGGER subject_request_reminder_no_delete BEFORE DELETE ON subject_request_reminder FOR EACH ROW EXECUTE FUNCTION subject_request_reminder_no_delete()",
                    ),
                    "subject_request_reminder_no_truncate": (
                        "CREATE FUNCTION subject_request_reminder_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'reminders stay noted' USING ERRCODE = 'integrity_constraint_violation'; END $$",
                        "CREATE TRIGGER subject_request_reminder_no_truncate BEFORE TRUNCATE ON subject_request_reminder FOR EACH STATEMENT EXECUTE FUNCTION subject_request_reminder_no_truncate()",
                    ),
                },
            },
        },
    )

    guards = _GUARDS if op.get_bind().dialect.name == "sqlite" else _GUARDS_POSTGRESQL
    for statement in guards:
        op.execute(statement)


_GUARDS = (
    """CREATE TRIGGER subject_request_no_delete BEFORE DELETE ON subject_request BEGIN SELECT RAISE(ABORT, 'requests are closed, never deleted'); END""",
    """CREATE TRIGGER subject_request_stays BEFORE UPDATE ON subject_request WHEN NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.kind <> OLD.kind OR NEW.channel <> OLD.channel OR NEW.received_at <> OLD.received_at OR NEW.entered_by <> OLD.entered_by OR NEW.entered_at <> OLD.entered_at OR NEW.promised_by <> OLD.promised_by BEGIN SELECT RAISE(ABORT, 'a request keeps what it says of its receipt'); END""",
    """CREATE TRIGGER subject_request_stays_closed BEFORE UPDATE ON subject_request WHEN OLD.closed_at IS NOT NULL AND (NEW.closed_at IS NULL OR NEW.closed_at <> OLD.closed_at OR NEW.outcome <> OLD.outcome OR NEW.answered_at <> OLD.answered_at OR NEW.closed_by <> OLD.closed_by OR NEW.answer_by <> OLD.answer_by OR NEW.identity <> OLD.identity OR NEW.more_months <> OLD.more_months OR NEW.refused_whole <> OLD.refused_whole OR NEW.complaint_to <> OLD.complaint_to OR NEW.sealed_contact IS NOT NULL OR NEW.sealed_words IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'a closed request stays as it was closed'); END""",
    """CREATE TRIGGER subject_request_is_closed_decided BEFORE UPDATE ON subject_request WHEN OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND NEW.outcome <> 'taken-back' AND (EXISTS (SELECT 1 FROM subject_request_item WHERE request_id = NEW.id AND answer IS NULL) OR (NEW.refused_whole = '' AND NOT EXISTS (SELECT 1 FROM subject_request_item WHERE request_id = NEW.id))) BEGIN SELECT RAISE(ABORT, 'a request is closed once all of it is decided'); END""",
    """CREATE TRIGGER subject_request_item_stays_closed_on_insert BEFORE INSERT ON subject_request_item WHEN EXISTS (SELECT 1 FROM subject_request WHERE id = NEW.request_id AND closed_at IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'a closed request stays as it was closed'); END""",
    """CREATE TRIGGER subject_request_item_stays_closed_on_update BEFORE UPDATE ON subject_request_item WHEN EXISTS (SELECT 1 FROM subject_request WHERE id = OLD.request_id AND closed_at IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'a closed request stays as it was closed'); END""",
    """CREATE TRIGGER subject_request_item_stays_closed_on_delete BEFORE DELETE ON subject_request_item WHEN EXISTS (SELECT 1 FROM subject_request WHERE id = OLD.request_id AND closed_at IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'a closed request stays as it was closed'); END""",
    """CREATE TRIGGER subject_request_item_stays BEFORE UPDATE ON subject_request_item WHEN NEW.request_id <> OLD.request_id OR NEW.number <> OLD.number OR NEW.camera_id <> OLD.camera_id OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us BEGIN SELECT RAISE(ABORT, 'an item keeps what it is about'); END""",
    """CREATE TRIGGER subject_request_item_no_delete_decided BEFORE DELETE ON subject_request_item WHEN OLD.answer IS NOT NULL BEGIN SELECT RAISE(ABORT, 'what was decided stays written'); END""",
    """CREATE TRIGGER subject_request_reminder_no_delete BEFORE DELETE ON subject_request_reminder BEGIN SELECT RAISE(ABORT, 'reminders stay noted'); END""",
)

_GUARDS_POSTGRESQL = (
    """CREATE FUNCTION subject_request_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'requests are closed, never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER subject_request_no_delete BEFORE DELETE ON subject_request FOR EACH ROW EXECUTE FUNCTION subject_request_no_delete()""",
    """CREATE FUNCTION subject_request_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'requests are closed, never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER subject_request_no_truncate BEFORE TRUNCATE ON subject_request FOR EACH STATEMENT EXECUTE FUNCTION subject_request_no_truncate()""",
    """CREATE FUNCTION subject_request_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.kind <> OLD.kind OR NEW.channel <> OLD.channel OR NEW.received_at <> OLD.received_at OR NEW.entered_by <> OLD.entered_by OR NEW.entered_at <> OLD.entered_at OR NEW.promised_by <> OLD.promised_by THEN RAISE EXCEPTION 'a request keeps what it says of its receipt' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER subject_request_stays BEFORE UPDATE ON subject_request FOR EACH ROW EXECUTE FUNCTION subject_request_stays()""",
    """CREATE FUNCTION subject_request_stays_closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.closed_at IS NOT NULL AND (NEW.closed_at IS NULL OR NEW.closed_at <> OLD.closed_at OR NEW.outcome <> OLD.outcome OR NEW.answered_at <> OLD.answered_at OR NEW.closed_by <> OLD.closed_by OR NEW.answer_by <> OLD.answer_by OR NEW.identity <> OLD.identity OR NEW.more_months <> OLD.more_months OR NEW.refused_whole <> OLD.refused_whole OR NEW.complaint_to <> OLD.complaint_to OR NEW.sealed_contact IS NOT NULL OR NEW.sealed_words IS NOT NULL) THEN RAISE EXCEPTION 'a closed request stays as it was closed' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER subject_request_stays_closed BEFORE UPDATE ON subject_request FOR EACH ROW EXECUTE FUNCTION subject_request_stays_closed()""",
    """CREATE FUNCTION subject_request_is_closed_decided() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND NEW.outcome <> 'taken-back' AND (EXISTS (SELECT 1 FROM subject_request_item WHERE request_id = NEW.id AND answer IS NULL) OR (NEW.refused_whole = '' AND NOT EXISTS (SELECT 1 FROM subject_request_item WHERE request_id = NEW.id))) THEN RAISE EXCEPTION 'a request is closed once all of it is decided' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER subject_request_is_closed_decided BEFORE UPDATE ON subject_request FOR EACH ROW EXECUTE FUNCTION subject_request_is_closed_decided()""",
    """CREATE FUNCTION subject_request_item_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'what was asked for stays written' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER subject_request_item_no_truncate BEFORE TRUNCATE ON subject_request_item FOR EACH STATEMENT EXECUTE FUNCTION subject_request_item_no_truncate()""",
    """CREATE FUNCTION subject_request_item_stays_closed_on_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM subject_request WHERE id = NEW.request_id AND closed_at IS NOT NULL) THEN RAISE EXCEPTION 'a closed request stays as it was closed' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER subject_request_item_stays_closed_on_insert BEFORE INSERT ON subject_request_item FOR EACH ROW EXECUTE FUNCTION subject_request_item_stays_closed_on_insert()""",
    """CREATE FUNCTION subject_request_item_stays_closed_on_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM subject_request WHERE id = OLD.request_id AND closed_at IS NOT NULL) THEN RAISE EXCEPTION 'a closed request stays as it was closed' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER subject_request_item_stays_closed_on_update BEFORE UPDATE ON subject_request_item FOR EACH ROW EXECUTE FUNCTION subject_request_item_stays_closed_on_update()""",
    """CREATE FUNCTION subject_request_item_stays_closed_on_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM subject_request WHERE id = OLD.request_id AND closed_at IS NOT NULL) THEN RAISE EXCEPTION 'a closed request stays as it was closed' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN OLD; END $$""",
    """CREATE TRIGGER subject_request_item_stays_closed_on_delete BEFORE DELETE ON subject_request_item FOR EACH ROW EXECUTE FUNCTION subject_request_item_stays_closed_on_delete()""",
    """CREATE FUNCTION subject_request_item_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.request_id <> OLD.request_id OR NEW.number <> OLD.number OR NEW.camera_id <> OLD.camera_id OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us THEN RAISE EXCEPTION 'an item keeps what it is about' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER subject_request_item_stays BEFORE UPDATE ON subject_request_item FOR EACH ROW EXECUTE FUNCTION subject_request_item_stays()""",
    """CREATE FUNCTION subject_request_item_no_delete_decided() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF OLD.answer IS NOT NULL THEN RAISE EXCEPTION 'what was decided stays written' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN OLD; END $$""",
    """CREATE TRIGGER subject_request_item_no_delete_decided BEFORE DELETE ON subject_request_item FOR EACH ROW EXECUTE FUNCTION subject_request_item_no_delete_decided()""",
    """CREATE FUNCTION subject_request_reminder_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'reminders stay noted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER subject_request_reminder_no_delete BEFORE DELETE ON subject_request_reminder FOR EACH ROW EXECUTE FUNCTION subject_request_reminder_no_delete()""",
    """CREATE FUNCTION subject_request_reminder_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'reminders stay noted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER subject_request_reminder_no_truncate BEFORE TRUNCATE ON subject_request_reminder FOR EACH STATEMENT EXECUTE FUNCTION subject_request_reminder_no_truncate()""",
)
