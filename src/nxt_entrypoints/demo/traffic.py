"""Villagers who pay: each opens the public page, gets an order, and pays it at the gateway [R10, R34]."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import aiohttp
import attrs
import structlog

_log = structlog.get_logger(__name__)
_AMOUNTS = (200, 300, 500, 500, 1000, 1000, 1500, 2000)
_METHODS = ("card", "bank_transfer", "ussd")
_TIMEOUT = aiohttp.ClientTimeout(total=15)


@attrs.frozen(kw_only=True)
class Purchase:
    """A purchase that a villager made.

    Attributes:
        order_id: As the public page got it.
    """

    order_id: int
    meter_number: str
    amount: int


class Traffic:
    """Pays at a steady pace, village by village, until stopped.

    Args:
        api_url: The API role.
        gateway_url: The payment gateway's simulator.
        villages: Meter numbers of each village.
        per_minute: Purchases per minute and village; a purchase takes two downlink slots of two seconds.
        seed: Makes runs alike.
    """

    def __init__(
        self, *, api_url: str, gateway_url: str, villages: Sequence[Sequence[str]], per_minute: float, seed: int = 1
    ) -> None:
        self._api_url = api_url
        self._gateway_url = gateway_url
        self._villages = [list(meters) for meters in villages if meters]
        self._pause_s = 60 / per_minute
        self._dice = random.Random(seed)  # noqa: S311 - a demo's dice
        self.attempts = 0
        self.failures = 0

    async def run(self) -> None:
        """Pay until cancelled; a purchase that fails is counted, and the next villager comes."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            await asyncio.gather(*(self._live(session, index) for index in range(len(self._villages))))

    async def _live(self, session: aiohttp.ClientSession, village: int) -> None:
        await asyncio.sleep(self._pause_s * village / max(1, len(self._villages)))
        while True:
            number = self._dice.choice(self._villages[village])
            try:
                self.attempts += 1
                await self.buy(session, number, self._dice.choice(_AMOUNTS))
            except (aiohttp.ClientError, TimeoutError) as error:
                self.failures += 1
                _log.warning("a villager could not pay", meter=number, error=type(error).__name__)
            await asyncio.sleep(self._pause_s)

    async def buy(self, session: aiohttp.ClientSession, meter_number: str, amount: int) -> Purchase:
        """Make one purchase as a browser would.

        Raises:
            aiohttp.ClientError: The page or the gateway refused, or is away.
        """
        order = {
            "meter_external_reference": meter_number,
            "amount": amount,
            "currency": "NGN",
            "payment_channel": "NIFFLER",
        }
        url = f"{self._api_url}/orders/flutterwave/initialise/public"
        async with session.post(url, json=order, headers=self._address()) as answer:
            answer.raise_for_status()
            created = await answer.json()
        payment = {
            "tx_ref": created["external_reference"],
            "amount": amount,
            "currency": "NGN",
            "payment_type": self._dice.choice(_METHODS),
        }
        async with session.post(f"{self._gateway_url}/pay", json=payment) as answer:
            answer.raise_for_status()
        return Purchase(order_id=created["order_id"], meter_number=meter_number, amount=amount)

    def _address(self) -> dict[str, str]:
        """Every payer comes from an address of its own, so that the public rate limit counts payers [R8]."""
        return {"X-Forwarded-For": ".".join(str(self._dice.randint(1, 254)) for _ in range(4))}
