"""An invented platform with two tenants: who may call, and with which credential."""

from __future__ import annotations

from datetime import timedelta

from nxt_adapters.memory.database import MemoryClock, MemoryDatabase
from nxt_adapters.memory.identity import MemoryAccounts, MemoryApiKeys, MemorySessions, MemoryTokens
from nxt_domain.identity.model import Account, MemberType, OrganizationType, TokenClaims
from nxt_domain.identity.rules import create_api_key
from nxt_domain.identity.use_cases import (
    AuthenticateDataReader,
    AuthenticateKey,
    AuthenticateService,
    AuthenticateUser,
)
from nxt_entrypoints.http.guards import Gate

INTERNAL_KEY = "inner-key-of-the-roles"
INGRESS_KEY = "key-of-the-network-server"

ADMIN = Account(
    id=1,
    supabase_id="00000000-0000-4000-8000-000000000001",
    full_name="Operator",
    organization_id=2,
    organization_type=OrganizationType.SOLAR_DEVELOPER,
    member_id=11,
    member_type=MemberType.SUPERADMIN,
)
MEMBER = Account(
    id=2,
    supabase_id="00000000-0000-4000-8000-000000000002",
    full_name="Member of Sunny Grids",
    organization_id=7,
    organization_type=OrganizationType.SOLAR_DEVELOPER,
    member_id=12,
    member_type=MemberType.DEVELOPER,
)
AGENT = Account(
    id=3,
    supabase_id="00000000-0000-4000-8000-000000000003",
    full_name="Agent of Umuoke",
    organization_id=7,
    organization_type=OrganizationType.SOLAR_DEVELOPER,
    agent_id=31,
    grid_id=70,
)
CUSTOMER = Account(
    id=4,
    supabase_id="00000000-0000-4000-8000-000000000004",
    full_name="Customer of Umuoke",
    organization_id=7,
    organization_type=OrganizationType.SOLAR_DEVELOPER,
    customer_id=41,
    grid_id=70,
)
LENDER = Account(
    id=5,
    supabase_id="00000000-0000-4000-8000-000000000005",
    full_name="Lender",
    organization_id=9,
    organization_type=OrganizationType.LENDER,
    member_id=15,
    member_type=MemberType.FINANCE,
)
NOBODY = Account(id=6, supabase_id="00000000-0000-4000-8000-000000000006", organization_id=7)


class IdentityWorld:
    """Stores, use cases and a gate over them."""

    def __init__(self) -> None:
        self.clock = MemoryClock()
        database = MemoryDatabase(self.clock)
        self.accounts = MemoryAccounts(database)
        self.keys = MemoryApiKeys(database)
        self.tokens = MemoryTokens(self.clock)
        self.sessions = MemorySessions()
        for account in (ADMIN, MEMBER, AGENT, CUSTOMER, LENDER, NOBODY):
            self.accounts.put(account)
        self.user = AuthenticateUser(
            tokens=self.tokens, accounts=self.accounts, sessions=self.sessions, clock=self.clock
        )
        self.key = AuthenticateKey(keys=self.keys, accounts=self.accounts, clock=self.clock)
        self.gate = Gate(
            user=self.user,
            key=self.key,
            service=AuthenticateService(internal_keys=frozenset({INTERNAL_KEY}), by_key=self.key),
            data=AuthenticateDataReader(self.key),
            ingress_key=INGRESS_KEY,
        )

    def token(self, account: Account, **claims: object) -> str:
        """Sign an account in; return its token."""
        token = f"token-of-{account.id}"
        facts: dict[str, object] = {
            "subject": account.supabase_id,
            "account_id": account.id,
            "email": None,
            "full_name": None,
            "expires_at": self.clock.now() + timedelta(hours=1),
        }
        self.tokens.put(token, TokenClaims(**{**facts, **claims}))  # type: ignore[arg-type]  # claims of a test
        return token

    def bearer(self, account: Account, **claims: object) -> dict[str, str]:
        """Return the header of a signed-in account."""
        return {"Authorization": f"Bearer {self.token(account, **claims)}"}

    async def api_key(self, account: Account, *, scopes: list[str] | None = None) -> str:
        """Make a key for an account."""
        key, stored = create_api_key(account.id, scopes=scopes)
        await self.keys.add(stored)
        return key
