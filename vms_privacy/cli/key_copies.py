"""The commands that copy the keyring for a recipient, put a copy back, and make a recipient's key."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import typer

from archive.keys import store as buckets
from vms_privacy import durable_files
from vms_privacy.cli.files import new_file, write_new
from vms_privacy.cli.forms import facts, moment
from vms_privacy.cli.moments import span_of
from vms_privacy.cli.options import AsJson, DataDir, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.parts import assembly_of, closed_afterwards
from vms_privacy.cli.refusals import FileUnusable
from vms_privacy.ids import SystemRandomness
from vms_privacy.install import make_keyring
from vms_privacy.keyring.backup_rules import BackupHead
from vms_privacy.keyring.envelope import RECIPIENT_LIMIT, Recipient, RecipientPrivate, read_private, read_recipient
from vms_privacy.keyring.folder_keyring import KeyringExists

app = command_group("Copies of the keyring.")

RecipientFile = Annotated[
    Path,
    typer.Option("--recipient", metavar="FILE", help="The recipient's public half: `keys recipient` makes one."),
]
_IN_A_TOKEN: Final = "taken out of the token's protection: whoever has the recipient's private half needs no token"
_NOT_IN_IT: Final = "roots, and private halves of signing keys: new ones are made when it is put back"


@app.command("recipient")
def recipient(
    private: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the half that opens copies.")],
    public: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the half that copies are sealed to.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Make a recipient's key, best on a machine that has nothing to do with the service."""
    made = RecipientPrivate.new(SystemRandomness())
    write_new(private, made.text.encode())
    write_new(public, made.recipient.text.encode())
    told = {"recipient": made.recipient.thumbprint, "private": private, "public": public}
    next_step = f"Keep {private} where no copy of database or footage is. Next: vms-privacy keys backup --recipient"
    tell(told, [*facts(told), f"{next_step} {public} --to FILE"], as_json=as_json)


@app.command("backup")
def backup(
    to: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the copy.")],
    recipient: RecipientFile,
    valid_for: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="How long it may be put back; at most a root's life.")
    ] = "",
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Copy the keyring for a recipient, while no service runs. It is in the custody journal and in the audit."""
    sealed_for = recipient_in(recipient)
    wanted = span_of(valid_for) if valid_for else None
    with closed_afterwards(assembly_of(data_dir)) as parts, new_file(to) as file:
        life = parts.settings.root_life
        head = parts.key_copies.back_up(parts.keyring, sealed_for, life if wanted is None else wanted, life, file)
    tell(*document_of(head, to, in_token=parts.settings.keyring_kind == "pkcs11"), as_json=as_json)


def document_of(head: BackupHead, to: Path, *, in_token: bool) -> tuple[dict[str, Any], list[str]]:
    """Return what is told of a copy that was made: as a document, and as lines."""
    until = datetime.fromtimestamp(head.until, UTC)
    document = {
        "written": to,
        "backup_id": head.backup_id,
        "until": until.isoformat(),
        "recipient": head.recipient,
        "bucket_keys": head.bucket_keys,
        "in_token": in_token,
    }
    told = {"copy": to, "bucket keys": head.bucket_keys, "not in it": _NOT_IN_IT}
    told |= {"note": _IN_A_TOKEN} if in_token else {}
    return document, [*facts(told), f"It can be put back until {moment(until)}; destroy it then."]


@app.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(help="The copy.", show_default=False)],
    private: Annotated[Path, typer.Option(metavar="FILE", help="The recipient's private half.")],
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Put a copy back where no keyring is, under a new root, without what was destroyed since."""
    opens = read_private(_read(private))
    with closed_afterwards(assembly_of(data_dir)) as parts:
        if parts.settings.keyring.exists():
            raise KeyringExists("there is a keyring; a copy is only put back where none is")
        with _opened(file) as copy:
            done = parts.key_copies.put_back(
                copy, opens, lambda kept: make_keyring(parts.settings, parts.clock, parts.randomness, kept)
            )
        with parts.db.reading() as session:
            lost = buckets.living(session) - done.bucket_keys
    document = {
        "root_version": done.root,
        "bucket_keys": len(done.bucket_keys),
        "left_out_as_destroyed": done.left_out,
        "lost": len(lost),
    }
    told = {
        "root": f"version {done.root}, new",
        "bucket keys": len(done.bucket_keys),
        "destroyed since": f"{done.left_out}, left out: what they protected stays gone",
        "made since": f"{len(lost)}, not in the copy: what they protect is lost",
        "signing keys": "new; what was signed with keys made since the copy verifies only with public halves you kept",
    }
    next_step = "Next: vms-privacy keys backup, vms-privacy check; then destroy the old copy."
    tell(document, [*facts(told), next_step], as_json=as_json)


def recipient_in(path: Path) -> Recipient:
    """Read a recipient's public half. Raises NotARecipient, FileUnusable."""
    return read_recipient(_read(path, must_be_private=False))


def _read(path: Path, *, must_be_private: bool = True) -> bytes:
    try:
        if must_be_private:
            return durable_files.read_private(path, RECIPIENT_LIMIT)
        with path.open("rb") as file:
            return file.read(RECIPIENT_LIMIT)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {durable_files.fault_of(error)}") from None
    except ValueError as error:
        raise FileUnusable(f"{path} cannot be read: {error}") from None


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {durable_files.fault_of(error)}") from None
