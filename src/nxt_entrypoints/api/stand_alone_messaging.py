"""The stand-alone mode of device messaging, as the API role meets it (DM 18.2, 18.5)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from nxt_adapters.device_messaging import DeviceMessagingClient
from nxt_domain.messaging.use_cases.receive_events import ReceiveDeliveryEvent
from nxt_domain.shared.json import Json

Forward = Callable[[str, str | None, Json], Awaitable[None]]
"""Passes a vendor's post on: plug-in, kind of event, body."""


@attrs.frozen(kw_only=True)
class StandAloneMessaging:
    """Its ways in and out.

    Attributes:
        secret: Signs what it tells; None: nothing that comes is believed.
        receive: Stores it.
        forward: Passes vendors' posts on; None: device messages are embedded here.
    """

    secret: str | None = attrs.field(repr=False)
    receive: ReceiveDeliveryEvent
    forward: Forward | None


def forwarding(client: DeviceMessagingClient, ingress_key: str | None) -> Forward:
    """Pass posts on with the key that the service knows vendors by."""

    async def forward(plugin_id: str, event: str | None, body: Json) -> None:
        await client.forward(plugin_id, event, body, ingress_key)

    return forward
