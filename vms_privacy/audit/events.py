"""What the audit can say. A tag's number is given once; a retired one stays listed as RETIRED_n."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum, unique

from vms_privacy.ids import CameraId, OperatorId


@unique
class Tag(IntEnum):
    """Kinds of audit events. Numbers are on the wire and in receipts: never reuse, never renumber."""

    SERVICE_INITIALISED = 1
    SERVICE_STARTED = 2
    CLOCK_IN_DOUBT = 3
    CLOCK_SETTLED = 4
    OPERATOR_CREATED = 10
    PERSON_CREATED = 11
    OPERATOR_REGION_SET = 25
    PERSON_DISABLED = 12
    PASSWORD_CHANGED = 13
    LOGGED_IN = 14
    LOG_IN_REFUSED = 15
    SESSION_REFRESHED = 16
    REFRESH_REPLAYED = 17
    LOGGED_OUT = 18
    PERSON_INVITED = 19
    GRANTED = 20
    GRANT_CHANGED = 21
    GRANT_WITHDRAWN = 22
    ACCESS_REFUSED = 23
    ACT_REFUSED = 24
    TOKEN_ISSUED = 30
    TOKEN_REFUSED = 31
    TOKEN_WITHDRAWN = 32
    MEDIA_OPENED = 33
    MEDIA_ENDED = 34
    MEDIA_CUT = 35
    VIEWER_BROUGHT_FORWARD = 36
    CAMERA_CREATED = 40
    CAMERA_CHANGED = 41
    CAMERA_REMOVED = 42
    CAMERA_UNREACHABLE = 43
    CAMERA_CONNECTED = 44
    OPTED_IN = 50
    OPT_IN_WITHDRAWN = 51
    RECORDING_STARTED = 52
    RECORDING_STOPPED = 53
    RECORDING_GAP = 54
    RETENTION_SET = 60
    SEGMENT_RECOVERED = 61
    SWEEP_DONE = 62
    ERASURE_STARTED = 63
    ERASURE_DONE = 64
    ERASURE_FAILED = 65
    RECEIPT_SIGNED = 66
    RETENTION_TERMS_SET = 67
    SUMMARY_SIGNED = 69
    RECORDING_TIMES_SET = 68
    KEY_CREATED = 70
    KEY_DESTROYED = 71
    ROOT_ROTATION_BEGUN = 72
    ROOT_ROTATED = 73
    KEYS_BACKED_UP = 74
    KEYS_RESTORED = 75
    KEY_BACKUP_DECLINED = 76
    CHECK_DONE = 80
    BOOTSTRAP_CODE_RENEWED = 81
    CHECK_BEGUN = 82
    CHECK_MENDED = 83
    QUARANTINED = 84
    ORDER_PLACED = 90
    ORDER_REVIEWED = 91
    ORDER_PEOPLE_SET = 92
    ORDER_LIFTED = 93
    ACT_PROPOSED = 94
    ACT_DECIDED = 95
    MANDATE_PLACED = 100
    MANDATE_DONE = 101
    MANDATE_FAILED = 102
    REQUEST_RECEIVED = 110
    REQUEST_NARROWED = 111
    REQUEST_IDENTITY_SET = 112
    REQUEST_EXTENDED = 113
    REQUEST_DECIDED = 114
    REQUEST_CLOSED = 115
    REQUEST_REMINDED = 116
    REQUEST_CONTACT_SHOWN = 117
    REQUEST_FORGOTTEN = 118
    DATABASE_BACKED_UP = 120
    JOURNAL_REPLAYED = 121
    CUSTODY_RELEASED = 122
    OFF_BOARDING_BEGUN = 130
    MANIFEST_BEGUN = 131
    MANIFEST_SIGNED = 132
    OFF_BOARDING_CONFIRMED = 133
    OFF_BOARDING_STEP_DONE = 134
    OFF_BOARDING_STEP_FAILED = 135
    OFF_BOARDING_TAKEN_BACK = 136
    OPERATOR_CLOSED = 137


@unique
class Outcome(StrEnum):
    """Whether the act took place."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, or was refused.

    `actor` is a principal's label, an id; `reason` a stable code such as a refusal's; `detail` holds ids, counts,
    durations and codes, never a name, an address, a secret or free text of a person.
    """

    tag: Tag
    at: datetime
    actor: str
    outcome: Outcome = Outcome.DONE
    operator_id: OperatorId | None = None
    camera_id: CameraId | None = None
    reason: str = ""
    detail: Mapping[str, str | int | bool | None] = field(default_factory=dict)
