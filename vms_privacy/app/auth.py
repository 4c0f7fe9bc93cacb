"""The parts that say who is asking and what they may have."""

from functools import cached_property
from typing import Final

from auth.gate import Gate
from auth.grants.service import GrantService
from auth.identities.enrolment import Enrolment
from auth.identities.passwords import Passwords
from auth.identities.service import PersonService
from auth.media_sessions.door import MediaDoor
from auth.media_sessions.rules import Limits
from auth.media_sessions.service import MediaSessions
from auth.operators.rules import Regions
from auth.operators.service import OperatorService
from auth.revocation.view import RevocationView
from auth.sessions.memory import AccessMemory
from auth.sessions.service import LoginService
from auth.throttle import Throttle
from auth.tokens.issuing import TokenIssuer
from auth.tokens.judging import GrantJudge
from auth.tokens.service import StreamTokens
from auth.tokens.signing import TokenSigner
from auth.tokens.withdrawing import TokenWithdrawals
from vms_privacy.app.ground import GroundParts

AUDIENCE: Final = "vms-privacy-streams"


class AuthParts(GroundParts):
    """Who is asking, and what they may ask for."""

    @cached_property
    def gate(self) -> Gate:
        return Gate(self.db, self.clock, self.audit, self.refusals)

    @cached_property
    def throttle(self) -> Throttle:
        return Throttle(self.clock)

    @cached_property
    def passwords(self) -> Passwords:
        return Passwords(self.randomness)

    @cached_property
    def operators(self) -> OperatorService:
        return OperatorService(self.audit, self.clock, self.randomness, self.regions)

    @cached_property
    def regions(self) -> Regions:
        regions = [place.region for place in self.store_places]
        return Regions(regions[0], frozenset(regions))

    @cached_property
    def grants(self) -> GrantService:
        return GrantService(self.audit, self.journal, self.clock, self.randomness)

    @cached_property
    def people(self) -> PersonService:
        return PersonService(self.audit, self.journal, self.clock, self.randomness, self.grants, self.access_memory)

    @cached_property
    def access_memory(self) -> AccessMemory:
        return AccessMemory(self.clock)

    @cached_property
    def logins(self) -> LoginService:
        return LoginService(
            self.db,
            self.clock,
            self.randomness,
            self.passwords,
            self.audit,
            self.throttle,
            self.refusals,
            self.access_memory,
        )

    @cached_property
    def enrolment(self) -> Enrolment:
        return Enrolment(
            self.db,
            self.clock,
            self.randomness,
            self.passwords,
            self.audit,
            self.throttle,
            self.refusals,
            self.access_memory,
        )

    @cached_property
    def revocation(self) -> RevocationView:
        return RevocationView(self.clock)

    @cached_property
    def judge(self) -> GrantJudge:
        return GrantJudge(self.db, self.clock, self.revocation)

    @cached_property
    def signer(self) -> TokenSigner:
        return TokenSigner(self.keyring, self.clock, f"vms-privacy:{self.installation_id}", AUDIENCE)

    @cached_property
    def tokens(self) -> StreamTokens:
        return StreamTokens(self.db, self.clock, self.signer, self.judge, self.audit, self.refusals, self.revocation)

    @cached_property
    def issuer(self) -> TokenIssuer:
        return TokenIssuer(
            self.db.engine.dialect, self.group, self.clock, self.randomness, self.signer, self.judge, self.audit
        )

    @cached_property
    def withdrawals(self) -> TokenWithdrawals:
        return TokenWithdrawals(self.db, self.clock, self.signer, self.judge, self.audit, self.journal, self.revocation)

    @cached_property
    def sessions(self) -> MediaSessions:
        return MediaSessions(self.group, self.clock, self.randomness, self.audit, self.revocation, self.judge, Limits())

    @cached_property
    def door(self) -> MediaDoor:
        return MediaDoor(self.tokens, self.sessions)
