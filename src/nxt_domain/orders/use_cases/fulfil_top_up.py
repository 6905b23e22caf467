"""The ``TOP_UP_COMMAND`` task: what a settled order still lacks, priced if need be [PAY-104, R1]."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Generic, Protocol, TypeVar

import attrs

from nxt_domain.grids.tariffs import tariff_of_meter
from nxt_domain.meters.ports import MetersTransaction
from nxt_domain.meters.use_cases.complete_top_up import CompleteTopUp
from nxt_domain.meters.use_cases.top_ups import TopUpRequest
from nxt_domain.orders.amounts import sellable_energy
from nxt_domain.orders.model import Order
from nxt_domain.orders.ports import Orders
from nxt_domain.orders.settlement_ports import TopUps
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import NotFound, Unavailable
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory

_PATIENT_ATTEMPTS: Final = 5
_PATIENCE: Final = timedelta(minutes=15)


class FulfilmentTransaction(MetersTransaction, Protocol):
    """One transaction over orders and the meters that they pay for."""

    @property
    def orders(self) -> Orders:
        """Orders."""


TxT = TypeVar("TxT", bound=FulfilmentTransaction)


class FulfilTopUp(Generic[TxT]):
    """Gives a settled order its command: prices it if no tariff was there at settlement, then completes it.

    Args:
        begin: Opens a transaction.
        top_ups: Makes the interaction, and where the token is made in this process also token and message.
        complete: Makes what is missing, outside a transaction.
        clock: Tells the time.
    """

    def __init__(
        self, *, begin: UnitOfWorkFactory[TxT], top_ups: TopUps[TxT], complete: CompleteTopUp, clock: Clock
    ) -> None:
        self._begin = begin
        self._top_ups = top_ups
        self._complete = complete
        self._clock = clock

    async def __call__(self, order_id: int) -> None:
        """Do what is missing; a repeat changes nothing.

        Raises:
            NotFound: There is no such settled order of a meter.
            Unavailable: A tariff, a vendor or an older command is waited for; try again.
        """
        if await self._price(order_id):
            await self._complete(order_id)

    async def watch(self, order_id: int, *, attempts: int, since: datetime) -> None:
        """Alert people of a paid order without command, after five attempts or a quarter of an hour [PAY-116].

        Args:
            order_id: The order.
            attempts: How often it was tried in vain.
            since: When it was settled.
        """
        now = self._clock.now()
        if attempts < _PATIENT_ATTEMPTS and now - since < _PATIENCE:
            return
        text = "A paid top-up still has no command"
        facts = {"order_id": order_id, "attempts": attempts}
        async with self._begin() as tx:
            await tx.outbox.add([alert("TOP_UP_WAITING", f"order:{order_id}", text, at=now, facts=facts)])
            await tx.commit()

    async def _price(self, order_id: int) -> bool:
        """Make sure that there is a command; False: the order was reversed, and brings no energy any more."""
        async with self._begin() as tx:
            order = (await tx.orders.lock([order_id])).get(order_id)
            if order is None or order.status is not OrderStatus.COMPLETED:
                raise NotFound(f"Order {order_id} is not settled", code="ORDER_UNSETTLED")
            if order.reversed_at is not None:
                return False
            if order_id in await tx.interactions.of_orders([order_id]):
                return True
            priced, request = await self._priced(tx, order)
            await tx.orders.save([priced])
            await self._top_ups.create_for_orders(tx, [request])
            await tx.commit()
        return True

    async def _priced(self, tx: TxT, order: Order) -> tuple[Order, TopUpRequest]:
        """Find the price that was missing, and keep it with the order [PAY-109]."""
        receiver = (await tx.orders.parties([order.receiver_wallet_id])).get(order.receiver_wallet_id)
        if receiver is None or receiver.tariffs is None or receiver.owner_id is None:
            raise NotFound(f"Order {order.id} pays for no meter", code="NO_METER")
        tariff = tariff_of_meter(receiver.tariffs)
        if tariff is None:
            raise Unavailable(f"Order {order.id} waits for a tariff of meter {receiver.name}", code="TARIFF_MISSING")
        energy_kwh = sellable_energy(order.amount, tariff)
        if energy_kwh is None:
            text = f"Order {order.id} buys more than one top-up of meter {receiver.name} may bring"
            raise Unavailable(text, code="TOP_UP_TOO_LARGE")
        priced = attrs.evolve(order, tariff=tariff, tariff_type=receiver.tariffs.meter_type)
        return priced, TopUpRequest(order_id=order.id, meter_id=receiver.owner_id, energy_kwh=energy_kwh)
