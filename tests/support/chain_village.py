"""The whole relational plane in memory around one agent, one meter and one gateway."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from nxt_adapters.memory.grids import GridRow
from nxt_adapters.memory.unit_of_work import MemoryPlane, MemoryUnitOfWork
from nxt_domain.grids.model import CommunicationProtocol, Gateway
from nxt_domain.grids.tariffs import MeterType, TariffFacts
from nxt_domain.messaging.model import CommandType, DeliveryEvent, DeliveryStatus, Device, ExecutionStatus, Response
from nxt_domain.meters.model import Meter
from nxt_domain.meters.use_cases.top_ups import TokenMakers, TopUpCommands
from nxt_domain.orders.meta import Party
from nxt_domain.orders.model import ActorType, Order, PaymentChannel
from nxt_domain.orders.notices import Contact
from nxt_domain.orders.use_cases.place_order import OrderDraft, OrderPlacement
from nxt_domain.orders.use_cases.settle_orders import SettleOrders
from nxt_domain.shared.money import Currency
from nxt_domain.tokens.test_vendor import TestTokenMaker
from nxt_domain.wallets.accounts import manual_account, wallet_account
from nxt_domain.wallets.model import Entry, EntryType, Posting

AGENT, METER_WALLET, SYSTEM, METER = 17, 230, 968, 80
NUMBER = "47001000117"
MAKERS: TokenMakers = {CommunicationProtocol.CALIN_LORAWAN: TestTokenMaker()}


class Village:
    """One agent, one meter, one gateway."""

    def __init__(self) -> None:
        self.plane = MemoryPlane()
        self.top_ups = TopUpCommands(clock=self.plane.clock, makers=MAKERS)
        self.settle: SettleOrders[MemoryUnitOfWork] = SettleOrders(
            begin=self.plane.begin, top_ups=self.top_ups, clock=self.plane.clock, wake_ups=self.plane.wakeups
        )
        tx = self.plane.begin()
        tx.grids.know_grid(GridRow(id=50))
        radio = CommunicationProtocol.CALIN_LORAWAN
        tx.grids.know_gateway(Gateway(id=1, external_reference="gw1", communication_protocol=radio, is_online=True), 50)
        tx.meters.know(
            Meter(
                id=METER,
                external_reference=NUMBER,
                communication_protocol=radio,
                connection_id=70,
                grid_id=50,
                organization_id=9,
                tariff=Decimal(250),
                last_seen_at=self.plane.clock.now() - timedelta(minutes=20),
            )
        )
        self.set_tariff("250")

    def set_tariff(self, tariff: str) -> None:
        orders = self.plane.begin().orders
        place: dict[str, Any] = {
            "currency": Currency.NGN,
            "grid_id": 50,
            "is_grid_hidden": False,
            "organization_id": 9,
        }
        tariffs = TariffFacts(
            meter_type=MeterType.HPS,
            own_tariff=None,
            essential_tariff=Decimal(tariff),
            full_tariff=Decimal(tariff),
            is_dual_meter_grid=False,
        )
        customer: dict[str, Any] = {"customer_id": 60, "customer_name": "Baker of Mbari", "is_customer_hidden": False}
        orders.know_wallet(Party(wallet_id=SYSTEM, currency=Currency.NGN, actor=ActorType.BANKING_SYSTEM))
        orders.know_wallet(
            Party(wallet_id=AGENT, actor=ActorType.AGENT, owner_id=31, name="Agent of Mbari", **place),
            Contact(account_id=41, phone="2348030000041"),
        )
        orders.know_wallet(
            Party(
                wallet_id=METER_WALLET,
                actor=ActorType.METER,
                owner_id=METER,
                name=NUMBER,
                tariffs=tariffs,
                **place,
                **customer,
            ),
            Contact(account_id=42, phone="2348030000042"),
        )

    async def buy(self, amount: str = "1000", sender: int = AGENT) -> Order:
        plane = self.plane
        async with plane.begin() as tx:
            postings = [
                Posting(wallet_account(AGENT), Decimal(5000)),
                Posting(manual_account(), Decimal(-5000)),
            ]
            funding = Entry(key="funding", entry_type=EntryType.ADJUSTMENT, postings=postings, memo="test")
            await tx.ledger.post([funding])
            placement = OrderPlacement(clock=plane.clock, platform_organization_id=2)
            order: Order = await placement.from_wallet(
                tx,
                OrderDraft(
                    sender_wallet_id=sender,
                    receiver_wallet_id=METER_WALLET,
                    amount=Decimal(amount),
                    currency=Currency.NGN,
                    channel=PaymentChannel.AYRTON,
                ),
                require=lambda sender: None,
            )
            await tx.commit()
        return order

    def answer(self, interaction_id: int, **data: Any) -> DeliveryEvent:
        return DeliveryEvent(
            event_id=self.plane.new_id(),
            occurred_at=self.plane.clock.now(),
            plugin_id="calin-chirpstack",
            delivery_status=DeliveryStatus.DELIVERY_SUCCESSFUL,
            device=Device(external_reference=NUMBER),
            correlation_id=str(interaction_id),
            command_type=CommandType.TOP_UP_KWH,
            response=Response(status=ExecutionStatus.EXECUTION_SUCCESS, data=data),
        )
