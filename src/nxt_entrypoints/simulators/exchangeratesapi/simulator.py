"""A provider of exchange rates as one thing to start and stop: ``GET /v1/2026-03-10`` [TEL 5.8]."""

import hmac
from collections.abc import Mapping
from datetime import date
from typing import Any

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.control import Clock, ControlPlane, utc_now
from nxt_entrypoints.simulators.http_server import HttpSide, RefusedError, json_answer, plain_refusal, read_object


@attrs.frozen(kw_only=True)
class RatesConfig:
    """How the provider is set up.

    Attributes:
        port: 0 takes a free one.
        access_key: What callers show (``EXCHANGE_RATES_API_KEY``).
    """

    port: int = 0
    access_key: str


class RatesProvider:
    """Knows what it is told at ``PUT /rates/{date}``: what a euro was worth on that day, by currency.

    Args:
        config: port and key.
        seed: start of the faults.
        clock: the present instant; it knows no future.
    """

    def __init__(self, config: RatesConfig, *, seed: int = 0, clock: Clock = utc_now) -> None:
        self._config = config
        self._clock = clock
        self.rates: dict[str, Mapping[str, Any]] = {}
        self.control = ControlPlane(seed=seed, clock=clock)
        self.http = HttpSide(
            self.control,
            vendor_prefixes=("/v1/",),
            server_error=lambda: RefusedError(500, _error("internal_server_error", "An internal error occurred")),
        )
        self.http.app.add_routes([web.get("/v1/{date}", self._historical), web.put("/rates/{date}", self._learn)])

    @property
    def api_url(self) -> str:
        """For ``EXCHANGE_RATES_API_URL``."""
        return f"{self.http.url}/v1"

    async def start(self) -> None:
        """Open the listener."""
        await self.http.start(self._config.port)

    async def stop(self) -> None:
        """Close the listener."""
        await self.http.stop()

    async def _historical(self, request: web.Request) -> web.Response:
        self._authorize(request)
        day = _date(request)
        if day is None or day > self._clock().date().isoformat():
            raise RefusedError(400, _error("invalid_date", "You have entered an invalid date"))
        wanted = [symbol for symbol in request.query.get("symbols", "").split(",") if symbol]
        known = self.rates.get(day, {})
        self.control.log.add("rates", date=day, symbols=",".join(wanted))
        rates = {symbol: known[symbol] for symbol in wanted or known if symbol in known}
        return json_answer({"success": True, "historical": True, "base": "EUR", "date": day, "rates": rates})

    async def _learn(self, request: web.Request) -> web.Response:
        day = _date(request)
        if day is None:
            raise plain_refusal("the path must end with a date")
        self.rates[day] = await read_object(request, plain_refusal)
        return json_answer({"date": day, "rates": self.rates[day]})

    def _authorize(self, request: web.Request) -> None:
        shown = request.query.get("access_key", "").encode(errors="surrogateescape")
        if not shown:
            raise RefusedError(401, _error("missing_access_key", "You have not supplied an API Access Key"))
        if not hmac.compare_digest(shown, self._config.access_key.encode()):
            raise RefusedError(401, _error("invalid_access_key", "You have not supplied a valid API Access Key"))


def _date(request: web.Request) -> str | None:
    try:
        return date.fromisoformat(request.match_info["date"]).isoformat()
    except ValueError:
        return None


def _error(code: str, message: str) -> Mapping[str, Any]:
    return {"error": {"code": code, "message": message}}
