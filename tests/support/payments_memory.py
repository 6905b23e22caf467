"""The village that pays, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.payments import MemoryPayments
from nxt_domain.grids.tariffs import MeterType, TariffFacts
from nxt_domain.orders.meta import Author, Party
from nxt_domain.orders.model import AccountType, ActorType
from nxt_domain.orders.notices import Contact
from nxt_domain.orders.ports import MeterForSale
from nxt_domain.shared.money import Currency
from nxt_domain.shared.outbox import OutboxTask
from tests.support.payments_world import (
    FREE_METER,
    METER,
    NEW_METER,
    ORGANIZATION_NAME,
    UNREADY_METER,
    PaymentsWorld,
    Row,
)


def _tariffs(essential: str) -> TariffFacts:
    return TariffFacts(
        meter_type=MeterType.HPS,
        own_tariff=None,
        essential_tariff=Decimal(essential),
        full_tariff=Decimal(350),
        is_dual_meter_grid=False,
    )


class MemoryWorld(PaymentsWorld):
    """The village in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.database = MemoryDatabase(self.clock)
        self.organization_wallet, self.agent_wallet, self.meter_wallet, self.free_meter_wallet = 5, 17, 230, 231
        self.connection_wallet, self.customer_wallet = 300, 301
        self.organization_id, self.grid_id, self.connection_id, self.agent_account_id = 9, 50, 70, 41
        orders = MemoryPayments(self.database).orders
        place: dict[str, Any] = {
            "currency": Currency.NGN,
            "grid_id": 50,
            "is_grid_hidden": False,
            "organization_id": 9,
        }
        people: dict[str, Any] = place | {
            "customer_id": 60,
            "customer_name": "Customer of Kalonda",
            "is_customer_hidden": False,
        }
        customer = Contact(account_id=42, phone="2348030000042")
        orders.know_wallet(Party(wallet_id=968, currency=Currency.NGN, actor=ActorType.BANKING_SYSTEM))
        orders.know_wallet(
            Party(
                wallet_id=5,
                currency=Currency.NGN,
                actor=ActorType.ORGANIZATION,
                owner_id=9,
                name=ORGANIZATION_NAME,
                organization_id=9,
            )
        )
        orders.know_wallet(
            Party(wallet_id=17, actor=ActorType.AGENT, owner_id=31, name="Agent of Kalonda", **place),
            Contact(account_id=41, phone="2348030000041"),
        )
        for wallet_id, meter_id, number, tariff in ((230, 80, METER, "300"), (231, 81, FREE_METER, "0")):
            party = Party(
                wallet_id=wallet_id,
                actor=ActorType.METER,
                owner_id=meter_id,
                name=number,
                tariffs=_tariffs(tariff),
                **people,
            )
            orders.know_wallet(party, customer)
        orders.know_wallet(
            Party(wallet_id=300, actor=ActorType.CONNECTION, owner_id=70, name="survey-1", **people), customer
        )
        orders.know_wallet(
            Party(wallet_id=301, actor=ActorType.CUSTOMER, owner_id=60, name="Customer of Kalonda", **people)
        )
        orders.know_meter(
            MeterForSale(
                id=80,
                external_reference=METER,
                wallet_id=230,
                is_ready=True,
                customer_id=60,
                customer_name="Customer of Kalonda",
                grid_id=50,
                grid_name="Kalonda",
                organization_id=9,
                organization_name=ORGANIZATION_NAME,
                tariffs=_tariffs("300"),
            )
        )
        known = self.begin().orders
        ready = self.database.table("meters_for_sale")[METER]
        known.know_meter(attrs.evolve(ready, id=82, external_reference=NEW_METER, wallet_id=None))
        known.know_meter(attrs.evolve(ready, id=83, external_reference=UNREADY_METER, is_ready=False))
        orders.know_author(Author(account_id=41, account_type=AccountType.AGENT, role_id=31, name="Agent of Kalonda"))

    def begin(self) -> MemoryPayments:
        return MemoryPayments(self.database)

    async def phone_session(self, phone: str, account_id: int | None = None) -> int:
        session_id = self.database.next_id("ussd_sessions")
        self.begin().orders.know_session(session_id, Contact(account_id=account_id, phone=phone))
        return session_id

    async def rows(self, order_id: int) -> list[Row]:
        return [
            Row(
                amount=row.amount,
                wallet_id=row.wallet_id,
                status="SUCCESSFUL" if row.is_successful else "FAILED",
                before=row.balance_before,
                after=row.balance_after,
            )
            for row in self.begin().settlements.rows(order_id)
        ]

    async def messages(self) -> list[str]:
        return [f"{notice.phone}: {notice.message}" for notice in self.begin().notices.all()]

    async def alerts(self) -> list[str]:
        tasks: Sequence[OutboxTask] = list(self.database.table("outbox_tasks").values())
        return [str(task.payload["code"]) for task in tasks if task.kind == "ALERT"]

    async def waiting_events(self) -> list[int]:
        return [event_id for event_id, result in self.begin().gateway_events.results().items() if result is None]

    async def paid_fees(self) -> Decimal:
        return self.begin().settlements.paid(self.connection_id)
