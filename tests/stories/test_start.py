"""Before the service answers for the first time, it has brought in order what was left and what came back."""

from pathlib import Path

import pytest

from archive.keys import store as buckets
from archive.keys.rules import Bucket
from tests.given.site import site
from vms_privacy.app import Assembly
from vms_privacy.ids import BucketKeyId, CameraId, OperatorId
from vms_privacy.journal.rules import JournalKind, bucket_keys_in
from vms_privacy.settings import Settings

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]


class _Left:
    """Makes the parts of a service whose keyring has a key that no row knows, and one that a row says is destroyed."""

    def __init__(self) -> None:
        self.keys: list[BucketKeyId] = []

    def __call__(self, settings: Settings) -> Assembly:
        parts = Assembly(settings)
        unused, returned = parts.keyring.create_bucket_key(), parts.keyring.create_bucket_key()
        operator_id, camera_id = OperatorId(parts.randomness.uuid()), CameraId(parts.randomness.uuid())
        with parts.db.writing() as session:
            buckets.add(session, Bucket(returned, operator_id, camera_id, 1, 1), parts.clock.now())
            buckets.mark_replaced(session, [returned], parts.clock.now())
            buckets.mark_destroyed(session, [returned], parts.clock.now())
        self.keys = [unused, returned]
        return parts


def test_no_key_that_nothing_needs_is_left_once_the_service_answers(tmp_path: Path) -> None:
    left = _Left()
    with site(tmp_path, left) as (_, running):
        assert len(left.keys) == 2
        assert running.parts.keyring.bucket_keys().isdisjoint(left.keys)
        told = [one for one in running.parts.journal.entries() if one.kind is JournalKind.KEY_DESTROYED]
        assert {key for one in told for key in bucket_keys_in(one.facts)} == set(left.keys)
