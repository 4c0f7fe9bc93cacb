"""Rows of requests. What one says of its receipt never changes, and none is closed without an outcome and an answer."""

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime
from vms_privacy.db_guards import refuse

_IS_OPEN: Final = "closed_at IS NULL"


class RequestRow(Base):
    """One request. Who asks is sealed, and forgotten some time after it was closed; nothing else here names anybody."""

    __tablename__ = "subject_request"
    __table_args__ = (
        CheckConstraint("kind IN ('erasure', 'restriction', 'access', 'objection', 'withdrawal')", name="known_kind"),
        CheckConstraint("channel IN ('account', 'mail', 'letter', 'counter')", name="known_channel"),
        CheckConstraint("identity IN ('not-needed', 'asked-for', 'confirmed', 'failed')", name="known_identity"),
        CheckConstraint("received_at <= entered_at", name="is_received_before_it_is_entered"),
        CheckConstraint("promised_by > received_at AND answer_by >= promised_by", name="has_a_clock"),
        CheckConstraint(
            "(more_months = 0) = (longer_because = '') AND (more_months = 0) = (told_longer_at IS NULL)",
            name="extended_with_reason",
        ),
        CheckConstraint("more_months BETWEEN 0 AND 2", name="extended_in_bounds"),
        CheckConstraint(
            "(closed_at IS NULL) = (outcome IS NULL) AND (closed_at IS NULL) = (answered_at IS NULL) "
            "AND (closed_at IS NULL) = (closed_by = '')",
            name="closed_with_outcome_and_answer",
        ),
        CheckConstraint(
            "outcome IS NULL OR outcome IN ('granted', 'partly-granted', 'refused', 'nothing-there', 'taken-back')",
            name="known_outcome",
        ),
        CheckConstraint(
            "answered_at IS NULL OR (answered_at >= received_at AND answered_at <= closed_at)",
            name="answered_after_receipt",
        ),
        CheckConstraint(
            "forgotten_at IS NULL OR (closed_at IS NOT NULL AND sealed_contact IS NULL AND sealed_words IS NULL)",
            name="forgotten_means_gone",
        ),
        Index(
            "ix_subject_request_open",
            "operator_id",
            "answer_by",
            sqlite_where=text(_IS_OPEN),
            postgresql_where=text(_IS_OPEN),
        ),
        Index("ix_subject_request_operator_id_received_at", "operator_id", "received_at"),
        Index("ix_subject_request_closed_at", "closed_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(String(11))
    channel: Mapped[str] = mapped_column(String(7))
    received_at: Mapped[datetime] = mapped_column(UTCDateTime, comment="when it truly arrived; the clock runs from it")
    entered_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    entered_at: Mapped[datetime] = mapped_column(UTCDateTime)
    promised_by: Mapped[datetime] = mapped_column(UTCDateTime, comment="the first due date; it never moves")
    answer_by: Mapped[datetime] = mapped_column(UTCDateTime, comment="until when the law wants an answer")
    identity: Mapped[str] = mapped_column(String(10))
    doubt: Mapped[str] = mapped_column(String(20), comment="why who asks was in doubt; a code")
    asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="when they were first asked who they are")
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="when that was settled")
    more_months: Mapped[int] = mapped_column(comment="by how many months it was extended; 0: it was not")
    longer_because: Mapped[str] = mapped_column(String(13), comment="a code")
    told_longer_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="when whoever asked was told so")
    sealed_contact: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="who asks, under the keyring's request-contact key, bound to the id"
    )
    sealed_words: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="what they are told in words, sealed as the contact"
    )
    refused_whole: Mapped[str] = mapped_column(String(24), comment="why nothing of it is done; a code")
    complaint_to: Mapped[str] = mapped_column(String(300), comment="the authority to complain to")
    outcome: Mapped[str | None] = mapped_column(String(14))
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="when whoever asked had the answer")
    closed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    closed_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    forgotten_at: Mapped[datetime | None] = mapped_column(UTCDateTime, comment="when contact and words were taken out")


class RequestItemRow(Base):
    """One stretch of one camera's time that a request is about, and what was decided of it."""

    __tablename__ = "subject_request_item"
    __table_args__ = (
        CheckConstraint("until_us > from_us", name="runs_forward"),
        CheckConstraint(
            "answer IS NULL OR answer IN ('erase', 'restrict', 'give-copy', 'offer-viewing', 'nothing-there', "
            "'refuse')",
            name="known_answer",
        ),
        CheckConstraint("(answer IS NOT NULL AND answer = 'refuse') = (reason <> '')", name="refused_with_reason"),
        CheckConstraint(
            "(answer IS NULL) = (decided_by = '') AND (answer IS NULL) = (decided_at IS NULL)",
            name="decided_by_somebody",
        ),
        CheckConstraint("proposal_id IS NULL OR answer = 'erase'", name="proposed_to_erase"),
        CheckConstraint("order_id IS NULL OR answer = 'restrict'", name="ordered_to_restrict"),
        Index("ix_subject_request_item_camera_id", "camera_id"),
    )

    request_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(RequestRow.id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="1, 2, 3, … of its request")
    camera_id: Mapped[uuid.UUID]
    from_us: Mapped[int] = mapped_column(BigInteger, comment="our clock; this moment is asked about")
    until_us: Mapped[int] = mapped_column(BigInteger, comment="our clock; not asked about")
    answer: Mapped[str | None] = mapped_column(String(13))
    reason: Mapped[str] = mapped_column(String(24), comment="of a refusal; a code")
    decided_by: Mapped[str] = mapped_column(String(80), comment="a principal's label, an id")
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    proposal_id: Mapped[uuid.UUID | None] = mapped_column(comment="the act of two people that erases it")
    order_id: Mapped[uuid.UUID | None] = mapped_column(comment="the restriction that closes it")


class RequestReminderRow(Base):
    """That somebody was reminded of a date, so many days before it: each once."""

    __tablename__ = "subject_request_reminder"

    request_id: Mapped[uuid.UUID] = mapped_column(ForeignKey(RequestRow.id), primary_key=True)
    answer_by: Mapped[datetime] = mapped_column(UTCDateTime, primary_key=True, comment="the date as it stood then")
    days: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="before that date; 0: on it")
    noted_at: Mapped[datetime] = mapped_column(UTCDateTime)


for _act in ("DELETE", "TRUNCATE"):
    refuse(RequestRow, f"subject_request_no_{_act.lower()}", _act, "requests are closed, never deleted")
    refuse(RequestReminderRow, f"subject_request_reminder_no_{_act.lower()}", _act, "reminders stay noted")
refuse(RequestItemRow, "subject_request_item_no_truncate", "TRUNCATE", "what was asked for stays written")
refuse(
    RequestRow,
    "subject_request_stays",
    "UPDATE",
    "a request keeps what it says of its receipt",
    "NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.kind <> OLD.kind OR NEW.channel <> OLD.channel "
    "OR NEW.received_at <> OLD.received_at OR NEW.entered_by <> OLD.entered_by OR NEW.entered_at <> OLD.entered_at "
    "OR NEW.promised_by <> OLD.promised_by",
)
# Of a closed request nothing changes but that who had asked is forgotten.
refuse(
    RequestRow,
    "subject_request_stays_closed",
    "UPDATE",
    "a closed request stays as it was closed",
    "OLD.closed_at IS NOT NULL AND (NEW.closed_at IS NULL OR NEW.closed_at <> OLD.closed_at "
    "OR NEW.outcome <> OLD.outcome OR NEW.answered_at <> OLD.answered_at OR NEW.closed_by <> OLD.closed_by "
    "OR NEW.answer_by <> OLD.answer_by OR NEW.identity <> OLD.identity OR NEW.more_months <> OLD.more_months "
    "OR NEW.refused_whole <> OLD.refused_whole OR NEW.complaint_to <> OLD.complaint_to "
    "OR NEW.sealed_contact IS NOT NULL OR NEW.sealed_words IS NOT NULL)",
)
refuse(
    RequestRow,
    "subject_request_is_closed_decided",
    "UPDATE",
    "a request is closed once all of it is decided",
    "OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND NEW.outcome <> 'taken-back' AND (EXISTS (SELECT 1 "
    "FROM subject_request_item WHERE request_id = NEW.id AND answer IS NULL) OR (NEW.refused_whole = '' "
    "AND NOT EXISTS (SELECT 1 FROM subject_request_item WHERE request_id = NEW.id)))",
)
_IS_CLOSED: Final = "EXISTS (SELECT 1 FROM subject_request WHERE id = {row}.request_id AND closed_at IS NOT NULL)"
for _act, _row in (("INSERT", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD")):
    refuse(
        RequestItemRow,
        f"subject_request_item_stays_closed_on_{_act.lower()}",
        _act,
        "a closed request stays as it was closed",
        _IS_CLOSED.format(row=_row),
    )
refuse(
    RequestItemRow,
    "subject_request_item_stays",
    "UPDATE",
    "an item keeps what it is about",
    "NEW.request_id <> OLD.request_id OR NEW.number <> OLD.number OR NEW.camera_id <> OLD.camera_id "
    "OR NEW.from_us <> OLD.from_us OR NEW.until_us <> OLD.until_us",
)
refuse(
    RequestItemRow,
    "subject_request_item_no_delete_decided",
    "DELETE",
    "what was decided stays written",
    "OLD.answer IS NOT NULL",
)
