"""Signing in and out: password, one-time codes, links, refresh [API-178, API-179]."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from nxt_entrypoints.simulators.http_server import json_answer
from nxt_entrypoints.simulators.supabase.answers import checked_email, checked_phone, refusal
from nxt_entrypoints.simulators.supabase.changes import apply_change
from nxt_entrypoints.simulators.supabase.desk import Desk
from nxt_entrypoints.simulators.supabase.mailbox import Ticket
from nxt_entrypoints.simulators.supabase.passwords import hash_password, verify_password
from nxt_entrypoints.simulators.supabase.sessions import InvalidTokenError
from nxt_entrypoints.simulators.supabase.users import AuthUser

_EXPIRED = "Token has expired or is invalid"
_BY_MAIL = {"magiclink", "recovery", "invite", "signup"}


class SignIn:
    """Routes that give, renew and end sessions.

    Args:
        desk: the service's state.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._nobody = hash_password("nobody")

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post("/auth/v1/token", self._token),
            web.post("/auth/v1/otp", self._otp),
            web.post("/auth/v1/magiclink", self._otp),
            web.post("/auth/v1/verify", self._verify),
            web.get("/auth/v1/verify", self._follow),
            web.post("/auth/v1/recover", self._recover),
            web.post("/auth/v1/signup", self._signup),
            web.post("/auth/v1/logout", self._logout),
        ]

    async def _token(self, request: web.Request) -> web.Response:
        self._desk.check_api_key(request)
        grant = request.query.get("grant_type", "")
        body = await self._desk.body(request)
        match grant:
            case "password":
                return json_answer(await self._desk.begin(await self._by_password(body)))
            case "refresh_token":
                return await self._refresh(body)
            case "pkce":
                return await self._exchange(body)
        raise refusal(400, "validation_failed", "unsupported_grant_type")

    async def _by_password(self, body: Mapping[str, Any]) -> AuthUser:
        password = body.get("password")
        if not isinstance(password, str) or not password:
            raise refusal(400, "validation_failed", "missing password")
        user = await self._find(body)
        stored = user.encrypted_password if user is not None else self._nobody
        fits = await asyncio.to_thread(verify_password, password, stored)
        if user is None or not fits:
            raise refusal(400, "invalid_credentials", "Invalid login credentials")
        self._desk.refuse_banned(user, 400)
        if self._desk.marks(user.id).get("is_open"):
            raise refusal(400, "email_not_confirmed", "Email not confirmed")
        return user

    async def _find(self, body: Mapping[str, Any]) -> AuthUser | None:
        email, phone = body.get("email"), body.get("phone")
        if isinstance(email, str) and email:
            return await self._desk.users.by_email(email.strip())
        if isinstance(phone, str) and phone:
            return await self._desk.users.by_phone(phone.strip())
        raise refusal(400, "validation_failed", "missing email or phone")

    async def _refresh(self, body: Mapping[str, Any]) -> web.Response:
        token = body.get("refresh_token")
        if not isinstance(token, str) or not token:
            raise refusal(400, "validation_failed", "refresh_token required")
        try:
            session, fresh = self._desk.sessions.rotate(token)
        except InvalidTokenError as error:
            raise refusal(400, error.code, str(error)) from error
        user = await self._desk.users.by_id(session.user_id)
        if user is None:
            raise refusal(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
        self._desk.refuse_banned(user, 400)
        return json_answer(self._desk.session_json(user, session, fresh))

    async def _exchange(self, body: Mapping[str, Any]) -> web.Response:
        user_id = self._desk.mailbox.exchange(str(body.get("auth_code")), str(body.get("code_verifier")))
        user = None if user_id is None else await self._desk.users.by_id(user_id)
        if user is None:
            raise refusal(404, "flow_state_not_found", "invalid flow state, no valid flow state found")
        self._desk.refuse_banned(user, 403)
        return json_answer(await self._desk.begin(user))

    async def _otp(self, request: web.Request) -> web.Response:
        self._desk.check_api_key(request)
        body = await self._desk.body(request)
        email, phone = checked_email(body.get("email")), checked_phone(body.get("phone"))
        if not email and not phone:
            raise refusal(400, "validation_failed", "One of email or phone must be set")
        user = await self._find({"email": email, "phone": phone})
        if user is None:
            raise refusal(422, "otp_disabled", "Signups not allowed for otp")
        self._desk.refuse_banned(user, 403)
        challenge = str(body.get("code_challenge") or "")
        if email:
            self._mail("magiclink", user, email, request, challenge)
            return json_answer({})
        self._desk.mailbox.send("sms", user.id, str(phone))
        return json_answer({"message_id": ""})

    async def _recover(self, request: web.Request) -> web.Response:
        self._desk.check_api_key(request)
        body = await self._desk.body(request)
        email = checked_email(body.get("email"))
        if email is None:
            raise refusal(400, "validation_failed", "Password recovery requires an email")
        user = await self._desk.users.by_email(email)
        # Whether there is such a user must not show.
        if user is not None:
            self._mail("recovery", user, email, request, str(body.get("code_challenge") or ""))
        return json_answer({})

    def _mail(self, kind: str, user: AuthUser, email: str, request: web.Request, challenge: str) -> None:
        redirect_to = request.query.get("redirect_to") or self._desk.config.site_url
        self._desk.mailbox.send(kind, user.id, email, redirect_to=redirect_to, challenge=challenge)

    async def _verify(self, request: web.Request) -> web.Response:
        self._desk.check_api_key(request)
        body = await self._desk.body(request)
        user = await self._redeem(self._ticket(body))
        return json_answer(await self._desk.begin(user))

    def _ticket(self, body: Mapping[str, Any]) -> Ticket | None:
        if isinstance(body.get("token_hash"), str):
            return self._desk.mailbox.use_hash(body["token_hash"])
        kind, code = str(body.get("type")), str(body.get("token"))
        to = checked_email(body.get("email")) or checked_phone(body.get("phone"))
        if to is None:
            raise refusal(400, "validation_failed", "Only an email address or phone number should be provided")
        kinds = _BY_MAIL if kind == "email" else {kind}
        return self._desk.mailbox.use_code(kinds, to, code)

    async def _redeem(self, ticket: Ticket | None) -> AuthUser:
        user = None if ticket is None else await self._desk.users.by_id(ticket.user_id)
        if ticket is None or user is None:
            raise refusal(403, "otp_expired", _EXPIRED)
        self._desk.refuse_banned(user, 403)
        return await apply_change(self._desk, user, ticket)

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        """Open the link of a mail: it leads on, with a session, a code for one, or an error."""
        self._desk.control.log.add("http", method="GET", path="/auth/v1/verify")
        target = request.query.get("redirect_to") or self._desk.config.site_url
        ticket = self._desk.mailbox.use_hash(request.query.get("token", ""))
        if ticket is None:
            error = {"error": "access_denied", "error_code": "otp_expired", "error_description": _EXPIRED}
            raise web.HTTPSeeOther(f"{target}#{urlencode(error)}")
        user = await self._redeem(ticket)
        if ticket.challenge:
            raise web.HTTPSeeOther(f"{target}?{urlencode({'code': self._desk.mailbox.offer(ticket)})}")
        session = await self._desk.begin(user)
        shown = {name: value for name, value in session.items() if name != "user"} | {"type": ticket.kind}
        raise web.HTTPSeeOther(f"{target}#{urlencode(shown)}")

    async def _signup(self, request: web.Request) -> web.Response:
        self._desk.check_api_key(request)
        await self._desk.body(request)
        raise refusal(422, "signup_disabled", "Signups not allowed for this instance")

    async def _logout(self, request: web.Request) -> web.Response:
        user, session = await self._desk.caller(request)
        self._desk.control.log.add("http", method="POST", path="/auth/v1/logout", user=str(user.id))
        scope = request.query.get("scope", "global")
        if scope == "local":
            self._desk.sessions.end(session.id)
        elif scope in {"global", "others"}:
            self._desk.sessions.end_all(user.id, keep=session.id if scope == "others" else None)
        else:
            raise refusal(400, "validation_failed", f"Unsupported logout scope {scope!r}")
        return web.Response(status=204)
