"""Who may do what: pure decisions over the principal."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime

import attrs

from nxt_domain.identity.access import Access
from nxt_domain.identity.model import (
    Account,
    AccountType,
    ApiKey,
    CallOrigin,
    CredentialKind,
    NewApiKey,
    OrganizationType,
    Principal,
    TokenClaims,
)
from nxt_domain.shared.audit import Actor, ActorKind
from nxt_domain.shared.errors import Forbidden, InvalidInput

NO_ACCESS = "You do not have access to this resource"
KEY_PREFIX = "nxt_"
_SHOWN_CHARACTERS = 8
_NO_ACCOUNT = 0
_SCOPE = re.compile(r"[a-z0-9_-]{1,64}:(read|write)")
_READ_ONLY_TENANTS = frozenset({OrganizationType.LENDER, OrganizationType.DATA_AGGREGATOR})


def principal_of_user(
    account: Account, claims: TokenClaims, token: str, *, admin_organization_id: int, origin: CallOrigin | None = None
) -> Principal:
    """Make the principal of a user; the database wins over the token's claims [API-47]."""
    return _principal(account, CredentialKind.USER, admin_organization_id, claims=claims, token=token, origin=origin)


def principal_of_key(account: Account, key: ApiKey, *, admin_organization_id: int) -> Principal:
    """Make the principal of a key, which acts as its owner [API-52]."""
    principal = _principal(account, CredentialKind.KEY, admin_organization_id)
    return attrs.evolve(principal, scopes=key.scopes, api_key_id=key.id)


def stranger(origin: CallOrigin) -> Principal:
    """Make the principal of whoever calls a route that the operator opened again: nobody known may do all [API-193]."""
    nobody = Account(id=_NO_ACCOUNT, supabase_id=None, full_name="Anybody")
    return attrs.evolve(_principal(nobody, CredentialKind.USER, _NO_ACCOUNT, origin=origin), is_admin_org=True)


def actor_of(principal: Principal) -> Actor:
    """Name a caller in the audit trail."""
    origin = principal.origin or CallOrigin()
    return Actor(
        kind=_actor_kind(principal),
        label=principal.full_name,
        account_id=principal.account_id or None,
        api_key_id=principal.api_key_id,
        request_id=origin.request_id,
        source_ip=origin.address,
    )


def _actor_kind(principal: Principal) -> ActorKind:
    if principal.kind is CredentialKind.KEY:
        return ActorKind.API_KEY
    if principal.account_id == _NO_ACCOUNT:
        return ActorKind.WEBHOOK
    # An account without a role may do nothing that is recorded [API-48].
    return ActorKind(principal.account_type or AccountType.CUSTOMER)


def _principal(
    account: Account,
    kind: CredentialKind,
    admin_organization_id: int,
    *,
    claims: TokenClaims | None = None,
    token: str | None = None,
    origin: CallOrigin | None = None,
) -> Principal:
    account_type = account.account_type
    return Principal(
        account_id=account.id,
        supabase_id=account.supabase_id,
        email=account.email or (claims.email if claims else None),
        full_name=account.full_name or (claims.full_name if claims else None) or "Unknown",
        account_type=account_type,
        member_type=account.member_type,
        organization_id=account.organization_id,
        organization_type=account.organization_type,
        is_admin_org=account_type is AccountType.MEMBER and account.organization_id == admin_organization_id,
        member_id=account.member_id,
        agent_id=account.agent_id,
        customer_id=account.customer_id,
        grid_id=account.grid_id,
        kind=kind,
        token=token,
        token_expires_at=claims.expires_at if claims else None,
        origin=origin,
    )


def may_own_key(account: Account | None) -> bool:
    """Tell whether an account's keys count: it lives, and is a member of an organization [API-51]."""
    return (
        account is not None
        and not account.is_closed
        and account.member_id is not None
        and account.organization_id is not None
    )


def require_access(principal: Principal, access: Access, *, segment: str, changes: bool) -> None:
    """Decide by the caller's kind alone, before any row is read [R39, R42].

    Args:
        principal: The caller.
        access: The route's row of the matrix.
        segment: First segment of the route's path, which scopes name.
        changes: Whether the route changes anything.

    Raises:
        Forbidden: The caller's kind, tenant or key may not use the route.
    """
    is_read_only_tenant = principal.organization_type in _READ_ONLY_TENANTS and not principal.is_admin_org
    if (
        not access.admits(principal)
        or (changes and is_read_only_tenant)
        or not _in_scope(principal.scopes, segment, changes=changes)
    ):
        raise Forbidden(NO_ACCESS)


def _in_scope(scopes: frozenset[str] | None, segment: str, *, changes: bool) -> bool:
    if scopes is None:
        return True
    # Who may write may read, too.
    return f"{segment}:write" in scopes or (not changes and f"{segment}:read" in scopes)


def require_partner(principal: Principal, kind: OrganizationType, *, segment: str) -> None:
    """Let platform staff and the partners of one kind read what a function offers across tenants [API-206, API-207].

    Args:
        principal: The caller.
        kind: Of organization.
        segment: First segment of the function's path, which a key's scopes name [R42].

    Raises:
        Forbidden: ``Not authorized``.
    """
    is_entitled = principal.is_admin_org or principal.organization_type is kind
    if not is_entitled or not _in_scope(principal.scopes, segment, changes=False):
        raise Forbidden("Not authorized")


def may_see_organization(principal: Principal, organization_id: int | None) -> bool:
    """Apply the tenant rule to something that belongs to an organization; None: it belongs to nobody [API-64]."""
    return principal.is_admin_org or (organization_id is not None and principal.organization_id == organization_id)


def bearer_token(authorization: str | None) -> str | None:
    """Return the user token of an ``Authorization`` header [API-43].

    It has exactly two parts with one blank between, the first of which is ``Bearer`` in any case; None: it hasn't.
    """
    parts = (authorization or "").split(" ")
    is_bearer = len(parts) == 2 and parts[0].lower() == "bearer" and parts[1] != ""
    return parts[1] if is_bearer else None


def key_hash(key: str) -> str:
    """Return the lower-case hexadecimal SHA-256 of a whole key [API-53]."""
    return hashlib.sha256(key.encode()).hexdigest()


def same_secret(presented: str | None, expected: str | None) -> bool:
    """Compare two secrets in constant time; an absent or empty one never matches [API-57]."""
    if not presented or not expected:
        return False
    # Header values may hold any byte; both sides are compared by their bytes.
    return hmac.compare_digest(presented.encode(errors="surrogateescape"), expected.encode())


def create_api_key(
    account_id: int,
    *,
    name: str | None = None,
    scopes: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> tuple[str, NewApiKey]:
    """Make a key: ``nxt_`` and 43 characters of base64url, 32 random bytes [API-53].

    Args:
        account_id: The owner.
        name: For lists.
        scopes: ``<first path segment>:read|write`` each; None: all rights of the owner.
        expires_at: When it stops counting; None: never.

    Returns:
        The key, to be shown once, and what is stored of it.

    Raises:
        InvalidInput: A scope is malformed.
    """
    malformed = [scope for scope in scopes or () if _SCOPE.fullmatch(scope) is None]
    if malformed:
        raise InvalidInput(f"not a scope: {', '.join(malformed)} (expected e.g. orders:read)", code="SCOPE_MALFORMED")
    key = KEY_PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return key, NewApiKey(
        account_id=account_id,
        key_hash=key_hash(key),
        key_prefix=key[:_SHOWN_CHARACTERS],
        name=name,
        scopes=None if scopes is None else frozenset(scopes),
        expires_at=expires_at,
    )


def bare_phone(phone: str) -> str:
    """Return a phone number as it is stored: without its leading plus [API-30]."""
    return phone.removeprefix("+")


def contact_keys(*, email: str | None, phone: str | None) -> Sequence[str]:
    """Name an e-mail and a phone so that the same ones have the same names, in one order everywhere."""
    named = [f"email:{email.lower()}" if email else None, f"phone:{bare_phone(phone)}" if phone else None]
    return sorted(name for name in named if name)


def same_contact(stored: str | None, given: str | None) -> bool:
    """Tell whether two e-mails or phones are the same, whatever their case and plus; absent ones never are."""
    if not stored or not given:
        return False
    return bare_phone(stored).lower() == bare_phone(given).lower()
