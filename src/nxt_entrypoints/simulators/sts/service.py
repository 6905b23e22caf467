"""The ``nxt-sts`` service: tokens of EA 07 over HTTP, its errors, and some bad days [STS-67, STS-68, STS-73]."""

import re
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.control import Clock, ControlPlane, utc_now
from nxt_entrypoints.simulators.http_server import HttpSide, RefusedError, decode_json, json_answer
from nxt_entrypoints.simulators.sts.cipher import seal

_KEY = re.compile(r"[0-9A-Fa-f]{16}")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:?\d{2})?")
_BASE = datetime(2014, 1, 1)  # noqa: DTZ001 - the service reads clock readings, and takes them for UTC
_KINDS = {
    "TOP_UP_KWH": (0, 0),
    "TOP_UP": (0, 0),
    "SET_POWER_LIMIT": (2, 0),
    "CLEAR_CREDIT": (2, 1),
    "CLEAR_TAMPER": (2, 5),
}
_FIRST_OF_RANGE = (0, 16_384, 180_224, 1_818_624)
_TOP_KWH, _TOP_W = Decimal("1820162.4"), 18_201_624
_TYPES = "type must be one of: TOP_UP_KWH, TOP_UP (deprecated alias), CLEAR_CREDIT, CLEAR_TAMPER, SET_POWER_LIMIT"
_DATES = (
    'issueDate must be an ISO 8601 datetime, e.g. "2024-03-15T10:30:00" or "2026-07-07T10:12:54.289Z"'
    " (time zone offset ignored)"
)
_MOODS = ("right", "empty", "other_amount", "older")


@attrs.frozen(kw_only=True)
class StsServiceConfig:
    """How the service is set up.

    Attributes:
        port: 0 takes a free one.
    """

    port: int = 0


class StsService:
    """The service. ``PUT /mood {"mood"}`` makes it answer ``empty``, for ``other_amount``, or like an ``older`` one.

    Args:
        config: port.
        seed: start of the faults.
        clock: the present instant.
    """

    def __init__(self, config: StsServiceConfig, *, seed: int = 0, clock: Clock = utc_now) -> None:
        self._config = config
        self.mood = "right"
        self.control = ControlPlane(seed=seed, clock=clock)
        self.http = HttpSide(
            self.control,
            vendor_prefixes=("/token", "/actuator", "/v3", "/swagger"),
            server_error=lambda: _refusal("An unexpected error occurred during token generation", status=500),
        )
        self.http.app.add_routes(
            [
                web.get("/", self._about),
                web.post("/token", self._token),
                web.get("/actuator/health", self._health),
                web.get("/v3/api-docs", self._documents),
                web.get("/swagger", self._swagger),
                web.put("/mood", self._set_mood),
                web.route("*", "/token", self._wrong_method),
                web.route("*", "/{path:.*}", self._nothing),
            ]
        )

    async def start(self) -> None:
        """Open the listener."""
        await self.http.start(self._config.port)

    async def stop(self) -> None:
        """Close the listener."""
        await self.http.stop()

    async def _token(self, request: web.Request) -> web.Response:
        try:
            order = decode_json(await request.read())
        except ValueError:
            raise _refusal("Malformed JSON request") from None
        if not isinstance(order, dict):
            raise _refusal("Malformed JSON request")
        kind = str(order.get("type"))
        self.control.log.add("token", type=kind)
        if self.mood == "empty" or (self.mood == "older" and kind == "TOP_UP_KWH"):
            return web.Response()
        key, minute, nonce = _key(order), _minute(order), _nonce(order)
        token_class, subclass = _kind(kind)
        field = _field(kind, order)
        if self.mood == "other_amount":
            field ^= 1
        body = subclass << 44 | nonce << 40 | minute << 16 | field
        return json_answer({"token": seal(token_class, body, key)})

    async def _about(self, _request: web.Request) -> web.Response:
        endpoints = {
            "token": "POST /token",
            "health": "GET /actuator/health",
            "openapi": "GET /v3/api-docs",
            "swaggerUi": "GET /swagger",
        }
        about = {"name": "nxt-sts", "version": "simulated", "description": "STS tokens", "endpoints": endpoints}
        return json_answer(about)

    async def _health(self, _request: web.Request) -> web.Response:
        return json_answer({"status": "UP"})

    async def _documents(self, _request: web.Request) -> web.Response:
        info = {"title": "NXT STS", "version": "simulated"}
        return json_answer({"openapi": "3.1.0", "info": info, "paths": {"/token": {}}})

    async def _swagger(self, _request: web.Request) -> web.Response:
        raise web.HTTPFound("/v3/api-docs")

    async def _set_mood(self, request: web.Request) -> web.Response:
        body = decode_json(await request.read())
        mood = body.get("mood") if isinstance(body, dict) else None
        if mood not in _MOODS:
            raise RefusedError(400, {"error": f"mood must be one of {', '.join(_MOODS)}"})
        self.mood = str(mood)
        return json_answer({"mood": self.mood})

    async def _wrong_method(self, _request: web.Request) -> web.Response:
        raise _refusal("Method not allowed for this endpoint", status=405)

    async def _nothing(self, _request: web.Request) -> web.Response:
        raise _refusal("Not found", status=404)


def _refusal(error: str, field: str | None = None, *, status: int = 400) -> RefusedError:
    return RefusedError(status, {"error": error, "field": field})


def _key(order: dict[str, Any]) -> int:
    key = order.get("decoderKey")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise _refusal("decoderKey must be exactly 16 hex characters", "decoderKey")
    return int(key, 16)


def _minute(order: dict[str, Any]) -> int:
    """Return the identifier of the issue minute; the offset is ignored, and 00:01 becomes 00:02."""
    date = order.get("issueDate")
    if date is None:
        raise _refusal("issueDate is required", "issueDate")
    match = _DATE.fullmatch(date) if isinstance(date, str) else None
    try:
        shown = datetime.fromisoformat(match[1]) if match else None
    except ValueError:
        shown = None
    if shown is None:
        raise _refusal(_DATES)
    if (shown.hour, shown.minute) == (0, 1):
        shown += timedelta(minutes=1)
    return int((shown - _BASE) // timedelta(minutes=1)) & 0xFFFFFF


def _nonce(order: dict[str, Any]) -> int:
    nonce = order.get("randomNumber")
    if nonce is None:
        raise _refusal("randomNumber is required", "randomNumber")
    if not _is_whole(nonce) or not 0 <= nonce <= 15:
        raise _refusal("randomNumber must be an integer between 0 and 15", "randomNumber" if _is_whole(nonce) else None)
    return int(nonce)


def _kind(name: str) -> tuple[int, int]:
    if name not in _KINDS:
        raise _refusal(_TYPES)
    return _KINDS[name]


def _field(kind: str, order: dict[str, Any]) -> int:
    if kind.startswith("TOP_UP"):
        return packed(_tenths(order))
    if kind != "SET_POWER_LIMIT":
        return 0
    limit = order.get("powerLimit")
    if limit is None:
        raise _refusal("powerLimit is required for SET_POWER_LIMIT", "powerLimit")
    return packed(_within("powerLimit", limit, _TOP_W))


def _tenths(order: dict[str, Any]) -> int:
    kwh = order.get("kwh")
    if kwh is None:
        raise _refusal("kwh is required for TOP_UP_KWH", "kwh")
    energy = Decimal(_within("kwh", kwh, _TOP_KWH))
    return int((energy * 10).to_integral_value(rounding=ROUND_CEILING if energy < 1 else ROUND_FLOOR))


def _within(name: str, value: Any, top: Decimal | int) -> Any:  # noqa: ANN401 - a JSON number
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _refusal("Malformed JSON request")
    if value < 0:
        raise _refusal(f"{name} must be zero or greater", name)
    if value > top:
        raise _refusal(f"{name} must not exceed {top}", name)
    return value


def packed(units: int) -> int:
    """Pack tenths of a kWh, or W, into the 16 bits of a token: exponent and mantissa, rounded up [STS-23]."""
    exponent = max(place for place, first in enumerate(_FIRST_OF_RANGE) if units >= first)
    mantissa, rest = divmod(units - _FIRST_OF_RANGE[exponent], 10**exponent)
    return int(exponent * 2**14 + mantissa + bool(rest))


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
