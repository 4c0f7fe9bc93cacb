"""Copies of the keyring from the command line: made for a recipient, put back after a loss, and over in time."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from tests.given.clock import HandClock
from tests.vms_privacy.cli.typed import NO_BACKUP, Said, say
from vms_privacy.app import Assembly
from vms_privacy.ids import BucketKeyId
from vms_privacy.journal.journal import Journal, read_journal
from vms_privacy.journal.rules import JournalKind
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.port import KeyIsDestroyed, Purpose
from vms_privacy.settings import Settings

Capture = pytest.CaptureFixture[str]
SEGMENT_KEY: Final = KeyBytes(bytes(range(32)))


class Place:
    """An installation and a recipient elsewhere."""

    def __init__(self, folder: Path, capsys: Capture) -> None:
        self.folder, self.capsys = folder, capsys
        self.data_dir = folder / "data"
        self.private, self.public, self.copy = folder / "private", folder / "public", folder / "copy"
        assert self.say("keys", "recipient", "--private", self.private, "--public", self.public).code == 0

    def say(self, *words: object) -> Said:
        return say(self.capsys, *words, "--json")

    def backed_up(self, *words: object) -> Any:
        said = self.say("keys", "backup", "--recipient", self.public, "--to", self.copy, *words)
        assert said.code == 0, said.out
        return said.document

    def restored(self) -> Said:
        return self.say("keys", "restore", self.copy, "--private", self.private)

    def lose_the_keyring(self) -> None:
        shutil.rmtree(self.data_dir / "keyring")

    def parts(self) -> Assembly:
        return Assembly(Settings())

    def journal(self) -> list[tuple[JournalKind, dict[str, Any]]]:
        return [(entry.kind, dict(entry.facts)) for entry in read_journal(self.data_dir / "journal")]

    def destroy(self, bucket_key: BucketKeyId) -> None:
        """Destroy a bucket key as the sweep does: in the journal first."""
        parts = self.parts()
        parts.journal.append(JournalKind.KEY_DESTROYED, {"bucket_key": str(bucket_key), "segments": 1})
        parts.keyring.destroy_bucket_keys([bucket_key])
        parts.journal.close()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> Place:
    monkeypatch.setenv("VMS_DATA_DIR", str(tmp_path / "data"))
    made = Place(tmp_path, capsys)
    assert made.say("init", *NO_BACKUP).code == 0
    return made


def refused(said: Said) -> tuple[int, str]:
    return said.code, said.document["code"]


# Making one


def test_a_copy_is_in_journal_and_audit_with_its_end_and_its_recipient(place: Place) -> None:
    told = place.backed_up("--for", "P7D")
    kind, facts = place.journal()[-1]
    assert kind is JournalKind.KEYS_BACKED_UP
    assert (facts["backup"], facts["recipient"]) == (told["backup_id"], told["recipient"])
    assert facts["until"].replace("Z", "+00:00") == told["until"]
    assert place.say("verify", "audit").document["ok"]
    assert place.copy.stat().st_mode & 0o777 == 0o600
    assert json.loads(place.copy.read_bytes().split(b"\n")[0])["backup"] == told["backup_id"]


def test_a_copy_holds_no_root_and_shows_no_key(place: Place) -> None:
    keyring = place.parts().keyring
    bucket_key = keyring.create_bucket_key()
    place.backed_up()
    copy = place.copy.read_bytes()
    root = (place.data_dir / "keyring/roots/000001.root").read_bytes()[12:44]
    assert root not in copy
    contents = keyring.contents()
    assert root not in contents.packed()
    assert contents.buckets[bucket_key].key.reveal() not in copy
    assert {of for of, _ in contents.sealing} == {Purpose.CAMERA_CREDENTIAL, Purpose.REQUEST_CONTACT}


def test_a_copy_lives_no_longer_than_a_root(place: Place) -> None:
    for wanted in ("P31D", "PT0S"):
        said = place.say("keys", "backup", "--recipient", place.public, "--to", place.copy, "--for", wanted)
        assert refused(said) == (2, "backup-lives-too-long")
    assert not place.copy.exists()
    assert JournalKind.KEYS_BACKED_UP not in dict(place.journal())


def test_only_a_public_half_is_sealed_to_and_nothing_is_written_over(place: Place) -> None:
    for wrong in (place.private, place.data_dir / "installation-id"):
        said = place.say("keys", "backup", "--recipient", wrong, "--to", place.copy)
        assert refused(said) == (2, "not-a-recipient")
    place.backed_up()
    said = place.say("keys", "backup", "--recipient", place.public, "--to", place.copy)
    assert refused(said) == (5, "file-is-there")


def test_no_copy_is_made_beside_a_service_that_writes_the_journal(place: Place) -> None:
    parts = place.parts()
    with parts.journal:
        said = place.say("keys", "backup", "--recipient", place.public, "--to", place.copy)
        assert refused(said) == (5, "journal-is-taken")
    assert not place.copy.exists()


# Putting one back


def test_after_a_loss_everything_in_the_copy_opens_and_what_was_destroyed_since_does_not(place: Place) -> None:
    keyring = place.parts().keyring
    lives, dies = keyring.create_bucket_key(), keyring.create_bucket_key()
    wraps = {one: keyring.wrap_in_bucket(one, SEGMENT_KEY, b"here") for one in (lives, dies)}
    sealed = keyring.seal(Purpose.CAMERA_CREDENTIAL, b"a secret", b"camera")
    signed = keyring.sign(Purpose.RECEIPT_SIGNING, b"receipt")
    place.backed_up()
    place.destroy(dies)
    assert place.say("keys", "rotate", "root").code == 0
    place.lose_the_keyring()
    told = place.restored().document
    # Roots 1 and 2 were; nothing comes back under them.
    assert (told["root_version"], told["bucket_keys"], told["left_out_as_destroyed"], told["lost"]) == (3, 1, 1, 0)
    again = place.parts().keyring
    assert again.unwrap_in_bucket(lives, wraps[lives], b"here").reveal() == SEGMENT_KEY.reveal()
    with pytest.raises(KeyIsDestroyed):
        again.unwrap_in_bucket(dies, wraps[dies], b"here")
    assert again.open(Purpose.CAMERA_CREDENTIAL, sealed, b"camera") == b"a secret"
    assert signed[0] in {key.kid for key in again.public_keys(Purpose.RECEIPT_SIGNING)}
    assert again.sign(Purpose.RECEIPT_SIGNING, b"receipt")[0] != signed[0]
    assert place.journal()[-1][0] is JournalKind.KEYS_RESTORED
    assert place.say("verify", "audit").document["ok"]
    assert place.say("verify", "journal").document["ok"]


def test_a_keyring_put_back_twice_is_never_under_a_root_that_was(place: Place) -> None:
    place.backed_up()
    roots = []
    for _ in range(3):
        place.lose_the_keyring()
        roots.append(place.restored().document["root_version"])
        assert place.say("keys", "status").document["root"]["version"] == roots[-1]
    assert roots == sorted(set(roots))
    assert roots[0] > 1


def test_a_copy_past_its_end_is_refused(place: Place) -> None:
    place.backed_up("--for", "PT1S")
    # The journal went on to a later moment than the copy's end, whatever this machine's clock says now.
    with Journal(place.data_dir / "journal", HandClock()) as journal:
        journal.append(JournalKind.ROOT_ROTATED, {"retires": 1})
    place.lose_the_keyring()
    assert refused(place.restored()) == (4, "backup-is-over")
    assert not (place.data_dir / "keyring").exists()


def test_a_copy_the_journal_does_not_tell_of_is_refused(place: Place) -> None:
    place.backed_up()
    place.lose_the_keyring()
    (place.data_dir / "journal").unlink()
    parts = place.parts()
    Journal(place.data_dir / "journal", parts.clock).close()
    assert refused(place.restored()) == (5, "backup-is-unknown")


def test_a_copy_with_any_part_changed_is_refused(place: Place) -> None:
    place.backed_up()
    whole = place.copy.read_bytes()
    line = whole.split(b"\n")[0] + b"\n"
    place.lose_the_keyring()
    told = json.loads(line)
    longer = json.dumps({**told, "until": told["until"] + 1}, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    for changed, code in (
        (whole[:-1] + bytes([whole[-1] ^ 1]), "envelope-does-not-open"),
        (whole[: len(line) + 5], "envelope-does-not-open"),
        (whole + b"\0", "envelope-does-not-open"),
        (longer + whole[len(line) :], "backup-is-unknown"),
        (line.replace(b"{", b"{ ", 1) + whole[len(line) :], "backup-is-damaged"),
        (b"", "backup-is-damaged"),
        (b"x" * 5000, "backup-is-damaged"),
    ):
        place.copy.write_bytes(changed)
        assert place.restored().document["code"] == code
        assert not (place.data_dir / "keyring").exists()
    place.copy.write_bytes(whole)
    assert place.restored().code == 0


def test_only_the_recipient_opens_it(place: Place) -> None:
    place.backed_up()
    place.lose_the_keyring()
    other, its_public = place.folder / "other", place.folder / "other-public"
    assert place.say("keys", "recipient", "--private", other, "--public", its_public).code == 0
    said = place.say("keys", "restore", place.copy, "--private", other)
    assert refused(said) == (6, "envelope-does-not-open")
    assert refused(place.say("keys", "restore", place.copy, "--private", place.public))[0] != 0


def test_a_keyring_is_never_put_back_over_another(place: Place) -> None:
    place.backed_up()
    assert refused(place.restored()) == (5, "keyring-exists")


# What an installation ends with


def test_init_ends_with_a_copy_or_with_words(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMS_DATA_DIR", str(tmp_path / "data"))
    place = Place(tmp_path, capsys)
    assert refused(place.say("init")) == (2, "answer-needed")
    assert refused(place.say("init", "--no-backup", "no")) == (2, "words-needed")
    assert refused(place.say("init", "--backup", place.copy)) == (2, "answer-needed")
    both = ("--backup", place.copy, "--recipient", place.public, *NO_BACKUP)
    assert refused(place.say("init", *both)) == (2, "answer-needed")
    assert not (tmp_path / "data").exists()
    said = place.say("init", "--backup", place.copy, "--recipient", place.public)
    assert (said.code, said.document["keyring_backup"]) == (0, str(place.copy))
    assert place.journal()[-1][0] is JournalKind.KEYS_BACKED_UP
    place.lose_the_keyring()
    assert place.restored().code == 0


def test_the_words_in_which_a_copy_was_declined_are_kept(place: Place) -> None:
    assert (place.data_dir / "no-keyring-backup").read_text() == f"{NO_BACKUP[1]}\n"
    assert (place.data_dir / "no-keyring-backup").stat().st_mode & 0o777 == 0o600


# Destroying on demand


def test_the_root_in_use_is_destroyed_after_another_took_its_place(place: Place) -> None:
    keyring = place.parts().keyring
    bucket_key = keyring.create_bucket_key()
    wrapped = keyring.wrap_in_bucket(bucket_key, SEGMENT_KEY, b"here")
    assert refused(place.say("keys", "destroy", "root")) == (2, "answer-needed")
    told = place.say("keys", "destroy", "root", "--yes").document
    assert (told["destroyed"], told["version"], told["root_version"]) == ("root", 1, 2)
    assert [one["version"] for one in place.say("keys", "status").document["root"]["keys"]] == [2]
    assert place.parts().keyring.unwrap_in_bucket(bucket_key, wrapped, b"here").reveal() == SEGMENT_KEY.reveal()
    assert place.journal()[-1] == (JournalKind.ROOT_ROTATED, {"retires": 1})
    assert refused(place.say("keys", "destroy", "root", "--version", 1, "--yes")) == (4, "key-is-destroyed")
    assert refused(place.say("keys", "destroy", "root", "--version", 3, "--yes")) == (4, "no-such-key")


def test_a_root_left_over_from_a_rotation_that_was_cut_off_is_destroyed(place: Place) -> None:
    steps = place.parts().keyring.root_rotation().steps()
    for _ in range(3):
        next(steps)
    steps.close()
    assert len(place.say("keys", "status").document["root"]["keys"]) == 2
    assert place.say("keys", "destroy", "root", "--version", 1, "--yes").code == 0
    assert [one["version"] for one in place.say("keys", "status").document["root"]["keys"]] == [2]


def test_an_old_sealing_key_that_nothing_needs_is_destroyed_and_comes_back_from_no_copy(place: Place) -> None:
    destroy = ("keys", "destroy", "camera-credential", "--yes")
    assert refused(place.say(*destroy)) == (2, "answer-needed")
    assert refused(place.say(*destroy, "--version", 1)) == (5, "key-is-in-use")
    assert place.say("keys", "rotate", "camera-credential").code == 0
    place.backed_up()
    assert place.say(*destroy, "--version", 1).code == 0
    states = place.say("keys", "status").document["purposes"]["camera-credential"]
    assert [(one["version"], one["state"]) for one in states] == [(2, "active")]
    assert refused(place.say(*destroy, "--version", 1)) == (4, "key-is-destroyed")
    assert refused(place.say(*destroy, "--version", 3)) == (4, "no-such-key")
    place.lose_the_keyring()
    assert place.restored().code == 0
    states = place.say("keys", "status").document["purposes"]["camera-credential"]
    assert [one["version"] for one in states] == [2]
