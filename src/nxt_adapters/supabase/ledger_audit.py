"""The invariants of the books as set queries over one snapshot [PAY-133]. Nothing is corrected."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.supabase.transaction import domain_error
from nxt_domain.shared.errors import Unavailable
from nxt_domain.wallets.ports import Finding

_MOST_PER_RULE = 1000

# Each query returns the subject and a sentence; a rule's name is its key. An order that a take-over had to remark on
# was odd before there was a ledger: what its rows and its entry can't have, nobody looks for [PAY-31, PAY-40].
_RULES = {
    # PAY-25
    "ENTRY_TOO_SHORT": """
        select 'entry:' || e.id, 'it has ' || count(p.id) || ' postings'
        from internal.ledger_entries e left join internal.ledger_postings p on p.entry_id = e.id
        group by e.id having count(p.id) < 2
    """,
    "ENTRY_UNBALANCED": """
        select 'entry:' || p.entry_id, 'its postings sum to ' || a.currency || ' ' || sum(p.amount)
        from internal.ledger_postings p join internal.ledger_accounts a on a.id = p.account_id
        group by p.entry_id, a.currency having sum(p.amount) <> 0
    """,
    "BOOKS_UNBALANCED": """
        select 'currency:' || a.currency, 'all accounts together hold ' || sum(a.balance + coalesce(d.amount, 0))
        from internal.ledger_accounts a
        left join (select account_id, sum(amount) as amount from internal.ledger_hot_deltas group by 1) d
            on d.account_id = a.id
        group by a.currency having sum(a.balance + coalesce(d.amount, 0)) <> 0
    """,
    # PAY-28
    "BALANCE_DIFFERS": """
        select 'account:' || a.code,
            'balance is ' || a.balance + coalesce(d.amount, 0) || ', postings sum to ' || coalesce(p.amount, 0)
        from internal.ledger_accounts a
        left join (select account_id, sum(amount) as amount from internal.ledger_hot_deltas group by 1) d
            on d.account_id = a.id
        left join (select account_id, sum(amount) as amount from internal.ledger_postings group by 1) p
            on p.account_id = a.id
        where a.balance + coalesce(d.amount, 0) <> coalesce(p.amount, 0)
    """,
    "CHAIN_BROKEN": """
        select 'account:' || code, 'posting ' || id || ' begins at ' || coalesce(balance_before::text, 'nothing')
            || ' after ' || expected
        from (
            select a.code, p.id, p.amount, p.balance_before, p.balance_after,
                coalesce(lag(p.balance_after) over (partition by p.account_id order by p.id), 0) as expected
            from internal.ledger_postings p join internal.ledger_accounts a on a.id = p.account_id
            where not a.is_hot
        ) chain
        where balance_before is distinct from expected or balance_after is distinct from expected + amount
    """,
    # PAY-29
    "FLOOR_BROKEN": """
        select 'account:' || a.code, 'balance ' || a.balance || ' lies below ' || a.min_balance
        from internal.ledger_accounts a where not a.is_hot and a.balance < a.min_balance
    """,
    # PAY-30
    "WALLET_DIFFERS": """
        select 'wallet:' || w.id, 'wallet shows ' || w.balance || ', ledger has ' || coalesce(a.balance, 0)
        from public.wallets w
        left join internal.ledger_accounts a on a.wallet_id = w.id and a.account_class = 'WALLET'
        where w.identifier is null and w.balance <> coalesce(a.balance, 0)
    """,
    "STATISTIC_STALE": """
        select 'account:' || a.code, count(*) || ' postings are older than 5 minutes and not in its balance'
        from internal.ledger_hot_deltas d
        join internal.ledger_postings p on p.id = d.posting_id
        join internal.ledger_accounts a on a.id = d.account_id
        where p.created_at < now() - interval '5 minutes'
        group by a.code
    """,
    # PAY-31
    "ORDER_WITHOUT_ENTRY": """
        select 'order:' || o.id, 'it is COMPLETED, and nothing was posted'
        from public.orders o
        where o.order_status = 'COMPLETED' and not exists (
            select from internal.ledger_entries e where e.order_id = o.id and e.entry_type = 'ORDER_SETTLEMENT')
            and not exists (select from internal.take_over_remarks r where r.order_id = o.id)
    """,
    "ENTRY_WITHOUT_ORDER": """
        select 'order:' || o.id, 'it is ' || o.order_status || ', and entry ' || e.id || ' settles it'
        from internal.ledger_entries e join public.orders o on o.id = e.order_id
        where e.entry_type = 'ORDER_SETTLEMENT' and o.order_status <> 'COMPLETED'
    """,
    "SETTLEMENT_DIFFERS": """
        select 'order:' || o.id, o.amount || ' was ordered, and the receiver got ' || coalesce(sum(p.amount), 0)
        from public.orders o
        join internal.ledger_entries e on e.order_id = o.id and e.entry_type = 'ORDER_SETTLEMENT'
        left join internal.ledger_accounts a on a.wallet_id = o.receiver_wallet_id
        left join internal.ledger_postings p on p.entry_id = e.id and p.account_id = a.id
        where not exists (select from internal.take_over_remarks r where r.order_id = o.id)
        group by o.id having coalesce(sum(p.amount), 0) <> o.amount
    """,
    # PAY-35, PAY-36
    "TRANSACTIONS_INCOMPLETE": """
        select 'order:' || o.id,
            'it is ' || o.order_status || ' with ' || count(t.id) || ' rows that sum to ' || coalesce(sum(t.amount), 0)
        from public.orders o
        left join public.transactions t on t.order_id = o.id
            and (t.transaction_status = 'SUCCESSFUL') = (o.order_status = 'COMPLETED')
        where (o.order_status = 'COMPLETED'
            or (o.order_status = 'FAILED' and o.failure_code in ('INSUFFICIENT_BALANCE', 'TARIFF_MISSING')))
            and not exists (select from internal.take_over_remarks r where r.order_id = o.id)
        group by o.id
        having coalesce(sum(t.amount), 0) <> 0 or count(t.id) <> case when o.reversed_at is null then 2 else 4 end
    """,
    # PAY-38, PAY-39: the system wallet's balance is a statistic; what counts are the accounts behind it
    "TRANSACTIONS_DIFFER": """
        with held as (
            select a.wallet_id, sum(a.balance + coalesce(d.amount, 0)) as amount
            from internal.ledger_accounts a
            left join (select account_id, sum(amount) as amount from internal.ledger_hot_deltas group by 1) d
                on d.account_id = a.id
            group by 1
        ), shown as (
            select w.id, case when w.identifier is null then w.balance else coalesce(h.amount, 0) end as balance
            from public.wallets w left join held h on h.wallet_id = w.id
        )
        select 'wallet:' || w.id, 'wallet shows ' || w.balance || ', its transactions sum to ' || coalesce(t.amount, 0)
        from shown w
        left join (
            select wallet_id, sum(amount) as amount from public.transactions
            where transaction_status = 'SUCCESSFUL' group by 1
        ) t on t.wallet_id = w.id
        where w.balance <> coalesce(t.amount, 0)
    """,
    # PAY-106
    "CONNECTION_FEES_DIFFER": """
        select 'connection:' || c.id, 'paid is ' || c.paid || ', its wallet holds ' || coalesce(w.balance, 0)
        from public.connections c left join public.wallets w on w.connection_id = c.id
        where c.paid <> coalesce(w.balance, 0)
    """,
    "CUSTOMER_FEES_DIFFER": """
        select 'customer:' || u.id, 'paid is ' || u.total_connection_paid || ', its connections paid ' || c.paid
        from public.customers u
        join (select customer_id, sum(paid) as paid from public.connections group by 1) c on c.customer_id = u.id
        where u.total_connection_paid <> c.paid
    """,
    # PAY-133
    "COMMAND_MISSING": """
        select 'order:' || o.id, 'it was settled at ' || o.settled_at || ' and has no command'
        from public.orders o
        join public.wallets w on w.id = o.receiver_wallet_id and w.meter_id is not null
        where o.order_status = 'COMPLETED' and o.reversed_at is null and o.settled_at < now() - interval '15 minutes'
            and not exists (select from public.meter_interactions i where i.order_id = o.id)
    """,
    "SUSPENSE_OLD": """
        select 'entry:' || e.id, p.amount || ' waits in ' || a.code || ' since ' || e.created_at
        from internal.ledger_entries e
        join internal.ledger_postings p on p.entry_id = e.id
        join internal.ledger_accounts a on a.id = p.account_id and a.account_class = 'SUSPENSE'
        where e.entry_type = 'GATEWAY_SUSPENSE' and e.created_at < now() - interval '24 hours' and a.balance > 0
            and not exists (
                select from internal.suspense_resolutions r
                left join public.orders o on o.id = r.order_id
                where r.entry_id = e.id and (r.state = 'REFUNDED' or o.order_status = 'COMPLETED'))
    """,
}


class PostgresLedgerAudit:
    """Implements ``LedgerAudit``.

    Args:
        engine: The relational plane; reading is enough.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def findings(self) -> Sequence[Finding]:
        """Check all rules on one snapshot, so that traffic meanwhile makes no false alarms.

        Raises:
            Unavailable: The database can't be reached.
        """
        snapshot = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        findings: list[Finding] = []
        try:
            async with snapshot.connect() as connection:
                for rule, query in _RULES.items():
                    rows = await connection.execute(text(f"{query} limit {_MOST_PER_RULE}"))
                    findings += [Finding(rule=rule, subject=row[0], text=row[1]) for row in rows]
        except DBAPIError as error:
            raise domain_error(error) or error from error
        except (OSError, TimeoutError) as error:
            raise Unavailable("The database can't be reached") from error
        return findings
