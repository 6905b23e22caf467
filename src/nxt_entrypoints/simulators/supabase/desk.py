"""What all routes of the sign-in service share: users with their marks, sessions, mail, and who is calling."""

import asyncio
import hmac
import uuid
from typing import Any

import attrs
import jwt
import msgspec
from aiohttp import web

from nxt_entrypoints.simulators.control import Clock, ControlPlane
from nxt_entrypoints.simulators.http_server import RefusedError, encode_json, read_object
from nxt_entrypoints.simulators.state import StateStore
from nxt_entrypoints.simulators.supabase.answers import refusal, user_json
from nxt_entrypoints.simulators.supabase.mailbox import Mailbox
from nxt_entrypoints.simulators.supabase.sessions import ACCESS_TOKEN_S, InvalidTokenError, Session, Sessions
from nxt_entrypoints.simulators.supabase.users import AuthUser, BrokenError, TakenError, UserStore

_MARKS = "login"
_TAKEN = {
    "email": ("email_exists", "A user with this email address has already been registered"),
    "phone": ("phone_exists", "Phone number already registered by another user"),
}


@attrs.frozen(kw_only=True)
class SupabaseConfig:
    """How the sign-in service is set up.

    Attributes:
        port: 0 takes a free one.
        jwt_secret: signs access tokens (``SUPABASE_JWT_SECRET``).
        anon_key: accepted in the header ``apikey`` (``SUPABASE_ANON_KEY``).
        service_role_key: likewise (``SUPABASE_SERVICE_ROLE_KEY``), and opens the admin routes; empty: none.
        relational_url: the database with ``auth.users``; empty: no logins.
        site_url: where links lead that name no other page.
    """

    port: int = 0
    jwt_secret: str
    anon_key: str
    service_role_key: str = ""
    relational_url: str = ""
    site_url: str = "http://127.0.0.1:3000"


@attrs.frozen(kw_only=True)
class Desk:
    """The service's state, and its ways to answer.

    Attributes:
        changing: Held from reading a login to writing it, so that no change is lost.
    """

    config: SupabaseConfig
    users: UserStore
    sessions: Sessions
    mailbox: Mailbox
    store: StateStore
    control: ControlPlane
    clock: Clock
    changing: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    # -- requests -------------------------------------------------------------------------------

    async def body(self, request: web.Request) -> dict[str, Any]:
        """Read the JSON object of a request, and note the request in the log."""
        self.control.log.add("http", method=request.method, path=request.path)
        return await read_object(request, lambda text: refusal(400, "bad_json", text))

    def check_api_key(self, request: web.Request) -> None:
        """Refuse a request without one of the project's keys."""
        given = request.headers.get("apikey") or request.query.get("apikey")
        if not given:
            hint = "No `apikey` request header or url param was found."
            raise RefusedError(401, {"message": "No API key found in request", "hint": hint})
        known = [key for key in (self.config.anon_key, self.config.service_role_key) if key]
        if not any(hmac.compare_digest(given.encode(), key.encode()) for key in known):
            hint = "Double check your Supabase `anon` or `service_role` API key."
            raise RefusedError(401, {"message": "Invalid API key", "hint": hint})

    def check_admin(self, request: web.Request) -> None:
        """Refuse everybody but the service role."""
        self.check_api_key(request)
        try:
            claims = jwt.decode(
                bearer(request), self.config.jwt_secret, algorithms=["HS256"], options={"verify_aud": False}
            )
        except jwt.InvalidTokenError as error:
            raise refusal(403, "bad_jwt", f"invalid JWT: unable to parse or verify signature, {error}") from error
        if claims.get("role") not in {"service_role", "supabase_admin"}:
            raise refusal(403, "not_admin", "User not allowed")

    async def caller(self, request: web.Request) -> tuple[AuthUser, Session]:
        """Return whoever is signed in."""
        self.check_api_key(request)
        try:
            session = self.sessions.of_access_token(bearer(request))
        except InvalidTokenError as error:
            raise refusal(403, error.code, str(error)) from error
        user = await self.users.by_id(session.user_id)
        if user is None:
            raise refusal(403, "user_not_found", "User from sub claim in JWT does not exist")
        self.refuse_banned(user, 403)
        return user, session

    def refuse_banned(self, user: AuthUser, status: int) -> None:
        """Refuse a user who may not sign in for now."""
        if user.banned_until is not None and user.banned_until > self.clock():
            raise refusal(status, "user_banned", "User is banned")

    # -- users ----------------------------------------------------------------------------------

    async def save(self, user: AuthUser) -> AuthUser:
        """Store a user.

        Raises:
            RefusedError: the e-mail or phone is taken.
        """
        try:
            await self.users.put(user)
        except TakenError as taken:
            raise refusal(422, *_TAKEN[taken.field]) from taken
        return user

    async def remove(self, user_id: uuid.UUID) -> bool:
        """Delete a user with all sessions; False: there is none."""
        try:
            is_gone = await self.users.remove(user_id)
        except BrokenError as broken:
            raise refusal(500, "unexpected_failure", "Database error deleting user") from broken
        self.sessions.end_all(user_id)
        self.store.remove(_MARKS, [str(user_id)])
        return is_gone

    def marks(self, user_id: uuid.UUID) -> dict[str, object]:
        """Return what is known of a user beside the columns: open invitations and changes under way."""
        stored = self.store.all(_MARKS).get(str(user_id))
        return {} if stored is None else msgspec.json.decode(stored, type=dict[str, object])

    def mark(self, user_id: uuid.UUID, **marks: object) -> None:
        """Set marks; None takes one away."""
        kept = {name: value for name, value in {**self.marks(user_id), **marks}.items() if value is not None}
        if kept:
            self.store.put(_MARKS, {str(user_id): encode_json(kept)})
        else:
            self.store.remove(_MARKS, [str(user_id)])

    def shown(self, user: AuthUser) -> dict[str, object]:
        """Write a user for an answer."""
        return user_json(user, self.marks(user.id))

    # -- sessions -------------------------------------------------------------------------------

    async def begin(self, user: AuthUser) -> dict[str, object]:
        """Sign a user in, which confirms an open invitation."""
        self.mark(user.id, is_open=None)
        at = self.clock()
        await self.users.signed_in(user.id, at)
        return self.session_json(attrs.evolve(user, last_sign_in_at=at), *self.sessions.begin(user))

    def session_json(self, user: AuthUser, session: Session, refresh_token: str) -> dict[str, object]:
        """Write a session for an answer."""
        token, expires = self.sessions.access_token(session, user)
        return {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": ACCESS_TOKEN_S,
            "expires_at": expires,
            "refresh_token": refresh_token,
            "user": self.shown(user),
        }


def bearer(request: web.Request) -> str:
    """Return the token of the header ``Authorization``."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise refusal(401, "no_authorization", "This endpoint requires a valid Bearer token")
    return token
