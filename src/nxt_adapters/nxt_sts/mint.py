"""Port ``TokenMint`` over the ``nxt-sts`` service, with the texts of the stand-alone contract [DM-134 to DM-136]."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final

from nxt_adapters.nxt_sts.vendor import DEFAULT_POLICY, NxtStsSettings
from nxt_adapters.resilience import CallFailed, CallPolicy, Faulty, HttpCaller, HttpReply
from nxt_domain.messaging.mint import MintFailed, MintTimedOut, TokenOrder
from nxt_domain.shared.errors import InvalidInput

_WHO: Final = "[NXT STS TOKEN SERVICE]"
_FAILED: Final = f"{_WHO} Failed to generate token"
_KEY_MISSING: Final = f"{_WHO} device.decoderKey is required"
_KEY_MALFORMED: Final = f"{_WHO} device.decoderKey must be exactly 16 hex characters"
_DATE_MALFORMED: Final = (
    f'{_WHO} issueDateString must be an ISO 8601 datetime (e.g. "2024-03-15T10:30:00"), not a date-only string'
)
_KEY: Final = re.compile(r"[0-9A-Fa-f]{16}", re.ASCII)
_NONCES: Final = 16


class NxtStsMint:
    """Has tokens made by the service, which keeps nothing.

    Args:
        settings: Where it is.
        policy: Limits; nothing is repeated.
        nonce: Draws from 0…15.
    """

    def __init__(
        self,
        settings: NxtStsSettings,
        *,
        policy: CallPolicy = DEFAULT_POLICY,
        nonce: Callable[[], int] = lambda: secrets.randbelow(_NONCES),
    ) -> None:
        self._url = f"{settings.url}/token"
        self._nonce = nonce
        self._http = HttpCaller("nxt-sts", policy, keep_alive=False, max_body_bytes=100_000)

    async def mint(self, order: TokenOrder) -> str:
        """See ``TokenMint.mint``."""
        key = _decoder_key(order)
        if not _is_date_time(order.issue_date):
            raise InvalidInput(_DATE_MALFORMED)
        body: dict[str, object] = {
            "decoderKey": key,
            "randomNumber": self._nonce(),
            "issueDate": order.issue_date,
            "type": order.kind.value,
        }
        if order.energy_kwh is not None:
            body["kwh"] = order.energy_kwh
        if order.power_limit_w is not None:
            body["powerLimit"] = order.power_limit_w
        return _token(await self._ask(body))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _ask(self, body: dict[str, object]) -> HttpReply:
        try:
            return await self._http.request("token", "POST", self._url, json=body)
        except CallFailed as failed:
            if isinstance(failed.__cause__, TimeoutError):
                raise MintTimedOut(_FAILED) from failed
            raise MintFailed(_FAILED) from failed


def _decoder_key(order: TokenOrder) -> str:
    key = "" if order.decoder_key is None else order.decoder_key.reveal().strip()
    if not key:
        raise InvalidInput(_KEY_MISSING)
    if _KEY.fullmatch(key) is None:
        raise InvalidInput(_KEY_MALFORMED)
    return key


def _is_date_time(text: str) -> bool:
    if "T" not in text:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _token(reply: HttpReply) -> str:
    try:
        body = reply.json() if 200 <= reply.status < 300 else None
    except Faulty as garbage:
        raise MintFailed(_FAILED) from garbage
    token = body.get("token") if isinstance(body, dict) else None
    if not isinstance(token, str) or not token:
        raise MintFailed(_FAILED)
    return token
