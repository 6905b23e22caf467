"""Logins at Supabase Auth, through its admin interface [API-74, API-172 … API-177]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from nxt_adapters.resilience import (
    CallFailed,
    CallPolicy,
    Faulty,
    HttpCaller,
    HttpFailed,
    HttpReply,
    OutboundMetrics,
)
from nxt_domain.identity.logins import Login, LoginChange, LoginRefused, LoginTaken, NewLogin
from nxt_domain.identity.rules import same_contact
from nxt_domain.shared.errors import (
    DomainError,
    InvalidInput,
    NotFound,
    TooManyRequests,
    Unavailable,
    UpstreamFailed,
)

SYSTEM: Final = "gotrue"
DEFAULT_POLICY: Final = CallPolicy(timeout_s=10.0, connect_timeout_s=5.0, concurrency=16)
PAGE_SIZE: Final = 1000

_MOST_PAGES = 1000
_MESSAGE_FIELDS = ("msg", "message", "error_description", "error")
_LONGEST_MESSAGE = 300
_TAKEN = frozenset({"email_exists", "phone_exists", "user_already_exists"})
_HOUR = timedelta(hours=1)


class GoTrueIdentityProvider:
    """``IdentityProvider`` at Supabase Auth.

    What can be repeated without harm is repeated after network errors; making a login is not.

    Args:
        base_url: ``SUPABASE_API_URL``.
        service_role_key: ``SUPABASE_SERVICE_ROLE_KEY``.
        policy: Time-outs, retries, breaker and bulkhead.
        metrics: Where outcomes are counted.
    """

    def __init__(
        self,
        base_url: str,
        service_role_key: str,
        *,
        policy: CallPolicy = DEFAULT_POLICY,
        metrics: OutboundMetrics | None = None,
    ) -> None:
        self._base_url = f"{base_url.rstrip('/')}/auth/v1"
        self._headers = {"Authorization": f"Bearer {service_role_key}", "apikey": service_role_key}
        self._http = HttpCaller(SYSTEM, policy, metrics=metrics)

    async def invite(self, email: str, *, full_name: str, redirect_to: str | None = None) -> Login:
        """See ``IdentityProvider.invite``."""
        params = {"redirect_to": redirect_to} if redirect_to else None
        body = {"email": email, "data": {"full_name": full_name}}
        return _login(await self._call("invite", "POST", "/invite", params=params, json=body))

    async def create(self, new: NewLogin) -> Login:
        """See ``IdentityProvider.create``."""
        wanted = {"email": new.email, "phone": new.phone, "password": new.password}
        body = {
            **{name: value for name, value in wanted.items() if value},
            "email_confirm": True,
            "phone_confirm": True,
            "user_metadata": {"full_name": new.full_name},
        }
        return _login(await self._call("create", "POST", "/admin/users", json=body))

    async def find(
        self, *, login_id: str | None = None, email: str | None = None, phone: str | None = None
    ) -> Login | None:
        """See ``IdentityProvider.find``; by contact it reads all logins, a thousand at a time."""
        if login_id is None:
            return await self._search(email, phone)
        try:
            return _login(await self._call("find", "GET", _user(login_id), repeatable=True))
        except NotFound:
            return None

    async def update(self, login_id: str, change: LoginChange) -> Login:
        """See ``IdentityProvider.update``."""
        return _login(await self._call("update", "PUT", _user(login_id), repeatable=True, json=_written(change)))

    async def delete(self, login_id: str) -> None:
        """See ``IdentityProvider.delete``."""
        try:
            await self._call("delete", "DELETE", _user(login_id), repeatable=True)
        except NotFound:
            return

    async def check(self) -> str:
        """Ask for one login, for ``nxt doctor``; return one line on what was found.

        Raises:
            DomainError: Supabase Auth can't be reached, or refuses the service role's key.
        """
        await self._call("check", "GET", "/admin/users", params={"page": "1", "per_page": "1"}, repeatable=True)
        return "the service role's key is accepted"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _search(self, email: str | None, phone: str | None) -> Login | None:
        for page in range(1, _MOST_PAGES + 1):
            params = {"page": str(page), "per_page": str(PAGE_SIZE)}
            body = await self._call("list", "GET", "/admin/users", params=params, repeatable=True)
            users = body.get("users")
            logins = [_login(user) for user in users if isinstance(user, Mapping)] if isinstance(users, list) else []
            for login in logins:
                if same_contact(login.email, email) or same_contact(login.phone, phone):
                    return login
            if len(logins) < PAGE_SIZE:
                return None
        return None

    async def _call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        repeatable: bool = False,
        **parts: Any,  # noqa: ANN401 - as of the caller
    ) -> Mapping[str, Any]:
        try:
            reply = await self._http.request(
                operation, method, f"{self._base_url}{path}", headers=self._headers, repeatable=repeatable, **parts
            )
            body = _object(reply)
        except HttpFailed as failed:
            if failed.status == 429:
                raise TooManyRequests(retry_after_s=int(failed.retry_after_s or 60)) from failed
            raise _away() from failed
        except CallFailed as failed:
            raise _away() from failed
        if reply.status >= 300:
            raise _refusal(reply.status, body)
        return body


def _refusal(status: int, body: Mapping[str, Any]) -> DomainError:
    """Name a refusal by its status [API-74]; the text is the provider's own."""
    texts = (body.get(field) for field in _MESSAGE_FIELDS)
    text = next((text for text in texts if isinstance(text, str) and text), "Refused by the identity provider")
    said = " ".join(text.split())[:_LONGEST_MESSAGE]
    match status:
        case 400:
            return InvalidInput(said, code="LOGIN_REFUSED")
        case 404:
            return NotFound(said)
        case 409 | 422:
            return LoginTaken(said) if _is_taken(body, said) else LoginRefused(said)
        case 408:
            return _away()
        case _:
            return UpstreamFailed("The identity provider refuses this system's credential or call")


def _is_taken(body: Mapping[str, Any], said: str) -> bool:
    # Older versions say it in words alone.
    return body.get("error_code") in _TAKEN or "already" in said


def _away() -> Unavailable:
    return Unavailable("The identity provider can't be reached", code="IDENTITY_PROVIDER_UNAVAILABLE")


def _user(login_id: str) -> str:
    return f"/admin/users/{quote(login_id, safe='')}"


def _object(reply: HttpReply) -> Mapping[str, Any]:
    try:
        value = reply.json()
    except Faulty:
        # A refusal may be a proxy's page; a success must say what was done.
        if reply.status < 300:
            raise
        return {}
    return value if isinstance(value, Mapping) else {}


def _written(change: LoginChange) -> dict[str, object]:
    body: dict[str, object] = {}
    if change.email:
        body |= {"email": change.email, "email_confirm": True}
    if change.phone:
        body |= {"phone": change.phone, "phone_confirm": True}
    if change.password:
        body["password"] = change.password
    if change.full_name:
        body["user_metadata"] = {"full_name": change.full_name}
    if change.app_metadata is not None:
        body["app_metadata"] = dict(change.app_metadata)
    if change.ban is not None:
        body["ban_duration"] = f"{change.ban // _HOUR}h" if change.ban else "none"
    return body


def _login(user: Mapping[str, Any]) -> Login:
    login_id = user.get("id")
    if not isinstance(login_id, str):
        # A success without a user: nobody knows what was done.
        raise _away()
    names, claims = user.get("user_metadata"), user.get("app_metadata")
    return Login(
        id=login_id.lower(),
        email=_text(user.get("email")),
        phone=_text(user.get("phone")),
        full_name=_text(names.get("full_name")) if isinstance(names, Mapping) else None,
        app_metadata=dict(claims) if isinstance(claims, Mapping) else {},
        banned_until=_instant(user.get("banned_until")),
        created_at=_instant(user.get("created_at")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str) or not value:
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
