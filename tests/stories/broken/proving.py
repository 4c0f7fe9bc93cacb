"""Broken parts on the way of the proof: receipts and the audit's chain."""

from functools import cached_property

from archive.receipts.key_history import KeyHistory
from archive.receipts.service import ReceiptService
from vms_privacy.app import Assembly
from vms_privacy.audit.checkpoints import Checkpoint
from vms_privacy.audit.sealer import Sealer
from vms_privacy.keyring.file_keyring import FileKeyring


class ReceiptOfAnotherKey(Assembly):
    """Receipts are signed with a key that is not this installation's."""

    @cached_property
    def receipts(self) -> ReceiptService:
        forged = _ForgedReceipts(_another(self), self.audit, self.clock, self.randomness, self.installation_id)
        forged.honest = super().receipts
        return forged


class _ForgedReceipts(ReceiptService):
    """Of the keys it tells what the installation does."""

    honest: ReceiptService

    @property
    def history(self) -> KeyHistory:
        return self.honest.history

    def signed_history(self) -> bytes:
        return self.honest.signed_history()


class ChainIsUnsigned(Assembly):
    """No checkpoint is ever signed."""

    @cached_property
    def sealer(self) -> Sealer:
        return _SilentSealer(self.db, self.keyring, self.clock, self.anchor)


class _SilentSealer(Sealer):
    def checkpoint_once(self) -> Checkpoint | None:
        return None


class ChainOfAnotherKey(Assembly):
    """Checkpoints are signed with a key that is not this installation's."""

    @cached_property
    def sealer(self) -> Sealer:
        return Sealer(self.db, _another(self), self.clock, self.anchor)


def _another(parts: Assembly) -> FileKeyring:
    folder = parts.settings.data_dir.parent / "another-keyring"
    return FileKeyring.create(folder, parts.clock, parts.randomness)
