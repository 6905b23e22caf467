"""Accounts, credentials and the principal that authentication yields."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs


class AccountType(StrEnum):
    """What hangs below an account."""

    AGENT = "AGENT"
    MEMBER = "MEMBER"
    CUSTOMER = "CUSTOMER"


class MemberType(StrEnum):
    """Role of a member inside an organization, in the database's order."""

    SUPERADMIN = "SUPERADMIN"
    ADMIN = "ADMIN"
    PARTNER = "PARTNER"
    FINANCE = "FINANCE"
    DEVELOPER = "DEVELOPER"
    MANAGER = "MANAGER"
    SUPPORT = "SUPPORT"
    SERVICE = "SERVICE"
    SALES = "SALES"
    TECH = "TECH"


class OrganizationType(StrEnum):
    """What a tenant does."""

    SOLAR_DEVELOPER = "SOLAR_DEVELOPER"
    LENDER = "LENDER"
    DATA_AGGREGATOR = "DATA_AGGREGATOR"


class CredentialKind(StrEnum):
    """Which credential a caller showed."""

    USER = "user"
    KEY = "key"


def _hidden(value: object) -> str:
    return "None" if value is None else "'•••'"


@attrs.frozen(kw_only=True)
class TokenClaims:
    """What a verified user token says [API-45].

    Attributes:
        subject: The login's id; None for service-role and anonymous keys.
        account_id: The account; None when the token names none.
        expires_at: When the token stops counting.
    """

    subject: str | None
    account_id: int | None
    email: str | None
    full_name: str | None
    expires_at: datetime


@attrs.frozen(kw_only=True)
class Account:
    """An account with everything that decides its rights [API-46].

    Attributes:
        supabase_id: The login's id, a lower-case UUID.
        is_closed: The account or its organization is soft-deleted [API-182].
        grid_id: Home grid of the agent or customer.
    """

    id: int
    supabase_id: str | None
    email: str | None = None
    full_name: str | None = None
    organization_id: int | None = None
    organization_type: OrganizationType | None = None
    is_closed: bool = False
    member_id: int | None = None
    member_type: MemberType | None = None
    agent_id: int | None = None
    customer_id: int | None = None
    grid_id: int | None = None

    @property
    def account_type(self) -> AccountType | None:
        """The first of member, agent, customer that exists; None: a login without a role [API-48]."""
        if self.member_id is not None:
            return AccountType.MEMBER
        if self.agent_id is not None:
            return AccountType.AGENT
        return AccountType.CUSTOMER if self.customer_id is not None else None


@attrs.frozen(kw_only=True)
class ApiKey:
    """A stored machine credential; the secret itself is not part of it.

    Attributes:
        account_id: The owner, whose rights the key has.
        key_prefix: First characters of the key, for lists.
        scopes: None: all rights of the owner; else ``<first path segment>:read|write`` [R42].
    """

    id: int
    account_id: int
    created_at: datetime
    is_locked: bool = False
    key_prefix: str | None = None
    name: str | None = None
    scopes: frozenset[str] | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_usable(self, now: datetime) -> bool:
        """Tell whether the key itself counts at ``now``: neither locked, revoked nor expired."""
        is_current = self.expires_at is None or self.expires_at > now
        is_revoked = self.revoked_at is not None and self.revoked_at <= now
        return is_current and not is_revoked and not self.is_locked


@attrs.frozen(kw_only=True)
class NewApiKey:
    """A key as it is stored: its hash, never the secret [API-53].

    Attributes:
        key_hash: Lower-case hexadecimal SHA-256 of the whole key.
        key_prefix: Its first eight characters.
    """

    account_id: int
    key_hash: str
    key_prefix: str
    name: str | None = None
    scopes: frozenset[str] | None = None
    expires_at: datetime | None = None


@attrs.frozen(kw_only=True)
class CallOrigin:
    """Where a call came from, for the audit trail.

    Attributes:
        request_id: As in the log and the answer.
        address: IP address of the client; None: unknown.
    """

    request_id: str | None = None
    address: str | None = None


@attrs.frozen(kw_only=True)
class Principal:
    """The caller of a route, as the database knows them [API-47].

    Attributes:
        is_admin_org: A member (or a member's key) of the platform's own organization.
        grid_id: Of the agent or customer.
        token: The raw user token, for kind ``user`` only; never shown.
        token_expires_at: When that token stops counting.
        scopes: Of the key; None: all rights of the owner.
        api_key_id: The key, for kind ``key``.
        origin: Of the request that carries the credential.
    """

    account_id: int
    supabase_id: str | None
    email: str | None
    full_name: str
    account_type: AccountType | None
    member_type: MemberType | None
    organization_id: int | None
    organization_type: OrganizationType | None
    is_admin_org: bool
    member_id: int | None
    agent_id: int | None
    customer_id: int | None
    grid_id: int | None
    kind: CredentialKind
    token: str | None = attrs.field(default=None, repr=_hidden)
    token_expires_at: datetime | None = None
    scopes: frozenset[str] | None = None
    api_key_id: int | None = None
    origin: CallOrigin | None = None
