"""The command that copies the database."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from vms_privacy.cli.files import new_file
from vms_privacy.cli.forms import facts, moment
from vms_privacy.cli.options import AsJson, DataDir, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.parts import assembly_of, closed_afterwards
from vms_privacy.custody.copying import Copies, Source
from vms_privacy.migrations import revision_of

app = command_group("Copy the database.")

_NEXT = "Keep it where no copy of the keyring is; it holds accounts in clear. The journal has to outlive the database:"


@app.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the copy.", show_default=False)],
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Copy the database into a file, beside a running service: no footage, no key."""
    with closed_afterwards(assembly_of(data_dir)) as parts, new_file(file) as out:
        settings = parts.settings
        source = Source(
            parts.db, settings.journal, parts.installation_id, version("vms-privacy"), revision_of(parts.db.engine)
        )
        scratch = settings.data_dir / f"backup-{parts.randomness.uuid()}"
        made = Copies(parts.audit, parts.clock, parts.randomness).make(source, scratch, out)
    document = {
        "written": file,
        "backup_id": made.backup_id,
        "made_at": made.made_at.isoformat(),
        "journal_number": made.journal_number,
        "journal_hash": made.journal_hash,
        "schema": made.schema,
        "size_bytes": made.size_bytes,
        "sha256": made.sha256,
    }
    told = {
        "copy": file,
        "of": moment(made.made_at),
        "database": f"{made.size_bytes} bytes",
        "journal": f"entry {made.journal_number}",
        "not in it": "footage, keyring, journal, anchor",
    }
    tell(document, [*facts(told), f"{_NEXT} copy {settings.journal} often."], as_json=as_json)
