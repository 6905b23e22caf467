"""Signing in at a deployment that keeps its logins itself, in the words of Supabase Auth's client libraries [R30].

They answer while ``deployment.identity.provider`` is ``local``; point ``@supabase/supabase-js`` at the API role then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import attrs

from nxt_domain.identity.model import Principal
from nxt_domain.identity.use_cases.sign_in import OwnLogin, SignedIn, SignIn
from nxt_domain.shared.errors import InvalidInput, NotFound
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.rate_limit import SIGN_IN
from nxt_entrypoints.http.routes import Guard, Route, route
from nxt_entrypoints.http.rules import max_length

_TAGS = ("authentication",)
_ELSEWHERE: Mapping[int, str] = {404: "Supabase Auth keeps the logins of this deployment."}
_Text = Annotated[str, max_length(2048)]


@attrs.frozen(kw_only=True)
class Grant:
    """Which kind of proof is shown."""

    grant_type: str


@attrs.frozen(kw_only=True)
class Proof:
    """A password with an e-mail or phone, or a refresh token."""

    email: _Text | None = None
    phone: _Text | None = None
    password: _Text | None = attrs.field(default=None, repr=False)
    refresh_token: _Text | None = attrs.field(default=None, repr=False)


@route(
    "POST", "/auth/v1/token", guard=Guard.PUBLIC, summary="Sign in, or renew a session", tags=_TAGS, limit=SIGN_IN,
    errors=_ELSEWHERE,
)  # fmt: skip
async def sign_in(query: Grant, body: Proof, services: ApiServices) -> SignedIn:
    """`grant_type` is `password` (with `email` or `phone`) or `refresh_token`."""
    sessions = _here(services, "POST /auth/v1/token")
    match query.grant_type:
        case "password" if body.password and (body.email or body.phone):
            return await sessions.by_password(email=body.email, phone=body.phone, password=body.password)
        case "refresh_token" if body.refresh_token:
            return await sessions.refresh(body.refresh_token)
    raise InvalidInput("unsupported_grant_type, or its fields are missing", code="GRANT_UNSUPPORTED")


@route(
    "GET", "/auth/v1/user", guard=Guard.USER_OR_KEY, summary="Read the own login", tags=_TAGS, live=True,
    errors=_ELSEWHERE,
)  # fmt: skip
async def own_login(caller: Principal, services: ApiServices) -> OwnLogin:
    """The caller's; that of the owner for a key."""
    return await _here(services, "GET /auth/v1/user").own(caller)


@route(
    "POST", "/auth/v1/logout", guard=Guard.USER_OR_KEY, summary="Sign out everywhere", tags=_TAGS, live=True,
    changes=False,  # those who only read may leave as well
    errors=_ELSEWHERE,
)  # fmt: skip
async def sign_out(caller: Principal, services: ApiServices) -> None:
    """Ends all sessions of the caller, whatever `scope` says."""
    await _here(services, "POST /auth/v1/logout").sign_out(caller)


def _here(services: ApiServices, name: str) -> SignIn:
    """Return what keeps the sessions.

    Raises:
        NotFound: Logins are kept elsewhere: there is no such route then.
    """
    if services.people.sign_in is None:
        raise NotFound(f"Cannot {name}", code="NO_SUCH_ROUTE")
    return services.people.sign_in


ROUTES: tuple[Route, ...] = (sign_in, own_login, sign_out)
