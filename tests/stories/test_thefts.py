"""What a theft opens: the three cases of the threat table, told with real parts and opened by an independent reader.

In each, one segment of an hour has expired and was destroyed, and its neighbours live. The thief keeps every copy ever
made, is patient, and follows our own documents.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pkcs11
import pytest
from sqlalchemy import func, select

from archive.recorder.standing import micros
from archive.segments.rules import Segment, State
from archive.segments.tables import SegmentRow
from tests.given.clock import HandClock
from tests.given.footage import House
from tests.given.keyrings import KeyringPlace, a_place
from tests.given.softhsm import PIN
from tests.given.thief import Copies, StolenToken, bucket_keys, media_of, roots_in
from vms_privacy.db import Database

pytestmark = [pytest.mark.story, pytest.mark.timeout(120)]


class Story:
    """A house with three segments of one hour, and what was copied of it when."""

    def __init__(self, house: House, place: KeyringPlace, folder: Path) -> None:
        self.house, self.place, self.folder = house, place, folder
        self.copies: list[Copies] = []
        house.opt_in()
        house.keep_for(timedelta(minutes=10))
        for _ in range(3):
            house.record(2)
            house.clock.forward(timedelta(seconds=60))
        house.delivery.deliver()
        self.dies, *self.live = (self._id(row) for row in house.rows())
        with house.db.reading() as session:
            (self.bucket_key,) = set(session.scalars(select(SegmentRow.bucket_key_id)))

    def copy(self) -> Copies:
        """Copy database and store as a backup does."""
        folder = self.folder / f"copy-{len(self.copies)}"
        shutil.copytree(self.house.folder / "archive", folder / "archive")
        name = self.house.db.engine.url.database
        assert name is not None
        with closing(sqlite3.connect(name)) as source, closing(sqlite3.connect(folder / "db")) as target:
            source.backup(target)
        self.copies.append(Copies(folder / "db", folder / "archive"))
        return self.copies[-1]

    def copy_keyring(self, name: str, *, with_roots: bool) -> Path:
        """Copy the keyring's folder, with the roots' own folder or without."""
        left = () if with_roots else ("roots",)
        found: Path = shutil.copytree(self.place.folder, self.folder / name, ignore=shutil.ignore_patterns(*left))
        return found

    def destroy(self) -> None:
        """Let the oldest expire, and the sweep come."""
        clock = self.house.clock
        with self.house.db.reading() as session:
            first_us = session.scalar(select(func.min(SegmentRow.destroy_from_us)))
        assert first_us is not None
        clock.forward(timedelta(microseconds=first_us - micros(clock.now()) + 1))
        assert [one.hex for one in self.house.eraser.sweep().erased] == [self.dies]
        assert self.bucket_key not in self.house.keyring.bucket_keys()
        assert [row.state for row in self.house.rows()] == [State.ERASED, State.STORED, State.STORED]

    def opens(self, *keyrings: Path, token: StolenToken | None = None) -> set[str]:
        """Return which segments the thief sees with every copy of database and store, and these keyrings."""
        roots = [roots_in(keyring) for keyring in keyrings]
        if token is not None:
            roots.append(token.opening())
        media = media_of(self.copies, bucket_keys(keyrings, roots))
        assert all(b"moof" in one and b"mdat" in one for one in media.values())
        return set(media)

    @property
    def all(self) -> set[str]:
        return {self.dies, *self.live}

    def _id(self, row: Segment) -> str:
        return row.id.hex


@pytest.fixture(params=["file", "pkcs11"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> KeyringPlace:
    softhsm = request.getfixturevalue("softhsm") if request.param == "pkcs11" else None
    return a_place(request.param, tmp_path / "keyring", softhsm)


@pytest.fixture
def story(db: Database, clock: HandClock, tmp_path: Path, place: KeyringPlace) -> Iterator[Story]:
    house = House(db, clock, tmp_path, place=place)
    yield Story(house, place, tmp_path)
    house.kill()


def stolen_token(place: KeyringPlace) -> StolenToken | None:
    return None if place.token is None else StolenToken(place.token.library, place.token.label, PIN)


def test_copies_of_database_and_store_of_any_age_open_nothing_destroyed_at_once(story: Story) -> None:
    story.copy()
    assert story.opens() == set()
    # The copies are good ones: with the keyring of the same moment everything in them opens.
    assert story.opens(story.place.folder, token=stolen_token(story.place)) == story.all
    story.destroy()
    story.copy()
    assert story.opens() == set()
    # At once, and even with today's keyring, its roots and its token among it: what lives opens, and nothing else.
    assert story.opens(story.place.folder, token=stolen_token(story.place)) == set(story.live)


def test_with_an_old_keyring_without_its_root_nothing_opens_once_that_root_is_destroyed(story: Story) -> None:
    story.copy()
    old = story.copy_keyring("old", with_roots=False)
    story.destroy()
    story.copy()
    # The old keyring alone opens nothing, ever.
    assert story.opens(old) == set()
    # With the root that is still in use it opens what was destroyed: this is why roots are rotated.
    assert story.opens(old, story.place.folder, token=stolen_token(story.place)) == story.all
    story.house.keyring.rotate_root()
    assert story.opens(old, story.place.folder, token=stolen_token(story.place)) == set(story.live)


@pytest.mark.parametrize("place", ["file"], indirect=True)
def test_with_the_root_itself_a_file_keyring_protects_nothing_that_was_alive_then(story: Story) -> None:
    """Not protected, and said so in the threat table: whoever copied the root has what it opened, for ever."""
    story.copy()
    old = story.copy_keyring("old", with_roots=True)
    story.destroy()
    story.house.keyring.rotate_root()
    story.copy()
    assert story.opens(old) == story.all


@pytest.mark.parametrize("place", ["pkcs11"], indirect=True)
def test_a_root_in_a_token_cannot_be_taken(story: Story) -> None:
    story.copy()
    old = story.copy_keyring("old", with_roots=True)
    # What was copied beside the roots is their cards: no key is in them, and nothing opens without the token.
    assert roots_in(old) == {}
    assert story.opens(old) == set()
    token = stolen_token(story.place)
    assert token is not None
    (root,) = token.roots
    assert root[pkcs11.Attribute.EXTRACTABLE] is False
    assert root[pkcs11.Attribute.NEVER_EXTRACTABLE] is True
    with pytest.raises(pkcs11.PKCS11Error):
        root[pkcs11.Attribute.VALUE]
    # Whoever has the token itself, with its PIN, opens what the root opens while it lasts: the copy is a good one.
    assert story.opens(old, token=token) == story.all
    story.destroy()
    story.copy()
    story.house.keyring.rotate_root()
    assert story.opens(old, token=stolen_token(story.place)) == set()
    assert story.opens(old, story.place.folder, token=stolen_token(story.place)) == set(story.live)
