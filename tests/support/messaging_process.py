"""The use cases of one engine process, driven by hand, and what a network may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from nxt_domain.messaging.model import (
    DeliveryStatus,
    Device,
    DeviceEvent,
    DeviceMessage,
    ExecutionStatus,
    FailureContext,
    NewMessage,
    Response,
)
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.ports import Lease, SendFailed
from nxt_domain.messaging.tuning import Tuning
from nxt_domain.messaging.use_cases import ApplyDeviceEvent, Dispatch, LeaseKeeper, Outcomes, Sweep, Tick
from tests.support.messaging_worlds import World, plugins_of, workshop_of

S = DeliveryStatus
UNPACED = {"push": Tuning(min_interval_ms=0), "pull": Tuning(max_in_flight=0)}


class Engine:
    """The use cases of one process, driven by hand."""

    def __init__(self, world: World, name: str = "engine-1", plugins: PluginSet | None = None) -> None:
        self.world = world
        plugins = plugins or plugins_of(world, **UNPACED)
        workshop = workshop_of(world, plugins)
        self.keeper = LeaseKeeper(workshop, Lease(owner=name))
        outcomes = Outcomes(workshop)
        self.dispatch = Dispatch(workshop, plugins.couriers, self.keeper, outcomes)
        self.tick = Tick(workshop, plugins, self.keeper, outcomes)
        self.apply = ApplyDeviceEvent(workshop)
        self.sweep = Sweep(workshop)

    async def enqueue(self, *messages: NewMessage) -> Sequence[str]:
        async with self.world.adopter() as queue:
            return await queue.enqueue(messages)

    async def send(self) -> int:
        """One pass, and wait for its sends."""
        result = await self.dispatch.run_pass()
        await self.dispatch.drain(timedelta(seconds=10))
        return result.claimed

    async def message(self, message_id: str) -> DeviceMessage:
        return (await self.world.live())[message_id]

    async def status(self, message_id: str) -> DeliveryStatus:
        return (await self.message(message_id)).delivery_status

    async def events(self) -> Sequence[tuple[str | None, str]]:
        return [
            (body["message"].get("correlationId"), body["message"]["deliveryStatus"]) for body in await self.bodies()
        ]

    async def bodies(self) -> Sequence[Mapping[str, Any]]:
        return await self.world.events()


def news(status: DeliveryStatus, remote_id: str | None, **changes: Any) -> DeviceEvent:
    values = {"device": Device(external_reference="47003330001"), "delivery_queue_id": remote_id} | changes
    return DeviceEvent(delivery_status=status, **values)


def answer(remote_id: str) -> DeviceEvent:
    response = Response(status=ExecutionStatus.EXECUTION_SUCCESS, data={"kwhCreditAvailable": 123.45})
    return news(S.DELIVERY_SUCCESSFUL, remote_id, response=response)


def refuse(reason: str, *, skip_retry: bool = False) -> Any:
    async def send(_: DeviceMessage) -> str:
        raise SendFailed(FailureContext(reason=reason, skip_retry=skip_retry))

    return send
