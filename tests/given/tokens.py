"""Everything that stream tokens and media sessions are made of, joined as the app joins it, on real parts."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

from auth.gate import Gate
from auth.grants.service import GrantChange
from auth.grants.store import GrantStore
from auth.media_sessions.door import MediaDoor
from auth.media_sessions.loading import load_revocations
from auth.media_sessions.rules import Limits
from auth.media_sessions.service import MediaSessions
from auth.principal import Principal, Role
from auth.resources.rules import Resource
from auth.revocation.view import RevocationView
from auth.tokens.judging import GrantJudge
from auth.tokens.rules import Action
from auth.tokens.service import IssuedToken, StreamTokens
from auth.tokens.signing import TokenSigner
from auth.tokens.withdrawing import TokenWithdrawals
from tests.given.access import Access
from tests.given.clock import HandClock
from vms_privacy.audit.events import Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.audit.reader import AuditReader
from vms_privacy.audit.refusals import RefusalCounter
from vms_privacy.clock import Clock
from vms_privacy.db import Database, GroupCommit, after_commit
from vms_privacy.ids import GrantId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.keyring.file_keyring import FileKeyring

ISSUER = "vms-privacy"
AUDIENCE = "vms-privacy/stream"
