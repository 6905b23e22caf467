"""A month of money: purchases, their settlement entries and the commands that fulfilled them [R58]."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import attrs
from sqlalchemy import Connection, bindparam, insert, text, update

from nxt_adapters.supabase.tables import meter_interactions, orders, transactions
from nxt_domain.orders.meta import Party, order_meta
from nxt_domain.orders.model import ActorType, OrderMeta
from nxt_domain.orders.references import payment_reference
from nxt_domain.shared.money import Currency
from nxt_entrypoints.demo.history import MeterHistory, PastPurchase
from nxt_entrypoints.demo.operator import OPERATOR, SeededMeter, SeededOperator, SeededVillage

_TO_SETTLE = timedelta(seconds=3)
_TO_DELIVER = timedelta(seconds=9)
_FUNDING = Decimal(200_000)

_POST = text("select ordinal, entry_id from internal.post_entries(cast(:entries as jsonb)) order by ordinal")
_POSTINGS = text(
    """
    select e.order_id, p.amount, a.wallet_id, coalesce(p.balance_before, -1) as balance_before,
        coalesce(p.balance_after, -1) as balance_after
    from internal.ledger_entries e
        join internal.ledger_postings p on p.entry_id = e.id
        join internal.ledger_accounts a on a.id = p.account_id
    where e.order_id = any(:order_ids)
    order by e.order_id, p.amount desc
    """
)


@attrs.frozen(kw_only=True)
class _PastOrder:
    at: datetime
    amount: Decimal
    sender: Party
    receiver: Party
    from_account: str
    reference: str | None = None
    author_id: int | None = None
    meter: SeededMeter | None = None
    purchase: PastPurchase | None = None
    tariff: Decimal = Decimal(-1)


def seed_past_orders(
    connection: Connection,
    operator: SeededOperator,
    histories: Mapping[int, MeterHistory],
    *,
    system_wallet_id: int,
    platform_organization_id: int,
) -> int:
    """Write orders in the order of time, settle them through the ledger's own routine, and return their number.

    Args:
        connection: As the owner of the tables, in the seeding's transaction.
        operator: What ``seed_operator`` made.
        histories: By meter id.
        system_wallet_id: The wallet ``BANKING_SYSTEM``.
        platform_organization_id: For the orders' meta fields.
    """
    past = sorted(_past_orders(operator, histories, system_wallet_id), key=lambda order: order.at)
    rows = [_order_row(order, platform_organization_id) for order in past]
    ids = sorted(connection.execute(insert(orders).values(rows).returning(orders.c.id)).scalars())
    entries = [_entry(order_id, order) for order_id, order in zip(ids, past, strict=True)]
    connection.execute(_POST, {"entries": json.dumps(entries)})
    _complete(connection, ids, past)
    _mirror(connection, ids, past)
    _fulfil(connection, ids, past)
    return len(past)


def _past_orders(
    operator: SeededOperator, histories: Mapping[int, MeterHistory], system_wallet_id: int
) -> Iterator[_PastOrder]:
    system = Party(wallet_id=system_wallet_id, currency=Currency.NGN, actor=ActorType.BANKING_SYSTEM)
    organization = Party(
        wallet_id=operator.wallet_id,
        currency=Currency.NGN,
        actor=ActorType.ORGANIZATION,
        owner_id=operator.organization_id,
        name=OPERATOR,
        organization_id=operator.organization_id,
    )
    first = min(history.start for history in histories.values()) - timedelta(days=1)
    yield _PastOrder(
        at=first, amount=_FUNDING * 4, sender=system, receiver=organization, from_account="external:manual",
        author_id=operator.admin.account_id,
    )  # fmt: skip
    for village in operator.villages:
        agent = _agent_party(village, operator.organization_id)
        yield _PastOrder(
            at=first + timedelta(hours=1), amount=_FUNDING, sender=organization, receiver=agent,
            from_account=f"wallet:{operator.wallet_id}", author_id=operator.admin.account_id,
        )  # fmt: skip
        for meter in village.meters:
            receiver = _meter_party(village, meter, operator.organization_id)
            for purchase in histories[meter.id].purchases:
                yield _purchase_order(village, meter, purchase, receiver, agent if purchase.by_agent else system)


def _purchase_order(
    village: SeededVillage, meter: SeededMeter, purchase: PastPurchase, receiver: Party, sender: Party
) -> _PastOrder:
    reference = None
    if sender.is_system:
        reference = payment_reference(
            organization_name=OPERATOR, meter_reference=meter.house.meter_number, at=purchase.at, is_production=False
        )
    return _PastOrder(
        at=purchase.at,
        amount=purchase.amount,
        sender=sender,
        receiver=receiver,
        from_account="external:gateway:platform" if sender.is_system else f"wallet:{sender.wallet_id}",
        reference=reference,
        author_id=None if sender.is_system else village.agent_account_id,
        meter=meter,
        purchase=purchase,
        tariff=village.plan.tariff,
    )


def _agent_party(village: SeededVillage, organization_id: int) -> Party:
    return Party(
        wallet_id=village.agent_wallet_id,
        currency=Currency.NGN,
        actor=ActorType.AGENT,
        owner_id=village.agent_id,
        name=village.agent_name,
        grid_id=village.grid_id,
        is_grid_hidden=False,
        organization_id=organization_id,
    )


def _meter_party(village: SeededVillage, meter: SeededMeter, organization_id: int) -> Party:
    return Party(
        wallet_id=meter.wallet_id,
        currency=Currency.NGN,
        actor=ActorType.METER,
        owner_id=meter.id,
        name=meter.house.meter_number,
        customer_id=meter.customer_id,
        customer_name=meter.house.name,
        is_customer_hidden=False,
        grid_id=village.grid_id,
        is_grid_hidden=False,
        organization_id=organization_id,
    )


def _order_row(order: _PastOrder, platform_organization_id: int) -> dict[str, object]:
    meta = order_meta(
        sender=order.sender, receiver=order.receiver, author=None, platform_organization_id=platform_organization_id
    )
    return {
        "created_at": order.at,
        "updated_at": order.at,
        "amount": order.amount,
        "currency": "NGN",
        "order_status": "PENDING",
        "sender_wallet_id": order.sender.wallet_id,
        "receiver_wallet_id": order.receiver.wallet_id,
        "external_reference": order.reference,
        "external_system": None if order.reference is None else "FLUTTERWAVE",
        "payment_channel": "NIFFLER" if order.reference else "AYRTON",
        "payment_method": "BANK_TRANSFER" if order.reference else None,
        "author_id": order.author_id,
        **_meta_columns(meta),
    }


def _meta_columns(meta: OrderMeta) -> dict[str, object]:
    return {
        "meta_order_type": meta.order_type,
        "meta_sender_type": meta.sender_type,
        "meta_sender_id": meta.sender_id,
        "meta_sender_name": meta.sender_name,
        "meta_receiver_type": meta.receiver_type,
        "meta_receiver_id": meta.receiver_id,
        "meta_receiver_name": meta.receiver_name,
        "meta_receiver_name_part_2": meta.receiver_name_part_2,
        "meta_receiver_id_part_2": meta.receiver_id_part_2,
        "meta_is_hidden_from_reporting": meta.is_hidden_from_reporting,
        "historical_grid_id": meta.grid_id,
        "rls_organization_id": meta.organization_id,
    }


def _entry(order_id: int, order: _PastOrder) -> dict[str, object]:
    return {
        "key": f"order:{order_id}:settle",
        "entry_type": "ORDER_SETTLEMENT",
        "order_id": order_id,
        "effective_at": (order.at + _TO_SETTLE).isoformat(),
        "postings": [
            {"account_code": f"wallet:{order.receiver.wallet_id}", "amount": str(order.amount)},
            {"account_code": order.from_account, "amount": str(-order.amount)},
        ],
    }


def _complete(connection: Connection, ids: Sequence[int], past: Sequence[_PastOrder]) -> None:
    connection.execute(
        update(orders)
        .where(orders.c.id == bindparam("key"))
        .values(
            order_status="COMPLETED",
            settled_at=bindparam("settled"),
            updated_at=bindparam("settled"),
            tariff=bindparam("price"),
            tariff_type=bindparam("tier"),
        ),
        [
            {"key": key, "settled": o.at + _TO_SETTLE, "price": o.tariff, "tier": "HPS" if o.meter else None}
            for key, o in zip(ids, past, strict=True)
        ],
    )


def _mirror(connection: Connection, ids: Sequence[int], past: Sequence[_PastOrder]) -> None:
    """Write the two rows per order that clients read, from the postings themselves [PAY-35]."""
    settled_at = {key: order.at + _TO_SETTLE for key, order in zip(ids, past, strict=True)}
    rows = connection.execute(_POSTINGS, {"order_ids": list(ids)}).mappings()
    connection.execute(
        insert(transactions),
        [{**row, "transaction_status": "SUCCESSFUL", "created_at": settled_at[row["order_id"]]} for row in rows],
    )


def _fulfil(connection: Connection, ids: Sequence[int], past: Sequence[_PastOrder]) -> None:
    """Write the top-ups of the past; their tokens are spent and not invented here."""
    connection.execute(
        insert(meter_interactions),
        [
            {
                "created_at": order.at + _TO_SETTLE,
                "updated_at": order.at + _TO_DELIVER,
                "meter_id": order.meter.id,
                "meter_interaction_type": "TOP_UP",
                "meter_interaction_status": "SUCCESSFUL",
                "resolution": "DELIVERED",
                "origin": "ORDER",
                "priority": 50,
                "transactive_kwh": order.purchase.energy_kwh,
                "order_id": key,
                "result_value": {"token_accepted": True},
            }
            for key, order in zip(ids, past, strict=True)
            if order.meter is not None and order.purchase is not None
        ],
    )
