"""Reading the books for people: statements of wallets and stories of orders."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from nxt_adapters.supabase.order_rows import PARTIES, order_of, party_of
from nxt_adapters.supabase.session import TransactionSession
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.orders.explanation import (
    BookedEntry,
    BookedPosting,
    ChargeFacts,
    CommandFacts,
    EventFacts,
    NoticeFacts,
    OrderStory,
)
from nxt_domain.orders.meta import Party
from nxt_domain.orders.model import Order
from nxt_domain.shared.money import Currency
from nxt_domain.shared.paging import Window
from nxt_domain.wallets.model import EntryType
from nxt_domain.wallets.statement import Statement, StatementLine

_WALLET: Final = text(
    """
    select w.id, w.currency, w.balance, coalesce((
        select sum(p.amount) from internal.ledger_postings p
        join internal.ledger_accounts a on a.id = p.account_id where a.wallet_id = w.id), 0) as posted
    from public.wallets w where w.id = :wallet_id
    """
)
_LINES: Final = text(
    """
    select p.id, e.created_at as at, e.id as entry_id, e.entry_type, e.idempotency_key as key, e.order_id, p.amount,
        p.balance_before, p.balance_after, e.memo,
        array(select other.code from internal.ledger_postings o
            join internal.ledger_accounts other on other.id = o.account_id
            where o.entry_id = e.id and o.id <> p.id order by o.id) as counterparts
    from internal.ledger_postings p
    join internal.ledger_accounts a on a.id = p.account_id
    join internal.ledger_entries e on e.id = p.entry_id
    where a.wallet_id = :wallet_id and p.id > :after
    order by p.id limit :limit
    """
)
_ORDER: Final = text(
    """
    select o.*, coalesce(o.meta_author_name, author.full_name, author.email) as author_name,
        o.author_id as written_to
    from public.orders o left join public.accounts author on author.id = o.author_id
    where o.id = :order_id
    """
)
_CHARGE: Final = text("select * from internal.gateway_charges where order_id = :order_id")
_EVENTS: Final = text(
    """
    select received_at as at, status, gateway_tx_id, result from internal.gateway_events
    where tx_ref = :reference order by id limit 100
    """
)
_ENTRIES: Final = text(
    """
    select e.id, e.created_at as at, e.idempotency_key as key, e.entry_type, e.memo, a.code, p.amount,
        p.balance_before, p.balance_after
    from internal.ledger_entries e
    join internal.ledger_postings p on p.entry_id = e.id
    join internal.ledger_accounts a on a.id = p.account_id
    where e.order_id = :order_id
    order by e.id, p.id
    """
)
_COMMAND: Final = text(
    """
    select id, created_at as at, meter_interaction_status as status, resolution, transactive_kwh as energy_kwh,
        token_issued_at, first_transmitted_at, updated_at as ended_at
    from public.meter_interactions where order_id = :order_id
    """
)
_NOTICES: Final = text(
    """
    select created_at as at, notification_type, notification_status as status from public.notifications
    where dedupe_key like 'order:' || cast(:order_id as text) || ':%' order by id
    """
)


class PostgresBooks:
    """``Statements`` and ``OrderStories`` on the relational plane; a few statements each, all by index.

    Args:
        engine: The process's pool.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def of_wallet(self, wallet_id: int, window: Window) -> Statement | None:
        """See ``Statements.of_wallet``."""
        parameters = {"wallet_id": wallet_id, "after": window.after or 0, "limit": window.limit + 1}
        async with PostgresTransaction(self._engine) as tx:
            head = (await tx.connection.execute(_WALLET, {"wallet_id": wallet_id})).one_or_none()
            if head is None:
                return None
            owner = (await _parties(tx.connection, [wallet_id]))[wallet_id]
            lines = [_line(row) for row in await tx.connection.execute(_LINES, parameters)]
        shown = lines[: window.limit]
        return Statement(
            wallet_id=wallet_id,
            owner=_name(owner),
            currency=Currency(head.currency),
            balance=head.balance,
            posted=head.posted,
            lines=shown,
            next=shown[-1].id if len(lines) > window.limit else None,
        )

    async def of(self, order_id: int) -> OrderStory | None:
        """See ``OrderStories.of``."""
        async with PostgresTransaction(self._engine) as tx:
            row = (await tx.connection.execute(_ORDER, {"order_id": order_id})).one_or_none()
            return None if row is None else await _story(tx.connection, order_of(row), _author(row))


async def _story(connection: AsyncConnection, order: Order, author: str | None) -> OrderStory:
    async def rows(statement: Any, **parameters: object) -> Sequence[Row[Any]]:  # noqa: ANN401 - text()
        return (await connection.execute(statement, parameters)).all()

    parties = await _parties(connection, [order.sender_wallet_id, order.receiver_wallet_id])
    charges = await rows(_CHARGE, order_id=order.id)
    commands = await rows(_COMMAND, order_id=order.id)
    events = await rows(_EVENTS, reference=order.external_reference) if order.external_reference else ()
    return OrderStory(
        order=order,
        sender=f"wallet {order.sender_wallet_id} ({_name(parties[order.sender_wallet_id])})",
        receiver=f"wallet {order.receiver_wallet_id} ({_name(parties[order.receiver_wallet_id])})",
        author=author,
        charge=_charge(charges[0]) if charges else None,
        events=[EventFacts(**row._mapping) for row in events],  # noqa: SLF001 - SQLAlchemy's public name of columns
        entries=_entries(await rows(_ENTRIES, order_id=order.id)),
        command=CommandFacts(**commands[0]._mapping) if commands else None,  # noqa: SLF001 - as above
        notices=[NoticeFacts(**row._mapping) for row in await rows(_NOTICES, order_id=order.id)],  # noqa: SLF001 - as above
    )


async def _parties(connection: AsyncConnection, wallet_ids: Sequence[int]) -> dict[int, Party]:
    found = await TransactionSession(connection).objects(PARTIES, {"wallet_ids": list(wallet_ids)})
    return {row.wallet_id: party_of(row) for row in found}


def _name(party: Party) -> str:
    kind = party.actor.replace("_", " ").lower()
    return " ".join(part for part in (kind, party.name or str(party.owner_id or "")) if part)


def _author(row: Row[Any]) -> str | None:
    return None if row.written_to is None else f"{row.author_name or 'account'} (account {row.written_to})"


def _line(row: Row[Any]) -> StatementLine:
    return StatementLine(**{**row._mapping, "entry_type": EntryType(row.entry_type)})  # noqa: SLF001 - as above


def _charge(row: Row[Any]) -> ChargeFacts:
    return ChargeFacts(
        merchant=row.merchant,
        tx_ref=row.tx_ref,
        gateway_tx_id=row.gateway_tx_id,
        status=row.status,
        amount=row.amount,
        charged_amount=row.charged_amount,
        app_fee=row.app_fee,
        verify_attempts=row.verify_attempts,
        last_verified_at=row.last_verified_at,
        last_error=row.last_error,
    )


def _entries(rows: Sequence[Row[Any]]) -> Sequence[BookedEntry]:
    entries = []
    for _, legs in groupby(rows, key=lambda row: row.id):
        postings = list(legs)
        head = postings[0]
        entries.append(
            BookedEntry(
                id=head.id,
                at=head.at,
                key=head.key,
                entry_type=head.entry_type,
                memo=head.memo,
                postings=[
                    BookedPosting(
                        account=leg.code,
                        amount=leg.amount,
                        balance_before=leg.balance_before,
                        balance_after=leg.balance_after,
                    )
                    for leg in postings
                ],
            )
        )
    return entries
