"""Port ``TopUpBot`` over Flow XO's hooks [PAY-119, AUTO-109, AUTO-110]."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlsplit

import attrs

from nxt_adapters.resilience import CallPolicy, HttpCaller, OutboundMetrics
from nxt_domain.orders.bot_notices import BotStatus, TopUpNotice
from nxt_domain.shared.errors import InvalidInput, UpstreamFailed
from nxt_domain.shared.json import JsonObject
from nxt_domain.shared.money import plain

NO_PHONE = "Phone number not available"
# One message after another, as chats want it.
DEFAULT_POLICY = CallPolicy(concurrency=1)


@attrs.frozen(kw_only=True)
class FlowXoSettings:
    """What the adapter needs from outside.

    Attributes:
        host: ``FLOW_XO_API``.
        endpoint: ``FLOW_XO_TOPUP_TOKEN_ENDPOINT``, put behind the host; who knows it can post there.
        response_path: ``FLOW_XO_TOKEN_RESPONSE_PATH``, in front of a grid's own part.
    """

    host: str
    endpoint: str = attrs.field(repr=False)
    response_path: str

    def __attrs_post_init__(self) -> None:
        parts = urlsplit(self.host)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise InvalidInput("FLOW_XO_API must be an http(s) URL", code="CONFIGURATION")

    @property
    def url(self) -> str:
        """Where notices are posted."""
        return f"{self.host.rstrip('/')}/{self.endpoint.lstrip('/')}"


class FlowXoTopUps:
    """Posts notices. Repeats within a call happen only if nothing arrived; the outbox repeats the rest, for a day.

    Args:
        settings: Addresses.
        policy: Limits.
        metrics: Where outcomes are counted.
    """

    def __init__(
        self, settings: FlowXoSettings, *, policy: CallPolicy = DEFAULT_POLICY, metrics: OutboundMetrics | None = None
    ) -> None:
        self._settings = settings
        self._http = HttpCaller("flowxo", policy, metrics=metrics, max_body_bytes=100_000)

    async def announce(self, notice: TopUpNotice) -> None:
        """See ``TopUpBot.announce``; names and the first status are fixed, since the bot filters on them."""
        await self._post(
            "announce",
            {
                "directive_id": notice.interaction_id,
                "directive_status": BotStatus.PENDING.value,
                "grid_name": notice.grid_name,
                "customer_name": notice.customer_name,
                "customer_phone": notice.customer_phone or NO_PHONE,
                "meter_external_reference": notice.meter_external_reference,
                "token": notice.token,
                "kwh": _plain(notice.energy_kwh),
                "amount": _plain(notice.amount),
                "response_path": f"{self._settings.response_path.rstrip('/')}/c/{notice.response_token}",
            },
        )

    async def follow_up(self, interaction_id: int, status: BotStatus) -> None:
        """See ``TopUpBot.follow_up``."""
        await self._post("follow_up", {"directive_id": interaction_id, "directive_status": status.value})

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _post(self, operation: str, content: JsonObject) -> None:
        reply = await self._http.request(operation, "POST", self._settings.url, json=content, repeat_unreached=True)
        if reply.status >= 300:
            raise UpstreamFailed(f"flowxo refused a notice with HTTP {reply.status}", code="BOT_REFUSED")


def _plain(value: Decimal) -> Decimal:
    """Drop trailing zeros, and keep to plain notation [PAY-3]."""
    return Decimal(plain(value))
