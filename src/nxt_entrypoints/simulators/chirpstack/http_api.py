"""The handles for tests and demos beside the gRPC API: meters and gateways over HTTP [R33]."""

from collections.abc import Callable
from typing import Any

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.chirpstack.devices import Device, Gateway
from nxt_entrypoints.simulators.chirpstack.world import World
from nxt_entrypoints.simulators.control import Clock
from nxt_entrypoints.simulators.http_server import (
    HttpSide,
    RefusedError,
    json_answer,
    plain_refusal,
    read_object,
)


class MeterHandles:
    """Routes that show the truth about a meter and change its circumstances.

    Args:
        world: the devices.
        clock: the present instant.
    """

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock

    def add_to(self, http: HttpSide) -> None:
        """Add the routes to a listener."""
        http.app.add_routes(
            [
                web.get("/meters", self._list),
                web.get("/meters/{number}", self._show),
                web.put("/meters/{number}", self._change),
                web.get("/gateways", self._list_gateways),
                web.put("/gateways/{eui}", self._switch_gateway),
            ]
        )

    async def _list(self, _request: web.Request) -> web.Response:
        now = self._clock()
        self._world.present(now)
        return json_answer([self._as_json(device) for device in self._world.devices.values()])

    async def _show(self, request: web.Request) -> web.Response:
        return json_answer(self._as_json(self._device(request)))

    async def _change(self, request: web.Request) -> web.Response:
        device = self._device(request)
        body = await read_object(request, plain_refusal)
        changes = [(_CHANGES[key], _CHECKS[key](key, value)) for key, value in body.items() if _known(key)]
        for change, value in changes:
            change(self._world, device, value)
        self._world.touched(device, now=True)
        return json_answer(self._as_json(device))

    def _device(self, request: web.Request) -> Device:
        device = self._world.by_number(request.match_info["number"])
        if device is None:
            raise RefusedError(404, {"error": f"no meter {request.match_info['number']}"})
        return device

    def _as_json(self, device: Device) -> dict[str, object]:
        meter, state = device.meter, device.meter.state
        now = self._clock()
        clock = meter.clock(now).replace(tzinfo=meter.identity.zone)
        return {
            "number": meter.identity.number,
            "grid_id": meter.identity.grid_id,
            "credit_kwh": state.credit_kwh,
            "credited_kwh_total": state.credited_kwh_total,
            "counter_kwh": state.counter_kwh,
            "tokens_accepted": state.tokens_accepted,
            "tokens_refused": state.tokens_refused,
            "last_verdict": state.last_verdict,
            "is_tampered": state.is_tampered,
            "is_on": state.is_on,
            "power_limit_w": state.power_limit_w,
            "power_w": meter.power_w(now),
            "clock": clock.isoformat(timespec="seconds"),
            "gateway_online": bool(device.village.online),
            "registered": device.is_registered,
            "queue_length": len(device.queue),
            "snr": device.snr_db,
            "rssi": device.rssi_dbm,
            "downlink_loss": device.downlink_loss,
            "uplink_loss": device.uplink_loss,
        }

    async def _list_gateways(self, _request: web.Request) -> web.Response:
        return json_answer([_gateway_json(each) for each in self._world.gateways.values()])

    async def _switch_gateway(self, request: web.Request) -> web.Response:
        gateway = self._world.gateways.get(request.match_info["eui"].lower())
        if gateway is None:
            raise RefusedError(404, {"error": f"no gateway {request.match_info['eui']}"})
        body = await read_object(request, plain_refusal)
        if set(body) != {"online"}:
            raise plain_refusal('the body must be {"online": true or false}')
        self._world.switch_gateways([gateway], is_online=_boolean("online", body["online"]))
        return json_answer(_gateway_json(gateway))


def _gateway_json(gateway: Gateway) -> dict[str, object]:
    return {"eui": gateway.eui, "grid_id": gateway.grid_id, "online": gateway.is_online}


def _known(key: str) -> bool:
    if key not in _CHANGES:
        raise plain_refusal(f"unknown key {key}; known: {', '.join(_CHANGES)}")
    return True


def _boolean(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise plain_refusal(f"{key} must be true or false")
    return value


def _number(low: float, high: float) -> Callable[[str, Any], float]:
    def check(key: str, value: Any) -> float:  # noqa: ANN401 - any JSON value
        if isinstance(value, bool | str | list | dict | None) or not low <= value <= high:
            raise plain_refusal(f"{key} must be a number between {low:g} and {high:g}")
        return float(value)

    return check


def _set_gateway_online(world: World, device: Device, value: Any) -> None:  # noqa: ANN401 - checked by _CHECKS
    world.switch_gateways(device.village.gateways, is_online=value)


def _set_is_on(_world: World, device: Device, value: Any) -> None:  # noqa: ANN401 - checked by _CHECKS
    device.meter.state = attrs.evolve(device.meter.state, is_switched_on=value)


def _set_power_limit(_world: World, device: Device, value: Any) -> None:  # noqa: ANN401 - checked by _CHECKS
    device.meter.state = attrs.evolve(device.meter.state, power_limit_w=int(value))


def _set_is_tampered(_world: World, device: Device, value: Any) -> None:  # noqa: ANN401 - checked by _CHECKS
    device.meter.state = attrs.evolve(device.meter.state, is_tampered=value)


def _set(attribute: str, kind: type) -> Callable[[World, Device, Any], None]:
    def change(_world: World, device: Device, value: Any) -> None:  # noqa: ANN401 - checked by _CHECKS
        setattr(device, attribute, kind(value))

    return change


_CHANGES: dict[str, Callable[[World, Device, Any], None]] = {
    "gateway_online": _set_gateway_online,
    "is_on": _set_is_on,
    "is_tampered": _set_is_tampered,
    "power_limit_w": _set_power_limit,
    "registered": _set("is_registered", bool),
    "snr": _set("snr_db", float),
    "rssi": _set("rssi_dbm", int),
    "downlink_loss": _set("downlink_loss", float),
    "uplink_loss": _set("uplink_loss", float),
}
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "gateway_online": _boolean,
    "is_on": _boolean,
    "is_tampered": _boolean,
    "power_limit_w": _number(0, 0xFFFFFFFF),
    "registered": _boolean,
    "snr": _number(-40, 40),
    "rssi": _number(-150, 0),
    "downlink_loss": _number(0, 1),
    "uplink_loss": _number(0, 1),
}
