"""Invariants of the keyring: of its files' contents, and of the whole under any order of acts."""

import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests.given.clock import HandClock
from tests.given.keyrings import KeyringPlace
from tests.given.pages import OnFewPages
from vms_privacy.ids import BucketKeyId, SystemRandomness
from vms_privacy.keyring.page_rules import (
    ENTRY_SIZE,
    HEAD_SIZE,
    BucketEntry,
    BucketPage,
    edition_in,
    keys_within,
    page_file,
    page_number,
    read_page,
)
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, Purpose, WrapIsDamaged
from vms_privacy.keyring.rules import (
    CLOCK_PLAY,
    PSEUDONYM_LIFE,
    ROOT_HEAD_START,
    BadKeyFile,
    KeyHeader,
    Manifest,
    WhyRotate,
    bucket_file,
    bucket_of,
    context_of,
    end_of_root,
    is_due,
    is_v1,
    life_of_root,
    read_header,
    read_manifest,
    read_v1_manifest,
    version_of,
    why_rotate,
    with_digest,
)
from vms_privacy.keyring.wrapping import unwrap, wrap

numbers = st.integers(1, 2**32 - 1)
seconds = st.integers(0, 2**63 - 1)
keys = st.binary(min_size=32, max_size=32).map(KeyBytes)
moments = st.integers(1_600_000_000, 3_800_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
manifests = st.builds(
    lambda keyring_id, roots, since, life, making, split, versions: Manifest(
        keyring_id,
        roots[0],
        since,
        since + life,
        roots[1] if making and len(roots) > 1 else None,
        tuple(roots[2 : 2 + split]),
        tuple(sorted(roots[2 + split :])),
        versions,
    ),
    st.uuids(),
    st.lists(numbers, min_size=1, max_size=8, unique=True),
    st.integers(0, 4_000_000_000),
    st.integers(0, 10_000_000),
    st.booleans(),
    st.integers(0, 6),
    st.dictionaries(st.sampled_from(Purpose), numbers),
)


@given(root=numbers, version=numbers, made_at=seconds, rest=st.binary(max_size=80))
def test_a_header_reads_back_as_it_was_written(root: int, version: int, made_at: int, rest: bytes) -> None:
    header = KeyHeader(root, version, made_at)
    assert read_header(header.packed() + rest) == header


@given(data=st.binary(max_size=120))
def test_any_bytes_are_a_header_or_a_named_fault(data: bytes) -> None:
    try:
        found = read_header(data)
    except BadKeyFile:
        return
    assert found.packed() == data[:24]


@given(manifest=manifests)
def test_a_manifest_reads_back_as_it_was_written(manifest: Manifest) -> None:
    assert read_manifest(manifest.packed()) == manifest


@given(manifest=manifests)
def test_a_manifest_of_v1_is_known_for_one_and_is_none_of_v2(manifest: Manifest) -> None:
    assert is_v1(manifest.packed_v1())
    assert not is_v1(manifest.packed())
    assert read_v1_manifest(manifest.packed_v1()) == manifest
    for read, data in ((read_manifest, manifest.packed_v1()), (read_v1_manifest, manifest.packed())):
        with pytest.raises(BadKeyFile):
            read(data)


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_manifest_or_a_named_fault(data: bytes) -> None:
    with pytest.raises(BadKeyFile):
        read_manifest(data)


@given(manifest=manifests, at=st.integers(0), flip=st.integers(1, 255))
def test_a_changed_manifest_never_reads_as_the_same_one(manifest: Manifest, at: int, flip: int) -> None:
    whole = manifest.packed()
    at %= len(whole)
    changed = whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :]
    try:
        found = read_manifest(changed)
    except BadKeyFile:
        return
    assert found != manifest


@given(manifest=manifests, steps=st.lists(st.sampled_from(["begun", "switched", "dropped", "cleared"]), max_size=12))
def test_no_root_is_ever_needed_and_condemned_and_no_version_is_given_twice(
    manifest: Manifest, steps: list[str]
) -> None:
    given_out = {*manifest.needed, *manifest.condemned, manifest.making} - {None}
    for step in steps:
        at = (manifest.since + 1, manifest.until + 1) if step == "switched" else ()
        before, manifest = manifest, getattr(manifest, step)(*at)
        assert not set(manifest.needed) & set(manifest.condemned)
        assert manifest.current not in manifest.retiring
        if manifest.making is not None and manifest.making != before.making:
            assert manifest.making not in {*before.needed, *before.condemned}
        # A root leaves only by way of the condemned: no step loses one that something may still rest on.
        assert set(before.needed) <= {*manifest.needed, *manifest.condemned}
        given_out |= set(manifest.needed)


page_numbers = st.integers(0, 255)
entries = st.builds(BucketEntry, seconds, st.binary(min_size=72, max_size=72))


@st.composite
def pages(draw: st.DrawFn) -> BucketPage:
    number = draw(page_numbers)
    ids = st.binary(min_size=15, max_size=15).map(lambda begin: begin + bytes([number]))
    edition, page_key = draw(st.binary(min_size=16, max_size=16)), draw(st.binary(max_size=80))
    return BucketPage(number, draw(numbers), edition, page_key, draw(st.dictionaries(ids, entries, max_size=5)))


@given(page=pages())
def test_a_page_reads_back_as_it_was_written(page: BucketPage) -> None:
    whole = page.packed()
    assert read_page(whole, page.number) == page
    assert edition_in(whole[:HEAD_SIZE]) == page.edition
    assert len(page.entries) <= keys_within(len(whole)) <= len(page.entries) + len(page.page_key) // ENTRY_SIZE + 1


@given(page=pages(), cut=st.integers(0), flip=st.integers(1, 255))
def test_a_page_cut_off_or_changed_is_none(page: BucketPage, cut: int, flip: int) -> None:
    whole = page.packed()
    cut %= len(whole)
    for bad in (whole[:cut], whole[:cut] + bytes([whole[cut] ^ flip]) + whole[cut + 1 :], bytes(len(whole))):
        with pytest.raises(BadKeyFile):
            read_page(bad, page.number)


@given(page=pages(), data=st.binary(max_size=300))
def test_what_is_whole_but_no_page_of_ours_is_a_named_fault(page: BucketPage, data: bytes) -> None:
    with pytest.raises(BadKeyFile):
        read_page(with_digest(data), page.number)
    with pytest.raises(BadKeyFile):
        read_page(page.packed(), page.number ^ 1)
    whole = page.packed()[:-32]
    if len(page.entries) > 1:
        first = HEAD_SIZE + len(page.page_key)
        swapped = whole[:first] + whole[first + ENTRY_SIZE :] + whole[first : first + ENTRY_SIZE]
        with pytest.raises(BadKeyFile):
            read_page(with_digest(swapped), page.number)


@given(page=pages(), bucket_key=st.uuids(), entry=entries, edition=st.binary(min_size=16, max_size=16))
def test_a_key_put_on_its_page_and_taken_off_leaves_the_others(
    page: BucketPage, bucket_key: uuid.UUID, entry: BucketEntry, edition: bytes
) -> None:
    more = page.having(bucket_key, entry, edition)
    assert more.entries == {**page.entries, bucket_key.bytes: entry}
    assert (more.edition, more.page_key) == (edition, page.page_key)
    assert more.without([bucket_key], edition).entries == {
        one: kept for one, kept in page.entries.items() if one != bucket_key.bytes
    }


@given(number=page_numbers, name=st.text(max_size=10))
def test_a_pages_file_name_leads_back_to_it_and_no_other_does(number: int, name: str) -> None:
    assert page_number(page_file(number)) == number
    found = page_number(name)
    assert found is None or page_file(found) == name


@given(one=st.lists(st.binary(max_size=6), max_size=4), other=st.lists(st.binary(max_size=6), max_size=4))
def test_two_contexts_are_equal_only_if_their_parts_are(one: list[bytes], other: list[bytes]) -> None:
    assert (context_of(*one) == context_of(*other)) == (one == other)


@given(bucket_key=st.uuids())
def test_a_bucket_keys_file_name_leads_back_to_it(bucket_key: uuid.UUID) -> None:
    assert bucket_of(bucket_file(bucket_key)) == bucket_key


@given(name=st.text(max_size=50))
def test_no_other_name_stands_for_a_key(name: str) -> None:
    found = bucket_of(name)
    assert found is None or bucket_file(found) == name
    version = version_of(name, "key")
    assert version is None or f"{version:06d}.key" == name


@given(now=moments, age=st.timedeltas(timedelta(days=-400), timedelta(days=400)))
def test_a_pseudonym_key_is_due_after_its_day_and_never_before(now: datetime, age: timedelta) -> None:
    made_at = int((now - age).timestamp())
    assert is_due(made_at, now) == (now.timestamp() - made_at >= PSEUDONYM_LIFE.total_seconds())
    if age < timedelta(0):
        assert not is_due(made_at, now)


@given(
    now=moments,
    lives=st.lists(st.timedeltas(timedelta(days=1), timedelta(days=90)), min_size=1, max_size=8),
    late=st.lists(st.timedeltas(timedelta(seconds=1), ROOT_HEAD_START - timedelta(seconds=1)), min_size=1, max_size=4),
)
def test_whatever_root_was_in_use_is_gone_within_the_life_that_was_promised_then(
    now: datetime, lives: list[timedelta], late: list[timedelta]
) -> None:
    """Rounds come late by up to the head start, and each start of the service may have another life set."""
    manifest = Manifest(uuid.UUID(int=1), 1, *life_of_root(now, lives[0]))
    promised: dict[int, datetime] = {}
    for life, following in zip(lives, [*lives[1:], lives[-1]], strict=True):
        for step in late:
            # A key destroyed now, told of in a receipt signed now.
            promised.setdefault(manifest.current, now + life)
            promised[manifest.current] = min(promised[manifest.current], now + life)
            now += step
            if why_rotate(manifest, life, now) is not None:
                gone = manifest.current
                manifest = manifest.begun().switched(*life_of_root(now, life)).dropped().cleared()
                assert now <= promised[gone]
        # The next start may have a shorter life set; its first round comes at once.
        if why_rotate(manifest, following, now) is not None:
            manifest = manifest.begun().switched(*life_of_root(now, following)).dropped().cleared()


@given(manifest=manifests, now=moments, life=st.timedeltas(timedelta(days=1), timedelta(days=90)))
def test_a_root_stays_only_if_its_age_is_known_and_its_end_is_far(
    manifest: Manifest, now: datetime, life: timedelta
) -> None:
    why, left = why_rotate(manifest, life, now), end_of_root(manifest, life) - now.timestamp()
    if manifest.is_rotating:
        assert why is WhyRotate.INTERRUPTED
    elif why is None:
        assert left > ROOT_HEAD_START.total_seconds()
        assert manifest.since <= now.timestamp() + CLOCK_PLAY.total_seconds()
    elif why is WhyRotate.TIME_IS_NEAR:
        assert left <= ROOT_HEAD_START.total_seconds()
    else:
        assert manifest.since > now.timestamp() + CLOCK_PLAY.total_seconds()


@given(key=keys, value=st.binary(max_size=100), context=st.binary(max_size=20), associated=st.binary(max_size=20))
def test_what_is_wrapped_opens_with_the_same_key_and_place(
    key: KeyBytes, value: bytes, context: bytes, associated: bytes
) -> None:
    wrapped = wrap(key, value, context, associated, SystemRandomness())
    assert unwrap(key, wrapped, context, associated) == value


@given(key=keys, context=st.binary(max_size=8), associated=st.binary(max_size=8), other=st.binary(max_size=8))
def test_a_wrap_of_one_place_opens_in_no_other(key: KeyBytes, context: bytes, associated: bytes, other: bytes) -> None:
    wrapped = wrap(key, b"value", context, associated, SystemRandomness())
    for place in {(other, associated), (context, other), (associated, context)} - {(context, associated)}:
        with pytest.raises(WrapIsDamaged):
            unwrap(key, wrapped, *place)


class AnyOrderOfActs(RuleBasedStateMachine):
    """Whatever happens in whatever order: living keys open what they wrapped, destroyed ones nothing, ever again."""

    living: Bundle[tuple[BucketKeyId, bytes]] = Bundle("living")
    destroyed: Bundle[tuple[BucketKeyId, bytes]] = Bundle("destroyed")

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.clock = HandClock()
        self.where = self.place_in(Path(self.place.name))
        self.keyring = self.where.create(self.clock)
        self.alive: set[BucketKeyId] = set()

    def place_in(self, folder: Path) -> KeyringPlace:
        return KeyringPlace(folder / "keyring", randomness=OnFewPages())

    def teardown(self) -> None:
        self.place.cleanup()

    @rule(target=living)
    def make(self) -> tuple[BucketKeyId, bytes]:
        bucket_key = self.keyring.create_bucket_key()
        self.alive.add(bucket_key)
        return bucket_key, self.keyring.wrap_in_bucket(bucket_key, KeyBytes(bytes(32)), b"here")

    @rule(target=destroyed, key=consumes(living))
    def destroy(self, key: tuple[BucketKeyId, bytes]) -> tuple[BucketKeyId, bytes]:
        assert self.keyring.destroy_bucket_keys([key[0]])
        self.alive.remove(key[0])
        return key

    @rule(key=living)
    def the_living_open(self, key: tuple[BucketKeyId, bytes]) -> None:
        assert self.keyring.unwrap_in_bucket(key[0], key[1], b"here").reveal() == bytes(32)

    @rule(key=destroyed)
    def the_destroyed_do_not(self, key: tuple[BucketKeyId, bytes]) -> None:
        with pytest.raises(KeyIsDestroyed):
            self.keyring.unwrap_in_bucket(key[0], key[1], b"here")

    @rule()
    def restart(self) -> None:
        self.keyring = self.where.open(self.clock)

    @rule(stop=st.integers(1, 12))
    def rotate_some_way(self, stop: int) -> None:
        for number, _ in enumerate(self.keyring.root_rotation(at_once=2).steps(), 1):
            if number == stop:
                return

    @rule(purpose=st.sampled_from([Purpose.TOKEN_SIGNING, Purpose.CAMERA_CREDENTIAL]))
    def rotate_a_purpose(self, purpose: Purpose) -> None:
        self.keyring.rotate(purpose)

    @rule(step=st.sampled_from([timedelta(seconds=1), timedelta(seconds=40)]))
    def wait(self, step: timedelta) -> None:
        self.clock.forward(step)

    @invariant()
    def exactly_the_living_are_listed(self) -> None:
        assert self.keyring.bucket_keys() == self.alive


AnyOrderOfActs.TestCase.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)
TestAnyOrderOfActs = AnyOrderOfActs.TestCase
