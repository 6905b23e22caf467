"""What the service role may do with everybody's logins [API-74, API-172 to API-177]."""

import asyncio
import uuid
from typing import Any

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.http_server import json_answer
from nxt_entrypoints.simulators.supabase.answers import (
    ban_end,
    checked_email,
    checked_password,
    checked_phone,
    merged,
    refusal,
)
from nxt_entrypoints.simulators.supabase.desk import Desk
from nxt_entrypoints.simulators.supabase.passwords import hash_password
from nxt_entrypoints.simulators.supabase.users import AuthUser

_LARGEST_PAGE = 1000
_DEFAULT_PAGE = 50
_LINKS = {"invite", "magiclink", "recovery", "signup"}


class Admin:
    """Routes of the service role.

    Args:
        desk: the service's state.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post("/auth/v1/invite", self._invite),
            web.post("/auth/v1/admin/generate_link", self._link),
            web.get("/auth/v1/admin/users", self._list),
            web.post("/auth/v1/admin/users", self._create),
            web.get("/auth/v1/admin/users/{id}", self._get),
            web.put("/auth/v1/admin/users/{id}", self._update),
            web.delete("/auth/v1/admin/users/{id}", self._delete),
        ]

    async def _create(self, request: web.Request) -> web.Response:
        self._desk.check_admin(request)
        body = await self._desk.body(request)
        if not checked_email(body.get("email")) and not checked_phone(body.get("phone")):
            raise refusal(400, "validation_failed", "Cannot create a user without either an email or phone")
        user = await self._changed(AuthUser(id=uuid.uuid4(), created_at=self._desk.clock()), body)
        user = await self._desk.save(user)
        if not body.get("email_confirm") and not body.get("phone_confirm"):
            self._desk.mark(user.id, is_open=True)
        return json_answer(self._desk.shown(user))

    async def _list(self, request: web.Request) -> web.Response:
        self._desk.check_admin(request)
        self._desk.control.log.add("http", method="GET", path=request.path)
        number, size = _number(request, "page", 1), min(_number(request, "per_page", _DEFAULT_PAGE), _LARGEST_PAGE)
        users, total = await self._desk.users.page(number, size)
        answer = json_answer({"users": [self._desk.shown(user) for user in users], "aud": "authenticated"})
        last = max(1, -(-total // size))
        links = [f'<{request.path}?page={last}&per_page={size}>; rel="last"']
        if number < last:
            links.insert(0, f'<{request.path}?page={number + 1}&per_page={size}>; rel="next"')
        answer.headers["X-Total-Count"] = str(total)
        answer.headers["Link"] = ", ".join(links)
        return answer

    async def _get(self, request: web.Request) -> web.Response:
        self._desk.control.log.add("http", method="GET", path="/auth/v1/admin/users")
        return json_answer(self._desk.shown(await self._user(request)))

    async def _update(self, request: web.Request) -> web.Response:
        body = await self._desk.body(request)
        async with self._desk.changing:
            user = await self._desk.save(await self._changed(await self._user(request), body))
        if body.get("email_confirm") or body.get("phone_confirm"):
            self._desk.mark(user.id, is_open=None)
        if user.banned_until is not None:
            self._desk.sessions.end_all(user.id)
        return json_answer(self._desk.shown(user))

    async def _delete(self, request: web.Request) -> web.Response:
        user = await self._user(request)
        self._desk.control.log.add("http", method="DELETE", path="/auth/v1/admin/users")
        await self._desk.remove(user.id)
        return json_answer({})

    async def _invite(self, request: web.Request) -> web.Response:
        self._desk.check_admin(request)
        body = await self._desk.body(request)
        redirect_to = request.query.get("redirect_to") or self._desk.config.site_url
        user = await self._invited(body)
        self._desk.mailbox.send("invite", user.id, str(user.email), redirect_to=redirect_to)
        return json_answer(self._desk.shown(user))

    async def _link(self, request: web.Request) -> web.Response:
        """Make a link as a mail would carry it, and send none."""
        self._desk.check_admin(request)
        body = await self._desk.body(request)
        kind = str(body.get("type"))
        if kind not in _LINKS:
            raise refusal(400, "validation_failed", f"Invalid email action link type requested: {kind}")
        user = await self._invited(body) if kind == "invite" else await self._by_email(body)
        redirect_to = str(body.get("redirect_to") or self._desk.config.site_url)
        ticket = self._desk.mailbox.send(kind, user.id, str(user.email), redirect_to=redirect_to)
        properties = {
            "action_link": self._desk.mailbox.link(ticket),
            "email_otp": ticket.code,
            "hashed_token": ticket.link_hash,
            "verification_type": kind,
            "redirect_to": redirect_to,
        }
        return json_answer(self._desk.shown(user) | properties)

    async def _invited(self, body: dict[str, Any]) -> AuthUser:
        email = checked_email(body.get("email"))
        if email is None:
            raise refusal(400, "validation_failed", "Unable to validate email address: invalid format")
        user = await self._desk.users.by_email(email)
        if user is not None and not self._desk.marks(user.id).get("is_open"):
            raise refusal(422, "email_exists", "A user with this email address has already been registered")
        if user is None:
            born = self._desk.clock()
            user = AuthUser(id=uuid.uuid4(), email=email, user_metadata=merged({}, body.get("data")), created_at=born)
            await self._desk.save(user)
        self._desk.mark(user.id, is_open=True, invited_at=self._desk.clock().isoformat())
        return user

    async def _by_email(self, body: dict[str, Any]) -> AuthUser:
        user = await self._desk.users.by_email(str(body.get("email")))
        if user is None:
            raise refusal(404, "user_not_found", "User with this email not found")
        return user

    async def _user(self, request: web.Request) -> AuthUser:
        self._desk.check_admin(request)
        try:
            user_id = uuid.UUID(request.match_info["id"])
        except ValueError:
            raise refusal(404, "validation_failed", "user_id must be an UUID") from None
        user = await self._desk.users.by_id(user_id)
        if user is None:
            raise refusal(404, "user_not_found", "User not found")
        return user

    async def _changed(self, user: AuthUser, body: dict[str, Any]) -> AuthUser:
        """Apply what a body names; metadata is merged."""
        password = user.encrypted_password
        if body.get("password"):
            password = await asyncio.to_thread(hash_password, checked_password(body["password"]))
        banned_until = user.banned_until
        if body.get("ban_duration"):
            banned_until = ban_end(body["ban_duration"], self._desk.clock())
        return attrs.evolve(
            user,
            email=checked_email(body.get("email")) or user.email,
            phone=checked_phone(body.get("phone")) or user.phone,
            encrypted_password=password,
            user_metadata=merged(user.user_metadata, body.get("user_metadata")),
            app_metadata=merged(user.app_metadata, body.get("app_metadata")),
            banned_until=banned_until,
        )


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name) or str(default)
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise refusal(400, "validation_failed", "Bad Pagination Parameters")
    return int(text)
