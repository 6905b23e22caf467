"""Logins as the identity provider keeps them: who may sign in, and what their tokens say [API-167, API-168]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs

from nxt_domain.identity.model import AccountType, MemberType, OrganizationType
from nxt_domain.shared.errors import Unprocessable

BAN = timedelta(hours=876_000)
"""How long a deleted person may not sign in: a hundred years [API-177]."""


SESSIONS_END_AT = "sessions_end_at_ms"
"""Application metadata of local logins: sessions that began until then have ended, in milliseconds since 1970.

Whole seconds, as in JWT's own claims, are too coarse: people sign in within the second of a sign-out.
"""


class LoginRefused(Unprocessable):
    """The identity provider refuses what was asked; its own words say why [API-74]."""

    default_code = "LOGIN_REFUSED"


class LoginTaken(LoginRefused):
    """Somebody has a login with this e-mail or phone."""

    default_code = "LOGIN_TAKEN"


EMAIL_TAKEN = "A user with this email address has already been registered"
PHONE_TAKEN = "Phone number already registered by another user"


def epoch_ms(moment: datetime) -> int:
    """Return an aware instant in whole milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


@attrs.frozen(kw_only=True)
class Login:
    """A login.

    Attributes:
        id: Lower-case UUID, ``accounts.supabase_id``.
        phone: Digits with country code, without plus [API-30].
        app_metadata: What its tokens say of its rights [API-168].
        banned_until: No token before that instant; None: none was forbidden.
        created_at: When it was made, where the provider tells.
    """

    id: str
    email: str | None = None
    phone: str | None = None
    full_name: str | None = None
    app_metadata: Mapping[str, object] = attrs.field(factory=dict)
    banned_until: datetime | None = None
    created_at: datetime | None = None

    def is_banned(self, now: datetime) -> bool:
        """Tell whether it may not sign in at ``now``."""
        return self.banned_until is not None and self.banned_until > now

    def has_ended(self, issued_at: datetime) -> bool:
        """Tell whether a local session that began at ``issued_at`` was ended since, by a sign-out or a new password."""
        end = self.app_metadata.get(SESSIONS_END_AT)
        return isinstance(end, int) and epoch_ms(issued_at) <= end


@attrs.frozen(kw_only=True)
class NewLogin:
    """A login to be made, confirmed from the start: no message is sent [API-174].

    Attributes:
        phone: With plus.
        password: None: it can't sign in by password yet.
    """

    full_name: str
    email: str | None = None
    phone: str | None = None
    password: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class LoginChange:
    """What changes on a login; None leaves it as it is.

    Attributes:
        phone: With plus.
        app_metadata: Merged, key by key; keys that are not given stay [API-168].
        ban: How long from now on it may not sign in; zero lifts a ban.
    """

    email: str | None = None
    phone: str | None = None
    full_name: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    app_metadata: Mapping[str, object] | None = None
    ban: timedelta | None = None


@attrs.frozen(kw_only=True)
class IssuedTokens:
    """The tokens of one session."""

    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)
    expires_at: datetime


@attrs.frozen(kw_only=True)
class TokenStamp:
    """Whose a token is, and from when.

    Attributes:
        login_id: The login.
        issued_at: Aware UTC.
    """

    login_id: str
    issued_at: datetime


def claims_of(
    *,
    account_id: int,
    account_type: AccountType,
    organization_id: int,
    member_type: MemberType | None = None,
    grid_id: int | None = None,
    organization_type: OrganizationType | None = None,
) -> Mapping[str, object]:
    """Write the application metadata of a person's login [API-168, REL-99].

    Args:
        account_id: The person's account.
        account_type: What they are.
        organization_id: Their tenant.
        member_type: Of members.
        grid_id: Of agents and customers.
        organization_type: Of the tenant; said only where it is not ``SOLAR_DEVELOPER``.
    """
    is_ordinary = organization_type in {None, OrganizationType.SOLAR_DEVELOPER}
    claims: Mapping[str, object | None] = {
        "account_id": account_id,
        "account_type": account_type.value,
        "organization_id": organization_id,
        "member_type": None if member_type is None else member_type.value,
        "grid_id": grid_id,
        "organization_type": None if is_ordinary or organization_type is None else organization_type.value,
    }
    return {name: value for name, value in claims.items() if value is not None}
