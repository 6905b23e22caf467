"""A history of settled orders, written by set-based SQL: what tables hold after years, in a few minutes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from _harness import progress

# One settled order of each meter's wallet is copied again and again, with everything that settlement wrote of it.
_TEMPLATE = """
    create temp table template as
    select row_number() over (order by o.receiver_wallet_id) - 1 as place, o.*, wallet.meter_id,
        account.id as account_id, account.balance as held,
        interaction.transactive_kwh, interaction.token, interaction.rls_organization_id as interaction_tenant,
        notice.account_id as addressee, notice.phone, notice.message
    from (
        select distinct on (receiver_wallet_id) * from public.orders
        where order_status = 'COMPLETED' and sender_wallet_id = %(sender)s and tariff > 0
        order by receiver_wallet_id, id
    ) o
    join public.wallets wallet on wallet.id = o.receiver_wallet_id
    join internal.ledger_accounts account on account.wallet_id = wallet.id and account.account_class = 'WALLET'
    join public.meter_interactions interaction on interaction.order_id = o.id
    join public.notifications notice on notice.dedupe_key like 'order:' || o.id || ':sms:%%'
"""
# ``n`` counts the orders from 1, ``turn`` how often a wallet had its turn before.
_EARLIER = """
    create temp table earlier as
    select n, (n - 1) / size.meters as turn, template.place, ids.orders + n as order_id, ids.entries + n as entry_id,
        now() - make_interval(secs => (%(orders)s - n) * 60) as at
    from generate_series(1, %(orders)s) as n
    cross join (select count(*) as meters from template) size
    cross join (
        select (select coalesce(max(id), 0) from public.orders) as orders,
            (select coalesce(max(id), 0) from internal.ledger_entries) as entries
    ) ids
    join template on template.place = (n - 1) %% size.meters
"""
_ROWS = {
    "orders": """
        insert into public.orders (
            id, created_at, updated_at, settled_at, external_reference, amount, currency, order_status, tariff,
            tariff_type, payment_method, payment_channel, historical_grid_id, rls_organization_id, sender_wallet_id,
            receiver_wallet_id, meta_order_type, meta_sender_id, meta_sender_name, meta_sender_type, meta_receiver_id,
            meta_receiver_name, meta_receiver_type, meta_receiver_id_part_2, meta_receiver_name_part_2,
            meta_is_hidden_from_reporting)
        select e.order_id, e.at, e.at, e.at, 'earlier-' || e.n, t.amount, t.currency, t.order_status, t.tariff,
            t.tariff_type, t.payment_method, t.payment_channel, t.historical_grid_id, t.rls_organization_id,
            t.sender_wallet_id, t.receiver_wallet_id, t.meta_order_type, t.meta_sender_id, t.meta_sender_name,
            t.meta_sender_type, t.meta_receiver_id, t.meta_receiver_name, t.meta_receiver_type,
            t.meta_receiver_id_part_2, t.meta_receiver_name_part_2, t.meta_is_hidden_from_reporting
        from earlier e join template t using (place) order by e.n
    """,
    "charges": """
        insert into internal.gateway_charges (
            created_at, order_id, merchant, tx_ref, gateway_tx_id, status, amount, currency, verify_attempts,
            last_verified_at)
        select e.at, e.order_id, 'platform', 'earlier-' || e.n, 'earlier-' || e.n, 'successful', t.amount, t.currency,
            1, e.at
        from earlier e join template t using (place) order by e.n
    """,
    "entries": """
        insert into internal.ledger_entries (id, created_at, effective_at, entry_type, idempotency_key, order_id)
        select entry_id, at, at, 'ORDER_SETTLEMENT', 'order:' || order_id || ':settle', order_id
        from earlier order by n
    """,
    "postings": """
        insert into internal.ledger_postings (created_at, entry_id, account_id, amount, balance_before, balance_after)
        select e.at, e.entry_id, side.account_id, side.amount, side.held, side.held + side.amount
        from earlier e join template t using (place)
        cross join lateral (values
            (1, t.account_id, t.amount, t.held + e.turn * t.amount),
            (2, (select id from internal.ledger_accounts where code = 'external:gateway:platform'), -t.amount, null)
        ) as side (ordinal, account_id, amount, held)
        order by e.n, side.ordinal
    """,
    "transactions": """
        insert into public.transactions (
            created_at, amount, transaction_status, balance_before, balance_after, wallet_id, order_id,
            rls_organization_id)
        select e.at, side.amount, 'SUCCESSFUL', coalesce(side.held, -1), coalesce(side.held + side.amount, -1),
            side.wallet_id, e.order_id, t.rls_organization_id
        from earlier e join template t using (place)
        cross join lateral (values
            (1, t.receiver_wallet_id, t.amount, t.held + e.turn * t.amount),
            (2, t.sender_wallet_id, -t.amount, null)
        ) as side (ordinal, wallet_id, amount, held)
        order by e.n, side.ordinal
    """,
    "interactions": """
        insert into public.meter_interactions (
            created_at, updated_at, meter_id, token, order_id, transactive_kwh, meter_interaction_type,
            meter_interaction_status, origin, priority, token_issued_at, rls_organization_id)
        select e.at, e.at, t.meter_id, t.token, e.order_id, t.transactive_kwh, 'TOP_UP', 'SUCCESSFUL', 'ORDER', 50,
            e.at, t.interaction_tenant
        from earlier e join template t using (place) order by e.n
    """,
    "tokens": """
        insert into internal.sts_tokens (
            created_at, meter_id, issue_time, issue_minute, token_class, value, nonce, token, source)
        select e.at, t.meter_id, e.at, date_trunc('minute', e.at, 'UTC') - interval '1 day', 'TOP_UP',
            t.transactive_kwh, 1, t.token, 'OWN'
        from earlier e join template t using (place) order by e.n
    """,
    "notices": """
        insert into public.notifications (
            created_at, carrier_external_system, notification_type, notification_status, account_id, phone, message,
            dedupe_key)
        select e.at, 'AFRICASTALKING', 'CREDIT_RECEIVED', 'SUCCESSFUL', t.addressee, t.phone, t.message,
            'order:' || e.order_id || ':sms:' || t.addressee || ':earlier'
        from earlier e join template t using (place) order by e.n
    """,
    "balances of accounts": """
        update internal.ledger_accounts a set balance = a.balance + m.amount
        from (
            select t.account_id as id, sum(t.amount) as amount from earlier join template t using (place) group by 1
            union all
            select (select id from internal.ledger_accounts where code = 'external:gateway:platform'), -sum(t.amount)
            from earlier join template t using (place)
        ) m where m.id = a.id
    """,
    "balances of wallets": """
        update public.wallets w set balance = a.balance
        from internal.ledger_accounts a where a.wallet_id = w.id and a.account_class = 'WALLET'
    """,
    "ids of orders": "select setval(pg_get_serial_sequence('public.orders', 'id'), max(order_id)) from earlier",
    "ids of entries": """
        select setval(pg_get_serial_sequence('internal.ledger_entries', 'id'), max(entry_id)) from earlier
    """,
}


def load_earlier(url: str, orders: int, *, sender_wallet_id: int) -> float:
    """Write so many settled orders with their charges, postings, rows, commands, tokens and messages.

    They are dated backwards from now, a minute apart, and the books are in order afterwards.

    Args:
        url: Of the migrated database, as a superuser: triggers and foreign keys are left out.
        orders: How many.
        sender_wallet_id: The wallet that all of them come from; each receiver has a settled order from it.

    Returns:
        Seconds that it took.
    """
    began = time.perf_counter()
    with psycopg.connect(url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("set synchronous_commit = off")
        connection.execute("set work_mem = '256MB'")
        connection.execute("select internal.ensure_ledger_account('external:gateway:platform')")
        connection.execute(_TEMPLATE, {"sender": sender_wallet_id})
        connection.execute(_EARLIER, {"orders": orders})
        connection.execute("analyze earlier, template")
        for name, statement in _ROWS.items():
            progress(f"{orders:,} earlier orders: {name}")
            connection.execute(statement)
    _look_over(url)
    return time.perf_counter() - began


@contextmanager
def relaxed(url: str) -> Iterator[None]:
    """Let a server write less while it is filled; a crash would cost no more than the whole of it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("alter system set full_page_writes = off")
        connection.execute("alter system set max_wal_size = '16GB'")
        connection.execute("select pg_reload_conf()")
        try:
            yield
        finally:
            connection.execute("alter system reset full_page_writes")
            connection.execute("alter system reset max_wal_size")
            connection.execute("select pg_reload_conf()")
            connection.execute("checkpoint")


def put_away(url: str) -> None:
    """Let everything that settlement caused be done, as engines and relays would, and look at the tables."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("truncate messaging.device_messages, internal.outbox_tasks cascade")
        connection.execute(
            "update meter_interactions set meter_interaction_status = 'SUCCESSFUL'"
            " where meter_interaction_status in ('QUEUED', 'SUSPENDED', 'DEFERRED', 'PROCESSING')"
        )
        connection.execute(
            "update notifications set notification_status = 'SUCCESSFUL' where notification_status = 'PENDING'"
        )
        connection.execute("select internal.refresh_hot_balances()")
    _look_over(url)


def _look_over(url: str) -> None:
    """Do what autovacuum does in time."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
