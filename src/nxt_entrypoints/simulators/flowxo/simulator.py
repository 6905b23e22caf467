"""Flow XO's hook for top-ups as one thing to start and stop [AUTO-109, AUTO-110]."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.control import Clock, ControlPlane, utc_now
from nxt_entrypoints.simulators.http_server import HttpSide, RefusedError, json_answer, read_object

_TEXTS = ("grid_name", "customer_phone", "meter_external_reference", "token", "response_path")
_ANNOUNCED = {"directive_id", "directive_status", *_TEXTS, "customer_name", "kwh", "amount"}
_FOLLOWED_UP = {"directive_id", "directive_status"}
_ENDS = {"SUCCESSFUL", "FAILED"}


@attrs.frozen(kw_only=True)
class FlowXoConfig:
    """How the host is set up.

    Attributes:
        port: 0 takes a free one.
        hook: id of the hook that starts the flow.
    """

    port: int = 0
    hook: str = "8kqvwy39"


class FlowXo:
    """The host: takes notices at its hook, and shows them at ``GET /notices``.

    Args:
        config: port and hook.
        seed: start of the faults.
        clock: the present instant.
    """

    def __init__(self, config: FlowXoConfig, *, seed: int = 0, clock: Clock = utc_now) -> None:
        self._config = config
        self.notices: list[Mapping[str, Any]] = []
        self.control = ControlPlane(seed=seed, clock=clock)
        self.http = HttpSide(
            self.control,
            vendor_prefixes=("/hooks/",),
            server_error=lambda: RefusedError(500, {"error": "Internal server error"}),
        )
        self.http.app.add_routes([web.post("/hooks/a/{hook}", self._take), web.get("/notices", self._show)])

    @property
    def api_url(self) -> str:
        """For ``FLOW_XO_API``."""
        return self.http.url

    @property
    def endpoint(self) -> str:
        """For ``FLOW_XO_TOPUP_TOKEN_ENDPOINT``."""
        return f"/hooks/a/{self._config.hook}"

    async def start(self) -> None:
        """Open the listener."""
        await self.http.start(self._config.port)

    async def stop(self) -> None:
        """Close the listener."""
        await self.http.stop()

    async def _take(self, request: web.Request) -> web.Response:
        if request.match_info["hook"] != self._config.hook:
            raise RefusedError(404, {"error": "Not found"})
        notice = await read_object(request, _bad_request)
        fault = _fault(notice)
        if fault is not None:
            raise _bad_request(fault)
        self.notices.append(notice)
        self.control.log.add("notice", directive_id=notice["directive_id"], directive_status=notice["directive_status"])
        return json_answer({"status": "ok"})

    async def _show(self, _request: web.Request) -> web.Response:
        return json_answer({"notices": self.notices})


def _fault(notice: Mapping[str, Any]) -> str | None:
    """Say why a flow would not start with this."""
    status = notice.get("directive_status")
    expected = _ANNOUNCED if status == "PENDING" else _FOLLOWED_UP if status in _ENDS else set()
    if set(notice) != expected:
        return "attributes are missing or unexpected"
    if any(not isinstance(notice[name], str) or not notice[name] for name in _TEXTS if name in expected):
        return "texts must not be empty"
    numbers = [notice[name] for name in ("directive_id", "kwh", "amount") if name in expected]
    if any(isinstance(one, bool) or not isinstance(one, int | Decimal) for one in numbers):
        return "numbers must be numbers"
    return None


def _bad_request(message: str) -> RefusedError:
    return RefusedError(400, {"error": message})
