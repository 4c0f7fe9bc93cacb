"""The registry: credentials are sealed, names are unique, unencrypted cameras need the operator's word."""

from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import pytest
from sqlalchemy import text

from auth.errors import NameIsTaken, NotFound, StaleVersion
from auth.principal import Principal
from auth.resources.store import ResourceStore
from streams.cameras.replay import replay_removals
from streams.cameras.service import CameraChanges, CameraService, NewCamera
from streams.errors import AddressNotAllowed, BadCameraAddress, PlainNeedsException
from tests.given.access import Access
from tests.given.clock import HandClock
from tests.given.randomness import CountedRandomness
from tests.given.tampering import everything_stored
from vms_privacy.audit.log import AuditLog
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, OperatorId
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.port import WrapIsDamaged

URL = "rtsps://eve:s3cr3t-w0rd@camera.example.org/stream?key=hidden-too"
NETWORKS = (
    ip_network("10.0.0.0/8"),
    ip_network("192.168.0.0/16"),
    ip_network("fc00::/7"),
    ip_network("127.0.0.0/8"),
    ip_network("::1/128"),
)
PIN = "AB:" * 31 + "AB"
_WHERE = ["camera.example.org", 8322, True, "ab" * 32]


@dataclass
class Registry:
    db: Database
    cameras: CameraService
    operator: OperatorId
    owner: Principal
    told: list[CameraId]
    journal: Journal

    def create(self, name: str = "gate", url: str = URL, **more: str) -> CameraId:
        with self.db.writing() as session:
            new = NewCamera(name=name, url=url, purpose="watching the gate", **more)
            return self.cameras.create(session, self.owner, self.operator, new)

    def change(self, camera_id: CameraId, version: int | None = None, **changes: str) -> None:
        with self.db.writing() as session:
            self.cameras.change(session, self.owner, camera_id, CameraChanges(**changes), version)


@pytest.fixture
def registry(db: Database, clock: HandClock, randomness: CountedRandomness, tmp_path: Path) -> Registry:
    access = Access(db, randomness)
    keyring = FileKeyring.create(tmp_path / "keyring", clock, randomness)
    journal = Journal(tmp_path / "journal", clock)
    cameras = CameraService(keyring, ResourceStore(), AuditLog(db, randomness), clock, randomness, NETWORKS, journal)
    operator = access.operator("north")
    told: list[CameraId] = []
    cameras.on_change(told.append)
    return Registry(db, cameras, operator, access.person(operator, "eve"), told, journal)


def test_the_address_opens_for_the_relay_and_is_nowhere_in_clear(registry: Registry) -> None:
    camera_id = registry.create()
    with registry.db.reading() as session:
        source = registry.cameras.source_of(session, camera_id)
        camera = registry.cameras.get(session, camera_id)
        events = str(session.execute(text("SELECT * FROM audit_event")).all())
    assert source.address.uri == "rtsps://camera.example.org/stream?key=hidden-too"
    assert (source.address.user, source.address.password) == ("eve", "s3cr3t-w0rd")
    for told in (repr(source), repr(camera), repr(NewCamera("a", URL, "b")), repr(CameraChanges(url=URL)), events):
        assert "s3cr3t-w0rd" not in told
        assert "hidden-too" not in told
    stored = everything_stored(registry.db)
    assert b"camera.example.org" in stored
    assert b"s3cr3t-w0rd" not in stored
    assert b"hidden-too" not in stored


def test_a_sealed_address_opens_for_its_own_camera_only(registry: Registry) -> None:
    first, second = registry.create("first"), registry.create("second", url="rtsps://other.example.org/")
    with registry.db.writing() as session:
        session.execute(
            text("UPDATE camera SET sealed_url = (SELECT sealed_url FROM camera WHERE id = :a) WHERE id = :b"),
            {"a": first.hex, "b": second.hex},
        )
    with registry.db.reading() as session, pytest.raises(WrapIsDamaged):
        registry.cameras.source_of(session, second)


def test_a_name_is_taken_once_per_operator_and_for_good(registry: Registry) -> None:
    camera_id = registry.create("gate")
    with pytest.raises(NameIsTaken):
        registry.create("gate")
    with registry.db.writing() as session:
        registry.cameras.remove(session, registry.owner, camera_id)
    with pytest.raises(NameIsTaken):
        registry.create("gate")


@pytest.mark.parametrize(
    "url",
    [
        "http://camera.example.org/",
        "file:///etc/passwd",
        "rtmp://camera.example.org/",
        "rtsps://",
        "rtsps:///path",
        "camera.example.org",
        "rtsps://camera.example.org:0/",
        "rtsps://camera.example.org:99999/",
        "rtsps://camera.example.org/\r\nTEARDOWN",
        "rtsps://camera.example.org/ space",
        "rtsps://camera.example.org/#part",
        "rtsps://-bad-.example.org/",
        "rtsps://1.2.3/",
        "rtsps://[::g]/",
        "rtsps://eve:%ff@camera.example.org/",
        "rtsps://" + "a" * 3000,
    ],
)
def test_what_is_no_camera_s_address_is_refused_without_repeating_it(registry: Registry, url: str) -> None:
    with pytest.raises(BadCameraAddress) as refused:
        registry.create(url=url)
    assert "example.org" not in str(refused.value)
    assert registry.told == []


@pytest.mark.parametrize("host", ["camera.example.org", "192.168.1.7", "[fd00::7]", "10.0.0.1"])
def test_unencrypted_pictures_beyond_this_machine_need_the_operator_s_word(registry: Registry, host: str) -> None:
    with pytest.raises(PlainNeedsException):
        registry.create(url=f"rtsp://{host}/")
    registry.create(url=f"rtsp://{host}/", plain_exception="isolated camera network, no other way in")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost"])
def test_what_never_leaves_the_machine_needs_none(registry: Registry, host: str) -> None:
    registry.create(url=f"rtsp://{host}:8554/cam")


def test_a_pin_is_kept_in_one_form_and_goes_with_encryption_only(registry: Registry) -> None:
    camera_id = registry.create(pin=PIN)
    with registry.db.reading() as session:
        assert registry.cameras.source_of(session, camera_id).pin == "ab" * 32
    with pytest.raises(BadCameraAddress):
        registry.create("other", pin="not-a-fingerprint")
    with pytest.raises(BadCameraAddress):
        registry.create("third", url="rtsp://127.0.0.1/", pin=PIN)


def test_changing_keeps_what_is_not_said_and_cannot_sneak_past_the_rules(registry: Registry) -> None:
    camera_id = registry.create()
    registry.change(camera_id, version=1, title="North gate")
    with registry.db.reading() as session:
        assert registry.cameras.source_of(session, camera_id).address.password == "s3cr3t-w0rd"
        assert registry.cameras.get(session, camera_id).title == "North gate"
        assert registry.cameras.get(session, camera_id).version == 2
    with pytest.raises(StaleVersion):
        registry.change(camera_id, version=1, title="Too late")
    with pytest.raises(PlainNeedsException):
        registry.change(camera_id, url="rtsp://camera.example.org/")
    registry.change(camera_id, url="rtsp://camera.example.org/", plain_exception="isolated network")
    with pytest.raises(PlainNeedsException):
        registry.change(camera_id, plain_exception="")
    with registry.db.reading() as session:
        camera = registry.cameras.get(session, camera_id)
    assert (camera.scheme, camera.has_credential, camera.version) == ("rtsp", False, 3)


def test_removing_forgets_the_address_and_keeps_the_rest(registry: Registry) -> None:
    camera_id = registry.create()
    with registry.db.writing() as session:
        registry.cameras.remove(session, registry.owner, camera_id)
    with registry.db.reading() as session:
        assert registry.cameras.get(session, camera_id).removed_at is not None
        assert registry.cameras.listing(session, registry.operator) == []
        assert registry.cameras.living(session) == []
        with pytest.raises(NotFound):
            registry.cameras.source_of(session, camera_id)
    with pytest.raises(NotFound):
        registry.change(camera_id, title="Gone")
    with registry.db.writing() as session, pytest.raises(NotFound):
        registry.cameras.remove(session, registry.owner, camera_id)


def test_of_a_removed_camera_nothing_that_leads_to_it_is_left_in_the_database(registry: Registry) -> None:
    removed, again, kept = (registry.create(name) for name in ("gate", "yard", "door"))
    for camera_id in (removed, again, kept):
        registry.change(camera_id, url=URL.replace(".org/", ".org:8322/"), pin=PIN)
    assert _leading(registry, kept) == _WHERE
    with registry.db.writing() as session:
        registry.cameras.remove(session, registry.owner, removed)
    registry.journal.append(JournalKind.CAMERA_REMOVED, {"operator": str(registry.operator), "camera": str(again)})
    with registry.db.writing() as session:
        audit = AuditLog(registry.db, CountedRandomness("replay"))
        assert replay_removals(session, registry.journal.entries(), audit, HandClock()) == 1
    for camera_id in (removed, again):
        assert _leading(registry, camera_id) == ["", 322, False, ""]
    assert _leading(registry, kept) == _WHERE


def _leading(registry: Registry, camera_id: CameraId) -> list[object]:
    with registry.db.reading() as session:
        found = registry.cameras.get(session, camera_id)
    return [found.host, found.port, found.has_credential, found.pin]


def test_what_the_journal_says_was_removed_is_removed_again_in_an_older_database(registry: Registry) -> None:
    removed, kept = registry.create(), registry.create("yard")
    with registry.db.writing() as session:
        registry.cameras.remove(session, registry.owner, removed)
        # As in an older copy: the journal has it, the database has not.
        session.rollback()
    entries = list(registry.journal.entries())
    assert [(one.kind, one.facts["camera"]) for one in entries] == [(JournalKind.CAMERA_REMOVED, str(removed))]
    with registry.db.reading() as session:
        assert set(registry.cameras.living(session)) == {removed, kept}
    audit, clock = AuditLog(registry.db, CountedRandomness("replay")), HandClock()
    for expected in (1, 0):
        with registry.db.writing() as session:
            assert replay_removals(session, entries, audit, clock) == expected
    with registry.db.reading() as session:
        assert registry.cameras.living(session) == [kept]
        with pytest.raises(NotFound):
            registry.cameras.source_of(session, removed)


def test_listeners_hear_of_a_change_after_its_commit_and_of_no_refusal(registry: Registry) -> None:
    camera_id = registry.create()
    with pytest.raises(NameIsTaken):
        registry.create()
    registry.change(camera_id, title="Gate")
    assert registry.told == [camera_id, camera_id]


def test_a_listener_that_fails_is_counted_and_silences_no_other(registry: Registry) -> None:
    def fails(camera_id: CameraId) -> None:
        raise OSError(camera_id)

    late: list[CameraId] = []
    registry.cameras.on_change(fails)
    registry.cameras.on_change(late.append)
    camera_id = registry.create()
    assert (late, registry.cameras.listener_failures) == ([camera_id], 1)


def test_every_change_is_in_the_audit_with_ids_alone(registry: Registry) -> None:
    camera_id = registry.create()
    registry.change(camera_id, title="Eve's own front door")
    with registry.db.writing() as session:
        registry.cameras.remove(session, registry.owner, camera_id)
    with registry.db.reading() as session:
        rows = session.execute(text("SELECT tag, camera_id, detail FROM audit_event ORDER BY number")).all()
    assert [row.tag for row in rows] == [40, 41, 42]
    assert {row.camera_id for row in rows} == {camera_id.bytes}
    assert not any("Eve" in row.detail for row in rows)


@pytest.mark.parametrize(
    "host", ["203.0.113.7", "169.254.169.254", "[2001:db8::1]", "[::ffff:203.0.113.7]", "172.16.0.1", "0.0.0.0"]
)
def test_an_address_outside_of_the_networks_is_refused_at_once(registry: Registry, host: str) -> None:
    with pytest.raises(AddressNotAllowed) as refused:
        registry.create(url=f"rtsps://{host}/s3cr3t")
    assert host.strip("[]") not in str(refused.value)
    camera_id = registry.create()
    with pytest.raises(AddressNotAllowed):
        registry.change(camera_id, url=f"rtsps://{host}/")


@pytest.mark.parametrize("host", ["192.168.4.4", "[fc00::1]", "[::ffff:192.168.4.4]", "elsewhere.example.org"])
def test_an_address_inside_of_them_and_every_name_is_taken(registry: Registry, host: str) -> None:
    registry.create(url=f"rtsps://{host}/")


def test_a_camera_outside_of_networks_that_shrank_can_still_be_changed(registry: Registry) -> None:
    camera_id = registry.create(url="rtsps://192.168.4.4/")
    registry.cameras._networks = ()
    registry.change(camera_id, title="The gate")
    with pytest.raises(AddressNotAllowed):
        registry.change(camera_id, url="rtsps://192.168.4.5/")
