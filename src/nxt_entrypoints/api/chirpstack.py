"""What network servers post to the API role (DM 18.5)."""

from __future__ import annotations

from typing import cast

import attrs

from nxt_adapters.chirpstack.settings import PLUGIN_ID
from nxt_adapters.chirpstack.translation import kind_by_shape
from nxt_domain.shared.json import Json
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.routes import LARGE_MAX_BODY, Guard, Route, route


@attrs.frozen(kw_only=True)
class EventQuery:
    """What ChirpStack's HTTP integration adds to the address.

    Attributes:
        event: ``up``, ``ack``, ``txack``, ``join``; absent at older installations: the body decides.
    """

    event: str | None = None


@route(
    "POST",
    "/chirpstack/calin",
    guard=Guard.USER_OR_KEY,
    ingress=True,
    summary="Take an event of the LoRaWAN network server about a CALIN meter",
    tags=("webhooks",),
    max_body=LARGE_MAX_BODY,
    capability="metering",
)
async def calin(query: EventQuery, body: object, services: ApiServices) -> None:
    """Answers when the event's effect is durable; events of no use are ignored, and counted."""
    forward = services.stand_alone_messaging.forward
    if forward is not None:
        await forward(PLUGIN_ID, query.event or kind_by_shape(body), cast("Json", body))
        return
    news = services.chirpstack_ingress.ingest(query.event, body, by_shape=True)
    if news is not None:
        await services.apply_device_event(PLUGIN_ID, news)


@route(
    "POST",
    "/chirpstack/acrel",
    guard=Guard.USER_OR_KEY,
    ingress=True,
    summary="Take a reading of an Acrel energy meter from the LoRaWAN network server",
    tags=("webhooks",),
    max_body=LARGE_MAX_BODY,
    capability="production",
    errors={404: "No such device."},
)
async def acrel(body: object, services: ApiServices) -> None:
    """Logged, kept as the device's last values, and passed on to the telemetry role after the answer."""
    await services.sites.sensor_events.acrel(cast("Json", body))


@route(
    "POST",
    "/chirpstack/milesight",
    guard=Guard.USER_OR_KEY,
    ingress=True,
    summary="Take a reading of a Milesight sensor from the LoRaWAN network server",
    tags=("webhooks",),
    max_body=LARGE_MAX_BODY,
    capability="production",
    errors={404: "No such device."},
)
async def milesight(body: object, services: ApiServices) -> None:
    """Logged, and passed on to the telemetry role after the answer."""
    await services.sites.sensor_events.milesight(cast("Json", body))


ROUTES: tuple[Route, ...] = (calin, acrel, milesight)
