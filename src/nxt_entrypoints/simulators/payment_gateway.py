"""What the simulated payment gateways share: accounts known by their keys, a listener, webhooks that are repeated."""

import asyncio
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.control import Clock, ControlPlane, utc_now
from nxt_entrypoints.simulators.http_server import HttpSide, RefusedError, plain_refusal
from nxt_entrypoints.simulators.webhooks import Poster, Tasks

_LATE_S = 20.0
_ANSWER_WITHIN_S = 60.0

WordT = TypeVar("WordT", bound=str)
Refusal = Callable[[str], RefusedError]
"""Makes the refusal that a caller, or a payer, is told."""


class Account(Protocol):
    """A merchant account."""

    @property
    def name(self) -> str:
        """``platform``, or any other name."""

    @property
    def secret_key(self) -> str:
        """Bearer of its API calls."""

    @property
    def webhook_url(self) -> str:
        """Where its events go; empty: nowhere."""


@attrs.frozen(kw_only=True)
class GatewayConfig:
    """How a gateway is set up.

    Attributes:
        port: 0 takes a free one.
        webhook_retries: deliveries after the first one while the answer isn't 200.
        webhook_retry_s: seconds between them.
    """

    port: int = 0
    webhook_retries: int = 3
    webhook_retry_s: float = 10.0


class Deliveries:
    """Delivers the events of one merchant, again and again while nobody answers 200.

    Args:
        merchant: where to.
        frame: faults, log, pace, and where deliveries run.
        headers: sent with every event.
    """

    def __init__(self, merchant: Account, frame: "GatewayFrame", headers: Mapping[str, str] | None = None) -> None:
        self._frame = frame
        self._poster = Poster(
            frame.control, merchant.webhook_url, headers or {}, pace=frame.pace, timeout_s=_ANSWER_WITHIN_S
        )

    def start(self, body: bytes, *, headers: Mapping[str, str] | None = None, **facts: object) -> None:
        """Deliver an event in the background.

        Args:
            body: what is posted.
            headers: of this event.
            facts: for the log; the first one names the task.
        """
        name = f"webhook {next(iter(facts.values()))}"
        self._frame.tasks.start(self._deliver(body, headers, facts), name)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    async def _deliver(self, body: bytes, headers: Mapping[str, str] | None, facts: Mapping[str, object]) -> None:
        control, config = self._frame.control, self._frame.config
        await self._poster.linger(_LATE_S)
        for attempt in range(1 + config.webhook_retries):
            await control.until_up()
            if control.hits(control.faults.loss_rate):
                control.log.add("webhook", **facts, attempt=attempt, status="lost")
                return
            status = await self._poster.post_for_status(body, content_type="application/json", headers=headers)
            control.log.add("webhook", **facts, attempt=attempt, status=status)
            if status == 200:
                return
            await asyncio.sleep(config.webhook_retry_s)


class GatewayFrame:
    """A gateway's listener and its accounts.

    Args:
        config: port and retries.
        merchants: the accounts; the first is the platform's.
        prefixes: of the vendor's own paths, which suffer the faults.
        server_error: what the vendor says when it fails.
        unauthorized: what it says to a wrong key.
        pace: divisor of the lateness of reordered events.
        seed: start of the faults.
        clock: the present instant.
    """

    def __init__(
        self,
        config: GatewayConfig,
        merchants: Sequence[Account],
        *,
        prefixes: Sequence[str],
        server_error: Callable[[], RefusedError],
        unauthorized: Callable[[], RefusedError],
        pace: float = 1.0,
        seed: int = 0,
        clock: Clock = utc_now,
    ) -> None:
        self.config = config
        self._merchants = tuple(merchants)
        self.pace = pace
        self.tasks = Tasks()
        self.control = ControlPlane(seed=seed, clock=clock)
        self.http = HttpSide(self.control, vendor_prefixes=tuple(prefixes), server_error=server_error)
        self._unauthorized = unauthorized
        self._deliveries: list[Deliveries] = []

    def deliveries(self, merchant: Account, headers: Mapping[str, str] | None = None) -> Deliveries:
        """Make what delivers the events of a merchant."""
        made = Deliveries(merchant, self, headers)
        self._deliveries.append(made)
        return made

    async def start(self) -> None:
        """Open the listener."""
        await self.http.start(self.config.port)

    async def stop(self) -> None:
        """Close the listener; events still to be delivered are lost, as verification finds them."""
        await self.http.stop()
        await self.tasks.stop()
        for each in self._deliveries:
            await each.close()

    def merchant(self, request: web.Request) -> str:
        """Return the account whose secret key the call carries, and log the call."""
        given = request.headers.get("Authorization", "").encode()
        for merchant in self._merchants:
            if hmac.compare_digest(given, f"Bearer {merchant.secret_key}".encode()):
                self.control.log.add("http", method=request.method, path=request.path_qs, merchant=merchant.name)
                return merchant.name
        raise self._unauthorized()

    def merchant_of_payer(self, body: Mapping[str, Any]) -> str:
        """Return the account that a payer names; the platform's by default."""
        named = body.get("merchant", self._merchants[0].name)
        if named not in {merchant.name for merchant in self._merchants}:
            raise plain_refusal(f"unknown merchant {named}")
        return str(named)


def currency_of(value: object, refusal: Refusal) -> str:
    """Read an ISO code of three capitals."""
    if not isinstance(value, str) or len(value) != 3 or not value.isupper():
        raise refusal("currency must be an ISO code of three capitals")
    return value


def one_of(body: Mapping[str, Any], key: str, allowed: Sequence[WordT], default: WordT) -> WordT:
    """Read a word of a payer's body."""
    value = body.get(key, default)
    for word in allowed:
        if word == value:
            return word
    raise plain_refusal(f"{key} must be one of {', '.join(allowed)}")


def refuse_unknown(body: Mapping[str, Any], known: set[str]) -> None:
    """Refuse a payer's misspelt keys."""
    if unknown := sorted(set(body) - known):
        raise plain_refusal(f"unknown keys: {', '.join(unknown)}")
