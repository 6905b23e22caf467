"""Invented orders and parties for unit tests."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from nxt_domain.grids.tariffs import MeterType, TariffFacts
from nxt_domain.orders.meta import Party
from nxt_domain.orders.model import ActorType, Order
from nxt_domain.orders.states import OrderStatus
from nxt_domain.shared.money import Currency

NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
ORDER = Order(
    id=50,
    status=OrderStatus.INITIALISED,
    amount=Decimal(1000),
    currency=Currency.NGN,
    sender_wallet_id=968,
    receiver_wallet_id=230,
    created_at=NOW,
    status_since=NOW,
    external_reference="Sun_Power_Ltd+47001771477__2026-03-10T09:15:00.000Z",
    historical_grid_id=5,
    organization_id=9,
)
TARIFFS = TariffFacts(
    meter_type=MeterType.HPS,
    own_tariff=None,
    essential_tariff=Decimal(300),
    full_tariff=Decimal(350),
    is_dual_meter_grid=False,
)


def party(actor: ActorType, **facts: object) -> Party:
    """A party with all its links, in grid 5 of organization 9."""
    known: dict[str, object] = {
        "wallet_id": 1,
        "currency": Currency.NGN,
        "actor": actor,
        "owner_id": 31,
        "name": f"the {actor.lower()}",
    }
    if actor in {ActorType.METER, ActorType.CONNECTION, ActorType.CUSTOMER}:
        known |= {"customer_id": 60, "customer_name": "Customer of Kalonda", "is_customer_hidden": False}
    if actor is ActorType.ORGANIZATION:
        known |= {"organization_id": 31}
    elif actor is ActorType.BANKING_SYSTEM:
        known |= {"owner_id": None, "name": None}
    else:
        known |= {"grid_id": 5, "is_grid_hidden": False, "organization_id": 9}
    return Party(**(known | facts))  # type: ignore[arg-type]  # collected above
