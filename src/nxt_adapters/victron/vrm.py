"""The VRM REST API: log-in, the shared budget, and answers with ``records`` or an error [TEL-46, TEL-47, TEL-51]."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import attrs
import jwt
import structlog

from nxt_adapters.resilience import CallFailed, CallPolicy, HttpCaller, HttpFailed, HttpReply, RetryPolicy
from nxt_adapters.victron.budget import Budget, VrmUse
from nxt_domain.grids.solar_chargers import SiteDevice
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Unavailable, UpstreamFailed
from nxt_domain.shared.json import Json

_log = structlog.get_logger(__name__)

DEFAULT_POLICY = CallPolicy(timeout_s=30.0, retry=RetryPolicy(attempts=4, wait_initial_s=1.0, wait_max_s=10.0))
"""30 s per attempt, three repeats [TEL-50]; each attempt takes its own turn of the budget."""

_RENEW_BEFORE_S = 60.0
_LONGEST_PATIENCE_S = 60.0


@attrs.frozen(kw_only=True)
class VrmSettings:
    """Where the API is, and who we are there.

    Attributes:
        url: ``VICTRON_API_URL``.
        username: ``VICTRON_USERNAME``.
        password: ``VICTRON_PASSWORD``; empty: ``token`` is used.
        token: ``VICTRON_API_TOKEN``, a personal access token.
    """

    url: str
    username: str = ""
    password: str = attrs.field(default="", repr=False)
    token: str = attrs.field(default="", repr=False)


class VrmApi:
    """Reads records; safe for many tasks of one event loop.

    Args:
        settings: Address and credentials.
        budget: Of all calls, log-ins included.
        clock: Tells when a session ends.
        policy: Limits of calls.
    """

    def __init__(
        self, settings: VrmSettings, budget: Budget, clock: Clock, *, policy: CallPolicy = DEFAULT_POLICY
    ) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._budget = budget
        self._clock = clock
        self._attempts = policy.retry
        once = attrs.evolve(policy, retry=attrs.evolve(policy.retry, attempts=1))
        self._caller = HttpCaller("victron-vrm", once)
        self._session: _Session | None = None
        self._renewal = asyncio.Lock()

    async def records(self, use: VrmUse, operation: str, path: str, *, params: Mapping[str, str] | None = None) -> Json:
        """Read the ``records`` of an answer.

        Args:
            use: Decides who goes first.
            operation: Label of metrics and errors, e.g. ``system-overview``.
            path: Below the base address, e.g. ``/installations/1/system-overview``.
            params: Query parameters.

        Raises:
            Unavailable: VRM can't be reached, is in trouble, or asks for patience.
            UpstreamFailed: It refuses us, or answers something else than records.
        """
        reply = await self._read(use, operation, path, params)
        if reply.status == HTTPStatus.UNAUTHORIZED and self._settings.password:
            self._session = None
            reply = await self._read(use, operation, path, params)
        if reply.status != HTTPStatus.OK:
            raise UpstreamFailed(f"VRM answered HTTP {reply.status} to {operation}", code="VRM_FAILED")
        body = _json(reply, operation)
        if not isinstance(body, dict) or "records" not in body:
            raise UpstreamFailed(f"VRM answered {operation} without records", code="VRM_FAILED")
        records: Json = body["records"]
        return records

    async def close(self) -> None:
        """Close the connections."""
        await self._caller.close()

    async def _read(self, use: VrmUse, operation: str, path: str, params: Mapping[str, str] | None) -> HttpReply:
        headers = {"Content-Type": "application/json", "X-Authorization": await self._credential(use)}
        return await self._patiently(use, operation, "GET", path, headers=headers, params=params)

    async def _credential(self, use: VrmUse) -> str:
        if not self._settings.password:
            return f"Token {self._settings.token}"
        async with self._renewal:  # whoever comes meanwhile gets the new session
            if self._session is None or self._session.ends_at - self._clock.now().timestamp() < _RENEW_BEFORE_S:
                self._session = await self._log_in(use)
            return f"Bearer {self._session.token}"

    async def _log_in(self, use: VrmUse) -> _Session:
        who = {"username": self._settings.username, "password": self._settings.password}
        reply = await self._patiently(use, "login", "POST", "/auth/login", json=who)
        body = _json(reply, "login") if reply.status == HTTPStatus.OK else None
        session = _session(body.get("token")) if isinstance(body, dict) else None
        if session is None:
            raise UpstreamFailed(f"Could not log into VRM (HTTP {reply.status})", code="VRM_LOGIN_FAILED")
        return session

    async def _patiently(self, use: VrmUse, operation: str, method: str, path: str, **parts: Any) -> HttpReply:  # noqa: ANN401 - those of the caller
        """Call, and again after a passing trouble; each call waits for its turn."""
        rule = self._attempts
        for attempt in range(1, rule.attempts + 1):
            await self._budget.take(use)
            try:
                return await self._caller.request(operation, method, self._url + path, **parts)
            except CallFailed as failed:
                is_refused_for_now = isinstance(failed, HttpFailed) and failed.status == HTTPStatus.TOO_MANY_REQUESTS
                if is_refused_for_now:
                    patience_s = min(failed.retry_after_s or rule.wait_max_s, _LONGEST_PATIENCE_S)
                    await self._budget.back_off(patience_s)
                if attempt == rule.attempts or not (failed.is_transient or is_refused_for_now):
                    raise Unavailable(f"VRM: {failed.message} ({operation})", code="VRM_UNAVAILABLE") from failed
                _log.info("a call of VRM is repeated", operation=operation, attempt=attempt, reason=failed.message)
            await asyncio.sleep(min(rule.wait_initial_s * 2 ** (attempt - 1), rule.wait_max_s))
        raise AssertionError("the loop ends by an answer or an error")


class VrmSiteDevices:
    """``SiteDevices`` at VRM.

    Args:
        api: The API.
    """

    def __init__(self, api: VrmApi) -> None:
        self._api = api

    async def of_site(self, site_id: str) -> list[SiteDevice]:
        """See ``SiteDevices.of_site``."""
        if not site_id.isalnum() or not site_id.isascii():
            raise UpstreamFailed("The id of the site is none of VRM's", code="VRM_FAILED")
        overview = "system-overview"
        records = await self._api.records(VrmUse.MPPT_SYNC, overview, f"/installations/{site_id}/{overview}")
        devices = records.get("devices") if isinstance(records, dict) else None
        return [_device(device) for device in devices if isinstance(device, dict)] if isinstance(devices, list) else []


@attrs.frozen
class _Session:
    token: str = attrs.field(repr=False)
    ends_at: float


def _session(token: Json) -> _Session | None:
    """Read when a session ends; the token is VRM's business, and is not verified here."""
    if not isinstance(token, str) or not token:
        return None
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None
    ends_at = claims.get("exp")
    return _Session(token, float(ends_at)) if isinstance(ends_at, int | float) else None


def _json(reply: HttpReply, operation: str) -> Json:
    try:
        return reply.json()
    except CallFailed as garbage:
        raise UpstreamFailed(f"VRM answered {operation} with something that is no JSON", code="VRM_FAILED") from garbage


def _device(device: Mapping[str, Json]) -> SiteDevice:
    name, custom_name, instance = device.get("name"), device.get("customName"), device.get("instance")
    return SiteDevice(
        name=name if isinstance(name, str) else None,
        custom_name=custom_name if isinstance(custom_name, str) else None,
        instance=instance if isinstance(instance, int) else None,
    )
