"""Stream tokens that the custody journal says were withdrawn: withdrawn again, for a restore.

One that was issued since the copy has no row any more, and a signed one needs none to be shown: it gets a row without a
payload, so that it is known to be withdrawn for as long as anything could rest on it.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from auth.tokens.rules import LONGEST_SESSION
from auth.tokens.store import KeptToken, TokenStore
from vms_privacy.ids import Randomness, TokenId
from vms_privacy.journal.rules import JournalEntry, JournalKind


def replay_withdrawn_tokens(
    session: Session, entries: Iterable[JournalEntry], store: TokenStore, at: datetime, randomness: Randomness
) -> int:
    """Withdraw again what the journal names and something could still rest on; return how many. May be repeated."""
    done = 0
    for entry in entries:
        ends_at = entry.at + LONGEST_SESSION
        if entry.kind is not JournalKind.REVOCATION or "token_id" not in entry.facts or ends_at < at:
            continue
        token_id = TokenId(UUID(str(entry.facts["token_id"])))
        if store.by_id(session, token_id) is None:
            store.add(session, KeptToken(token_id, randomness.octets(32), "", ends_at))
        done += store.withdraw(session, token_id, at)
    return done
