"""The VRM REST API of the simulated plants: log-in and devices, behind the vendor's quota (telemetry 5.1)."""

import secrets
from collections.abc import Mapping
from datetime import timedelta

import attrs
import jwt
from aiohttp import web

from nxt_entrypoints.simulators.control import Clock, ControlPlane
from nxt_entrypoints.simulators.fleet import PlantDevice
from nxt_entrypoints.simulators.http_server import Handler, RefusedError, json_answer, read_object
from nxt_entrypoints.simulators.victron.plant import PlantState

PREFIX = "/v2"
_SESSION = timedelta(hours=1)


@attrs.frozen(kw_only=True)
class VrmAccount:
    """Who may read.

    Attributes:
        username: of the log-in.
        password: of the log-in.
        token: a personal access token; empty: there is none.
        burst: calls that may come at once.
        per_second: calls that are regained each second; the vendor regains about three.
    """

    username: str = "demo"
    password: str = "demo"  # noqa: S105 - a simulator's
    token: str = ""
    burst: int = 200
    per_second: float = 3.0


class Vrm:
    """Answers as VRM does, for all plants with a site id.

    Args:
        plants: the plants, by portal id.
        control: the log.
        account: who may read, and how often.
        clock: the present instant.
    """

    def __init__(
        self, plants: Mapping[str, PlantState], control: ControlPlane, account: VrmAccount, clock: Clock
    ) -> None:
        self._plants = plants
        self._control = control
        self._account = account
        self._clock = clock
        self._signing_key = secrets.token_hex(32)
        self._left = float(account.burst)
        self._counted_at = clock()

    def routes(self) -> list[web.RouteDef]:
        """Return the vendor's routes."""
        return [
            web.post(f"{PREFIX}/auth/login", self._counted(self._login)),
            web.get(f"{PREFIX}/installations/{{site}}/system-overview", self._counted(self._overview)),
        ]

    def forget_sessions(self) -> None:
        """End all sessions before their time."""
        self._signing_key = secrets.token_hex(32)

    def _counted(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            self._control.log.add("vrm", method=request.method, path=request.path)
            now = self._clock()
            regained = (now - self._counted_at).total_seconds() * self._account.per_second
            self._left, self._counted_at = min(self._left + regained, float(self._account.burst)), now
            if self._left < 1:
                return web.Response(status=429, headers={"Retry-After": "1"}, text='{"success":false}')
            self._left -= 1
            return await handler(request)

        return answer

    async def _login(self, request: web.Request) -> web.StreamResponse:
        body = await read_object(request, lambda text: _refusal(400, text))
        if (body.get("username"), body.get("password")) != (self._account.username, self._account.password):
            raise _refusal(401, "Invalid credentials")
        claims = {"uid": 1, "exp": int((self._clock() + _SESSION).timestamp())}
        token = jwt.encode(claims, self._signing_key, algorithm="HS256")
        return json_answer({"token": token, "idUser": 1, "verification_mode": "password"})

    async def _overview(self, request: web.Request) -> web.StreamResponse:
        self._require_credential(request.headers.get("X-Authorization", ""))
        site = request.match_info["site"]
        plants = [plant.village.plant for plant in self._plants.values() if plant.village.plant is not None]
        found = next((plant for plant in plants if plant.site_id and plant.site_id == site), None)
        if found is None:
            raise _refusal(404, "Not found")
        seen = int(self._clock().timestamp())
        gateway = {"name": "Gateway", "customName": "", "identifier": found.portal_id, "lastConnection": seen}
        devices = [gateway, *(_as_json(device, seen) for device in self._plants[found.portal_id].devices)]
        return json_answer({"success": True, "records": {"devices": devices}})

    def _require_credential(self, header: str) -> None:
        kind, _, token = header.partition(" ")
        if kind == "Token" and self._account.token and token == self._account.token:
            return
        try:
            claims = jwt.decode(token, self._signing_key, algorithms=["HS256"], options={"verify_exp": False})
        except jwt.PyJWTError:
            claims = {}
        if kind != "Bearer" or claims.get("exp", 0) <= self._clock().timestamp():
            raise _refusal(401, "Token is invalid")


def _as_json(device: PlantDevice, seen: int) -> dict[str, object]:
    return {
        "name": device.name,
        "customName": device.custom_name,
        "instance": device.instance,
        "identifier": f"HQ{device.instance:09d}",
        "lastConnection": seen,
    }


def _refusal(status: int, text: str) -> RefusedError:
    return RefusedError(status, {"success": False, "errors": text})
