"""After a crash or a failed write: close what was left open, from the file itself, losing nothing that is whole."""

from dataclasses import dataclass, field
from pathlib import Path

from archive.format.errors import SealedFileRefused
from archive.format.rebuild import rebuild_index
from archive.format.sealed_file import SealedReader, recover
from archive.keys.wrap import SegmentKeys
from archive.segments import store as segments
from archive.segments.rules import State
from archive.segments.store import Closed, Sealed
from vms_privacy.db import Database
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, SegmentId
