"""Small steps on the durable queue, one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import attrs

from nxt_domain.messaging.admission import Admission
from nxt_domain.messaging.machine import Finished
from nxt_domain.messaging.model import DeliveryStatus, DeviceMessage, ExecutionStatus, NewMessage, Response
from nxt_domain.messaging.ports import Lease, Quota, ReadyBatch
from nxt_domain.messaging.stages import Stage
from tests.support.messaging_worlds import World

NS_WAIT = timedelta(seconds=20)
FREE = Admission()
LEASE = Lease(owner="engine-1", duration=timedelta(seconds=60))
OTHER = Lease(owner="engine-2", duration=timedelta(seconds=60))


def quota(plugin: str = "push", *, admission: Admission = FREE, limit: int = 100) -> Quota:
    return Quota(plugin_id=f"stub-{plugin}", admission=admission, limit=limit, ns_wait=NS_WAIT)


async def enqueue(world: World, *messages: NewMessage) -> Sequence[str]:
    async with world.adopter() as queue:
        return await queue.enqueue(messages)


async def claim(world: World, *quotas: Quota, lease: Lease = LEASE) -> ReadyBatch:
    async with world.begin() as store:
        batch = await store.claims.ready(quotas or [quota()], lease)
        await store.commit()
    return batch


async def save(world: World, *messages: DeviceMessage) -> None:
    async with world.begin() as store:
        await store.rows.save(messages)
        await store.commit()


async def due(
    world: World, stage: Stage, *, lease: Lease = LEASE, plugins: Sequence[str] = ("stub-push",)
) -> list[str]:
    async with world.begin() as store:
        batch = await store.claims.due(stage, plugins, lease, limit=500)
        await store.commit()
    return [message.id for message in batch.messages]


async def found_by(world: World, remote_id: str, plugin: str = "stub-push") -> list[str]:
    async with world.begin() as store:
        return [message.id for message in (await store.rows.lock_by_remote_ids(plugin, [remote_id])).messages]


def delivered(message: DeviceMessage) -> Finished:
    response = Response(status=ExecutionStatus.EXECUTION_SUCCESS, data={"kwhCreditAvailable": 12.5})
    return Finished(attrs.evolve(message, delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL), response)
