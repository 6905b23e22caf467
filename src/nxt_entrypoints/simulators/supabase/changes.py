"""A signed-in user's own changes: password and name at once, e-mail and phone when confirmed [API-179, API-180]."""

import asyncio

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.http_server import json_answer
from nxt_entrypoints.simulators.supabase.answers import (
    checked_email,
    checked_password,
    checked_phone,
    merged,
    refusal,
)
from nxt_entrypoints.simulators.supabase.desk import Desk
from nxt_entrypoints.simulators.supabase.mailbox import Ticket
from nxt_entrypoints.simulators.supabase.passwords import hash_password, verify_password
from nxt_entrypoints.simulators.supabase.users import AuthUser


class OwnUser:
    """The routes of ``/user``.

    Args:
        desk: the service's state.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/auth/v1/user", self._show), web.put("/auth/v1/user", self._change)]

    async def _show(self, request: web.Request) -> web.Response:
        user, _session = await self._desk.caller(request)
        self._desk.control.log.add("http", method="GET", path="/auth/v1/user", user=str(user.id))
        return json_answer(self._desk.shown(user))

    async def _change(self, request: web.Request) -> web.Response:
        body = await self._desk.body(request)
        async with self._desk.changing:
            user, _session = await self._desk.caller(request)
            if body.get("password") is not None:
                user = await self._with_password(user, body["password"])
            user = await self._desk.save(attrs.evolve(user, user_metadata=merged(user.user_metadata, body.get("data"))))
        email, phone = checked_email(body.get("email")), checked_phone(body.get("phone"))
        if email is not None and email != user.email:
            await self._ask_by_mail(user, email, request)
        if phone is not None and phone != user.phone:
            self._desk.mailbox.send("phone_change", user.id, phone, new_value=phone)
            self._desk.mark(user.id, new_phone=phone)
        return json_answer(self._desk.shown(user))

    async def _with_password(self, user: AuthUser, given: object) -> AuthUser:
        password = checked_password(given)
        if await asyncio.to_thread(verify_password, password, user.encrypted_password):
            raise refusal(422, "same_password", "New password should be different from the old password.")
        return attrs.evolve(user, encrypted_password=await asyncio.to_thread(hash_password, password))

    async def _ask_by_mail(self, user: AuthUser, email: str, request: web.Request) -> None:
        if await self._desk.users.by_email(email) is not None:
            raise refusal(422, "email_exists", "A user with this email address has already been registered")
        redirect_to = request.query.get("redirect_to") or self._desk.config.site_url
        # The old address must agree as well, so that a stolen session can't take the login away.
        for kind, to in (("email_change_current", user.email), ("email_change", email)):
            if to:
                self._desk.mailbox.send(kind, user.id, to, redirect_to=redirect_to, new_value=email)
        self._desk.mark(user.id, new_email=email, awaits=2 if user.email else 1)


async def apply_change(desk: Desk, user: AuthUser, ticket: Ticket) -> AuthUser:
    """Do what a confirmed ticket stands for; return the user as they are then."""
    if ticket.kind == "phone_change":
        desk.mark(user.id, new_phone=None)
        return await desk.save(attrs.evolve(user, phone=ticket.new_value))
    if ticket.kind in {"email_change", "email_change_current"}:
        awaited = desk.marks(user.id).get("awaits")
        if isinstance(awaited, int) and awaited > 1:
            desk.mark(user.id, awaits=awaited - 1)
            return user
        desk.mark(user.id, new_email=None, awaits=None)
        return await desk.save(attrs.evolve(user, email=ticket.new_value))
    return user
