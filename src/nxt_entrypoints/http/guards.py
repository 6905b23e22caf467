"""Guards: from a request's headers to the caller [API-42 … API-58]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import attrs

from nxt_domain.identity.model import CallOrigin, Principal
from nxt_domain.identity.rules import bearer_token, require_access, same_secret
from nxt_domain.identity.use_cases import (
    AuthenticateDataReader,
    AuthenticateKey,
    AuthenticateService,
    AuthenticateUser,
)
from nxt_domain.shared.errors import Unauthenticated
from nxt_entrypoints.http.routes import Guard, Route

T = TypeVar("T")

API_KEY_HEADER = "X-API-KEY"
_BEARER = "Bearer "


@attrs.frozen(kw_only=True)
class Gate:
    """Decides who comes in; each role fills in what its guards need.

    Attributes:
        user: For ``user_or_key``.
        key: For ``user_or_key``.
        service: For ``internal``.
        data: For ``data_key``.
        shared_key: For ``shared_key``; None or empty: such routes are open.
        ingress_key: The network server's shared key, for routes that accept it; None: none.
        open_routes: ``security.legacyOpenRoutes``: they answer without credential, too, and then know no caller.
    """

    user: AuthenticateUser | None = None
    key: AuthenticateKey | None = None
    service: AuthenticateService | None = None
    data: AuthenticateDataReader | None = None
    shared_key: str | None = attrs.field(default=None, repr=False)
    ingress_key: str | None = attrs.field(default=None, repr=False)
    open_routes: frozenset[str] = frozenset()

    async def admit(
        self, route: Route, headers: Mapping[str, str], origin: CallOrigin | None = None
    ) -> Principal | None:
        """Authenticate and, by the caller's kind, authorize.

        Args:
            route: What is asked for.
            headers: Of the request.
            origin: Where it came from; part of the principal.

        Returns:
            The caller; None where a route has none: public, vendor and open routes, shared keys.

        Raises:
            Unauthenticated: With the text that the guard has for the reason.
            Forbidden: The caller's kind may not use the route.
            Unavailable: A store or the identity provider can't be reached.
        """
        principal = await self._admit(route, headers, origin)
        if origin is None or principal is None or principal.origin is origin:
            return principal
        return attrs.evolve(principal, origin=origin)  # what is remembered of a key knows no request

    async def _admit(self, route: Route, headers: Mapping[str, str], origin: CallOrigin | None) -> Principal | None:
        match route.guard:
            case Guard.USER_OR_KEY:  # nearly all, so it comes first
                return await self._user_or_key(route, headers, origin)
            case Guard.PUBLIC | Guard.VENDOR:
                return None
            case Guard.INTERNAL:
                return await _require(self.service)(headers.get(API_KEY_HEADER))
            case Guard.DATA_KEY:
                return await self._data_reader(headers)
            case Guard.SHARED_KEY:
                self._check_shared(headers.get("Authorization"))
                return None
            case Guard.USER:
                return await self.authenticate(
                    token=bearer_token(headers.get("Authorization")), key=None, origin=origin
                )

    async def authenticate(self, *, token: str | None, key: str | None, origin: CallOrigin | None = None) -> Principal:
        """Authenticate by a user token, else by a key [API-43].

        Raises:
            Unauthenticated: ``Unauthorized`` without either; else the credential's own reason.
        """
        if token is not None:
            return await _require(self.user)(token, origin)
        if key:
            return await _require(self.key)(key)
        raise Unauthenticated("Unauthorized")

    def _check_shared(self, authorization: str | None) -> None:
        """Compare in constant time; the scheme in any case, then exactly one blank [DM-142]."""
        scheme, _, presented = (authorization or "").partition(" ")
        if self.shared_key and not (scheme.lower() == "bearer" and same_secret(presented, self.shared_key)):
            raise Unauthenticated("Unauthorized")

    async def _user_or_key(
        self, route: Route, headers: Mapping[str, str], origin: CallOrigin | None
    ) -> Principal | None:
        token = bearer_token(headers.get("Authorization"))
        key = headers.get(API_KEY_HEADER)
        if route.ingress and token is None and same_secret(key, self.ingress_key):
            return None
        if token is None and not key and route.name in self.open_routes:
            return None
        principal = await self.authenticate(token=token, key=key, origin=origin)
        require_access(principal, route.access, segment=route.segment, changes=route.changes)
        if route.live:
            await _require(self.user).confirm_session(principal)
        return principal

    async def _data_reader(self, headers: Mapping[str, str]) -> Principal:
        authorization = headers.get("Authorization", "")
        if not authorization.startswith(_BEARER) or authorization == _BEARER:
            raise Unauthenticated("Missing or malformed Authorization header")
        return await _require(self.data)(authorization.removeprefix(_BEARER))


def _require(part: T | None) -> T:
    if part is None:
        raise RuntimeError("a route's guard is not wired in this role")
    return part
