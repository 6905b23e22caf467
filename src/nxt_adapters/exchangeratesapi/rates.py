"""Port ``ExchangeRates`` over the provider's HTTP interface [PAY-167, TEL 5.8]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import attrs
import msgspec

from nxt_adapters.resilience import (
    BreakerPolicy,
    CallPolicy,
    Faulty,
    HttpCaller,
    HttpReply,
    OutboundMetrics,
    RetryPolicy,
)
from nxt_domain.shared.errors import InvalidInput, UpstreamFailed
from nxt_domain.telemetry.exchange_rates import SYMBOLS

DEFAULT_POLICY = CallPolicy(
    timeout_s=15.0,
    connect_timeout_s=5.0,
    concurrency=1,
    queue_timeout_s=60.0,
    retry=RetryPolicy(attempts=4, wait_initial_s=1.0, wait_max_s=4.0, after_any_trouble=True),
    breaker=BreakerPolicy(failures=5, open_s=60.0),
)

_MOST_DIGITS = 40
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


@attrs.frozen(kw_only=True)
class ExchangeRatesSettings:
    """What the adapter needs from outside.

    Attributes:
        url: ``EXCHANGE_RATES_API_URL``, to which the date is appended.
        key: Gives ``EXCHANGE_RATES_API_KEY``; asked at every call, so that the key can change meanwhile.
    """

    url: str
    key: Callable[[], str] = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise InvalidInput("EXCHANGE_RATES_API_URL must be an http(s) URL", code="CONFIGURATION")


class ExchangeRatesApi:
    """Asks for the rates of a day. The key travels in the query, so no text of this adapter ever holds an address.

    Args:
        settings: Address and key.
        policy: Limits.
        metrics: Where outcomes are counted.
    """

    def __init__(
        self,
        settings: ExchangeRatesSettings,
        *,
        policy: CallPolicy = DEFAULT_POLICY,
        metrics: OutboundMetrics | None = None,
    ) -> None:
        self._settings = settings
        self._http = HttpCaller("exchangeratesapi", policy, metrics=metrics, max_body_bytes=100_000)

    async def of(self, day: date) -> Mapping[str, Decimal]:
        """See ``ExchangeRates.of``; a repeat is harmless."""
        reply = await self._http.request(
            "rates",
            "GET",
            f"{self._settings.url.rstrip('/')}/{day.isoformat()}",
            params={"access_key": self._settings.key(), "symbols": ",".join(SYMBOLS)},
            headers={"Accept": "application/json"},
            repeatable=True,
        )
        if reply.status != 200:
            raise UpstreamFailed(f"the provider of rates answers {reply.status}", code="RATES_REFUSED")
        return _rates(reply)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _rates(reply: HttpReply) -> Mapping[str, Decimal]:
    """Read an answer; what is no number is left out, and missed by whoever needs it.

    Raises:
        Faulty: It is no JSON object with rates.
    """
    try:
        answer: Any = _DECODER.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidOperation) as garbage:
        raise Faulty("the provider of rates answered something that is no JSON") from garbage
    rates = answer.get("rates") if isinstance(answer, dict) else None
    if not isinstance(rates, dict):
        raise Faulty("the provider of rates answered without rates")
    read = {str(symbol): _number(rates.get(symbol)) for symbol in SYMBOLS}
    return {symbol: value for symbol, value in read.items() if value is not None}


def _number(value: object) -> Decimal | None:
    """Read a number, of a size that costs nothing to divide (R12); a text is none."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    digits = max(abs(number.adjusted()), len(number.as_tuple().digits))
    return number if digits <= _MOST_DIGITS else None
