"""The sign-in service as one thing to start and stop [R30, API-49, API-178]."""

import asyncio
import hmac
import uuid
from typing import Any

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.control import Clock, ControlPlane, utc_now
from nxt_entrypoints.simulators.http_server import HttpSide, RefusedError, json_answer, read_object
from nxt_entrypoints.simulators.state import StateStore
from nxt_entrypoints.simulators.supabase.passwords import hash_password, verify_password
from nxt_entrypoints.simulators.supabase.sessions import (
    ACCESS_TOKEN_S,
    InvalidTokenError,
    Session,
    Sessions,
)
from nxt_entrypoints.simulators.supabase.users import (
    AuthUser,
    MemoryUserStore,
    PostgresUserStore,
    UserStore,
)


@attrs.frozen(kw_only=True)
class SupabaseConfig:
    """How the sign-in service is set up.

    Attributes:
        port: 0 takes a free one.
        jwt_secret: signs access tokens (``SUPABASE_JWT_SECRET``).
        anon_key: accepted in the header ``apikey`` (``SUPABASE_ANON_KEY``).
        service_role_key: likewise (``SUPABASE_SERVICE_ROLE_KEY``); empty: none.
        relational_url: the database with ``auth.users``; empty: no logins.
    """

    port: int = 0
    jwt_secret: str
    anon_key: str
    service_role_key: str = ""
    relational_url: str = ""


class Supabase:
    """GoTrue: password and refresh grants, the user of a token, sign-out.

    Args:
        config: port, secrets, database.
        store: memory of sessions between runs.
        users: where logins are; None takes the configured database.
        seed: start of the faults.
        clock: the present instant.
    """

    def __init__(
        self,
        config: SupabaseConfig,
        store: StateStore,
        *,
        users: UserStore | None = None,
        seed: int = 0,
        clock: Clock = utc_now,
    ) -> None:
        self._config = config
        if users is None:
            users = PostgresUserStore(config.relational_url) if config.relational_url else MemoryUserStore()
        self.users = users
        self._clock = clock
        self._sessions = Sessions(store, config.jwt_secret, "", clock)
        self._nobody = hash_password("nobody")
        self.control = ControlPlane(seed=seed, clock=clock)
        self.http = HttpSide(
            self.control,
            vendor_prefixes=("/auth/v1/",),
            server_error=lambda: _refusal(500, "unexpected_failure", "Unexpected failure"),
        )
        self.http.app.add_routes(
            [
                web.post("/auth/v1/token", self._token),
                web.get("/auth/v1/user", self._user),
                web.post("/auth/v1/logout", self._logout),
                web.get("/auth/v1/health", self._health),
                web.get("/auth/v1/.well-known/jwks.json", self._jwks),
            ]
        )

    async def start(self) -> None:
        """Open the listener."""
        await self.http.start(self._config.port)
        self._sessions.issuer = f"{self.http.url}/auth/v1"

    async def stop(self) -> None:
        """Close the listener and the database's connections."""
        await self.http.stop()
        await self.users.close()

    # -- routes ---------------------------------------------------------------------------------

    async def _token(self, request: web.Request) -> web.Response:
        self._check_api_key(request)
        grant = request.query.get("grant_type", "")
        body = await read_object(request, lambda text: _refusal(400, "bad_json", text))
        self.control.log.add("http", method="POST", path="/auth/v1/token", grant_type=grant)
        if grant == "password":
            user = await self._signed_in(body)
            return self._answer(user, *self._sessions.begin(user))
        if grant == "refresh_token":
            return await self._refresh(body)
        raise _refusal(400, "validation_failed", "unsupported_grant_type")

    async def _signed_in(self, body: dict[str, Any]) -> AuthUser:
        password = body.get("password")
        if not isinstance(password, str) or not password:
            raise _refusal(400, "validation_failed", "missing password")
        user = await self._find(body)
        stored = user.encrypted_password if user is not None else self._nobody
        fits = await asyncio.to_thread(verify_password, password, stored)
        if user is None or not fits:
            raise _refusal(400, "invalid_credentials", "Invalid login credentials")
        self._refuse_banned(user, 400)
        return user

    def _refuse_banned(self, user: AuthUser, status: int) -> None:
        if user.banned_until is not None and user.banned_until > self._clock():
            raise _refusal(status, "user_banned", "User is banned")

    async def _find(self, body: dict[str, Any]) -> AuthUser | None:
        email, phone = body.get("email"), body.get("phone")
        if isinstance(email, str) and email:
            return await self.users.by_email(email.strip())
        if isinstance(phone, str) and phone:
            return await self.users.by_phone(phone.strip())
        raise _refusal(400, "validation_failed", "missing email or phone")

    async def _refresh(self, body: dict[str, Any]) -> web.Response:
        token = body.get("refresh_token")
        if not isinstance(token, str) or not token:
            raise _refusal(400, "validation_failed", "refresh_token required")
        try:
            session, fresh = self._sessions.rotate(token)
        except InvalidTokenError as error:
            raise _refusal(400, error.code, str(error)) from error
        user = await self.users.by_id(session.user_id)
        if user is None:
            raise _refusal(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
        self._refuse_banned(user, 400)
        return self._answer(user, session, fresh)

    def _answer(self, user: AuthUser, session: Session, refresh_token: str) -> web.Response:
        token, expires = self._sessions.access_token(session, user)
        return json_answer(
            {
                "access_token": token,
                "token_type": "bearer",
                "expires_in": ACCESS_TOKEN_S,
                "expires_at": expires,
                "refresh_token": refresh_token,
                "user": self._user_json(user),
            }
        )

    async def _user(self, request: web.Request) -> web.Response:
        user, _session = await self._caller(request)
        self.control.log.add("http", method="GET", path="/auth/v1/user", user=str(user.id))
        return json_answer(self._user_json(user))

    async def _logout(self, request: web.Request) -> web.Response:
        user, session = await self._caller(request)
        self.control.log.add("http", method="POST", path="/auth/v1/logout", user=str(user.id))
        scope = request.query.get("scope", "global")
        if scope == "local":
            self._sessions.end(session.id)
        elif scope in {"global", "others"}:
            self._sessions.end_all(user.id, keep=session.id if scope == "others" else None)
        else:
            raise _refusal(400, "validation_failed", f"Unsupported logout scope {scope!r}")
        return web.Response(status=204)

    async def _health(self, _request: web.Request) -> web.Response:
        return json_answer({"version": "v2", "name": "GoTrue", "description": "GoTrue stand-in"})

    async def _jwks(self, _request: web.Request) -> web.Response:
        return json_answer({"keys": []})

    # -- callers --------------------------------------------------------------------------------

    def _check_api_key(self, request: web.Request) -> None:
        given = request.headers.get("apikey") or request.query.get("apikey")
        if not given:
            hint = "No `apikey` request header or url param was found."
            raise RefusedError(401, {"message": "No API key found in request", "hint": hint})
        known = [key for key in (self._config.anon_key, self._config.service_role_key) if key]
        if not any(hmac.compare_digest(given.encode(), key.encode()) for key in known):
            hint = "Double check your Supabase `anon` or `service_role` API key."
            raise RefusedError(401, {"message": "Invalid API key", "hint": hint})

    async def _caller(self, request: web.Request) -> tuple[AuthUser, Session]:
        self._check_api_key(request)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _refusal(401, "no_authorization", "This endpoint requires a valid Bearer token")
        try:
            session = self._sessions.of_access_token(token)
        except InvalidTokenError as error:
            raise _refusal(403, error.code, str(error)) from error
        user = await self.users.by_id(session.user_id)
        if user is None:
            raise _refusal(403, "user_not_found", "User from sub claim in JWT does not exist")
        self._refuse_banned(user, 403)
        return user, session

    def _user_json(self, user: AuthUser) -> dict[str, object]:
        return {
            "id": str(user.id),
            "aud": "authenticated",
            "role": "authenticated",
            "email": user.email or "",
            "phone": user.phone or "",
            "app_metadata": {"provider": "email", "providers": ["email"]} | dict(user.app_metadata),
            "user_metadata": dict(user.user_metadata),
            "identities": [{"id": str(uuid.uuid5(user.id, "email")), "user_id": str(user.id), "provider": "email"}],
            "is_anonymous": False,
        }


def _refusal(status: int, code: str, message: str) -> RefusedError:
    """Return an error in GoTrue's shape."""
    return RefusedError(status, {"code": status, "error_code": code, "msg": message})
