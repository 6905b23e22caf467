"""What holds of payments once everything has come to rest, asked of the database."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, LiteralString

import psycopg

# What may never be, once everything has come to rest.
_NEVER: tuple[LiteralString, ...] = (
    # A settled, priced order of a meter has exactly one command with its token, one message, and one SMS to the buyer.
    """
    select o.id from orders o join wallets w on w.id = o.receiver_wallet_id and w.meter_id is not null
    left join meter_interactions i on i.order_id = o.id
    where o.order_status = 'COMPLETED' and o.reversed_at is null and o.tariff > 0
    group by o.id having count(i.id) <> 1 or count(i.token) <> 1
    """,
    """
    select i.id from meter_interactions i join orders o on o.id = i.order_id
    left join messaging.device_messages m on m.correlation_id = i.id::text
    where o.order_status = 'COMPLETED' and o.reversed_at is null
    group by i.id having count(m.id) <> 1
    """,
    """
    select o.id from orders o join wallets w on w.id = o.receiver_wallet_id and w.meter_id is not null
    left join notifications n on n.dedupe_key like 'order:' || o.id || ':sms:%' and n.message like 'You received%'
    where o.order_status = 'COMPLETED'
    group by o.id having count(n.id) <> 1
    """,
    # No command without a settled order, and none that is still to come of one that was reversed.
    """
    select i.id from meter_interactions i join orders o on o.id = i.order_id
    where o.order_status <> 'COMPLETED'
        or (o.reversed_at is not null and i.meter_interaction_status not in ('ABORTED', 'FAILED'))
    """,
    # A task that waits for something else than a tariff.
    """
    select t.id, t.kind, t.last_error from internal.outbox_tasks t left join orders o on o.id = t.order_id
    where t.done_at is null and (t.kind <> 'TOP_UP_COMMAND' or o.tariff > 0)
    """,
    # Refused for lack of money that was there [PAY-104].
    """
    select t.id from transactions t join orders o on o.id = t.order_id
    where t.transaction_status = 'FAILED' and o.failure_code = 'INSUFFICIENT_BALANCE'
        and t.amount < 0 and t.balance_before + t.amount >= 0
    """,
    # Orders of one wallet that were settled in another order than their own [PAY-105].
    """
    select later.order_id from (
        select e.order_id, max(e.order_id) over (
            partition by o.sender_wallet_id order by e.id rows between unbounded preceding and 1 preceding) as before
        from internal.ledger_entries e join orders o on o.id = e.order_id
        where e.entry_type = 'ORDER_SETTLEMENT' and o.sender_wallet_id <> 968
            and not exists (select from internal.settlement_failures f where f.order_id = o.id and f.failures >= 5)
    ) later where later.order_id < later.before
    """,
)

# Of a transaction of the gateway: to which order it is booked, and whether that was settled; its entry in suspense.
_SETTLED = """
    select c.gateway_tx_id from internal.gateway_charges c join internal.ledger_entries e on e.order_id = c.order_id
    where c.gateway_tx_id = any(%s) and e.idempotency_key = 'order:' || c.order_id || ':settle'
"""
_SUSPENDED = """
    select split_part(idempotency_key, ':', 3) from internal.ledger_entries
    where idempotency_key = any(select 'gateway:platform:' || tx || ':suspense' from unnest(%s::text[]) as tx)
"""
_REFUNDED = """
    select split_part(e.idempotency_key, ':', 3)
    from internal.suspense_resolutions r join internal.ledger_entries e on e.id = r.entry_id
    where r.state = 'REFUNDED'
"""


def assert_each_payment_ended_once(connection: psycopg.Connection[Any], paid: Collection[str]) -> None:
    """[PAY-197] Each paid transaction of the gateway: settled once, or in suspense once."""
    ends = [*_column(connection, _SETTLED, list(paid)), *_column(connection, _SUSPENDED, list(paid))]
    assert sorted(ends) == sorted(paid), "lost or used twice"


def assert_all_came_to_an_end(connection: psycopg.Connection[Any]) -> None:
    """Orders, commands, messages, SMS and tasks: all there, once, and in order."""
    assert _column(connection, "select id from orders where order_status = 'PENDING'") == []
    for question in _NEVER:
        assert _column(connection, question) == [], question


def assert_refunds_are_known(connection: psycopg.Connection[Any], given_back: Collection[str]) -> None:
    """What the gateway gave back is booked as given back, and nothing else is [PAY-92]."""
    assert sorted(_column(connection, _REFUNDED)) == sorted(given_back)


def _column(connection: psycopg.Connection[Any], query: LiteralString, *parameters: object) -> list[Any]:
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        return [row[0] for row in cursor.execute(query, parameters or None)]
