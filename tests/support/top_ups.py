"""Makers of tokens, and the use cases around a top-up, ready to be called by tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

import attrs

from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.messaging.model import DeliveryEvent
from nxt_domain.meters.model import Interaction, InteractionStatus, InteractionType, NewInteraction, Origin
from nxt_domain.meters.use_cases.apply_delivery_events import ApplyDeliveryEvents, Unknown
from nxt_domain.meters.use_cases.complete_top_up import CompleteTopUp
from nxt_domain.meters.use_cases.expire_interactions import ExpireInteractions
from nxt_domain.meters.use_cases.release_suspended import Released, ReleaseSuspended
from nxt_domain.meters.use_cases.sweep_interactions import SweepInteractions
from nxt_domain.meters.use_cases.top_ups import TokenMakers, TopUpCommands, TopUpRequest
from nxt_domain.tokens.model import TokenRequest
from nxt_domain.tokens.test_vendor import TestTokenMaker
from tests.support.meters_world import RADIO, MetersWorld

LOCAL: TokenMakers = {RADIO: TestTokenMaker()}


class FarVendor:
    """A vendor elsewhere: the same request gives the same token, unless it is told to fail.

    Attributes:
        requests: What it was asked, in order.
        answer: Replaces its answer; may raise.
    """

    vendor_id = "far"
    needs_decoder_key = False

    def __init__(self) -> None:
        self.requests: list[TokenRequest] = []
        self.answer: Callable[[TokenRequest], str] = TestTokenMaker().make

    async def request(self, request: TokenRequest) -> str:
        self.requests.append(request)
        return self.answer(request)


def raising(error: Exception) -> Callable[[TokenRequest], str]:
    """Make an answer of a vendor that fails."""

    def answer(_request: TokenRequest) -> str:
        raise error

    return answer


@attrs.frozen
class Desk:
    """The use cases of one village.

    Attributes:
        makers: Who makes tokens.
    """

    world: MetersWorld
    makers: TokenMakers = attrs.field(factory=lambda: LOCAL)

    async def settle(self, *purchases: tuple[int, str | None], orders: Sequence[int] = ()) -> list[int]:
        """Do a settlement's part for meters: (meter id, kWh or None); return the ids of the orders.

        Args:
            orders: Ids of orders that exist already, one for each purchase.
        """
        order_ids = list(orders) or [await self.world.new_order(meter_id) for meter_id, _ in purchases]
        requests = [
            TopUpRequest(order_id=order_id, meter_id=meter_id, energy_kwh=None if kwh is None else Decimal(kwh))
            for order_id, (meter_id, kwh) in zip(order_ids, purchases, strict=True)
        ]
        commands = TopUpCommands(clock=self.world.clock, makers=self.makers)
        async with self.world.begin() as tx:
            await commands.create_for_orders(tx, requests)
            await tx.commit()
        return order_ids

    async def complete(self, order_id: int) -> None:
        world = self.world
        await CompleteTopUp(begin=world.begin, clock=world.clock, makers=self.makers, wakeups=world.wakeups)(order_id)

    async def apply(self, *events: DeliveryEvent) -> Unknown:
        world = self.world
        return await ApplyDeliveryEvents(begin=world.begin, clock=world.clock, wakeups=world.wakeups)(events)

    async def release(self) -> Released:
        world = self.world
        return await ReleaseSuspended(begin=world.begin, clock=world.clock, wakeups=world.wakeups)()

    async def expire(self) -> int:
        return await ExpireInteractions(begin=self.world.begin, clock=self.world.clock)()

    async def sweep(self) -> int:
        world = self.world
        return await SweepInteractions(begin=world.begin, clock=world.clock, wakeups=world.wakeups)()

    async def of_order(self, order_id: int) -> Interaction:
        async with self.world.begin() as tx:
            found: Interaction = (await tx.interactions.of_orders([order_id]))[order_id]
        return found

    async def buy(self, meter_id: int | None = None, kwh: str = "10") -> Interaction:
        """Settle one purchase and return its top-up."""
        order_ids = await self.settle((meter_id or self.world.meter_ids[0], kwh))
        return await self.of_order(order_ids[0])

    async def waiting_messages(self) -> list[tuple[str, float]]:
        """Correlation id and priority of every live message."""
        return [(message.correlation_id or "", message.priority) for message in await self.world.messages()]

    async def has_open_task(self, order_id: int) -> bool:
        key = f"order:{order_id}:topup"
        return any(task.dedupe_key == key and task.is_open for task in await self.world.tasks("TOP_UP_COMMAND"))

    async def alerts(self) -> list[str]:
        return [str(task.payload["code"]) for task in await self.world.tasks("ALERT")]

    async def news_of(self, interaction_id: int) -> list[tuple[str, str]]:
        """Operation and status of every socket event of an interaction, in order."""
        tasks = await self.world.tasks("SOCKET_EVENT")
        told = [task.payload["message"] for task in tasks if task.stream_key == f"interaction:{interaction_id}"]
        return [(news["operation"], news["data"]["meter_interaction_status"]) for news in told]


def far(vendor: FarVendor, protocol: CommunicationProtocol = RADIO) -> TokenMakers:
    """Let a vendor elsewhere make a protocol's tokens."""
    return {protocol: vendor}


def clear_credit(meter_id: int, **changes: object) -> NewInteraction:
    """A command that wipes out a meter's credit."""
    facts: dict[str, object] = {
        "meter_id": meter_id,
        "type": InteractionType.CLEAR_CREDIT,
        "status": InteractionStatus.QUEUED,
        "origin": Origin.USER,
        "priority": 60,
    }
    return NewInteraction(**(facts | changes))  # type: ignore[arg-type]  # by name
