"""Columns that are a pure function of other tables, each with the question that derives it anew [REL-82, REL-83].

A question returns ``id`` and the columns; a row that it doesn't return is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy import ColumnElement, FromClause, Select, Table, case, func, literal, select, union

from nxt_adapters.supabase import tables as t


@attrs.frozen(kw_only=True)
class Derived:
    """Columns of one table that one question answers.

    Attributes:
        table: Where they are.
        question: Returns ``id`` and the columns, under their names.
        key: The column of the table that ``id`` means.
        is_repaired: False: a difference is for people to look into, and only ever reported.
    """

    table: Table
    question: Select[Any]
    key: str = "id"
    is_repaired: bool = True

    @property
    def columns(self) -> Sequence[str]:
        """Names of the derived columns."""
        return [column.name for column in self.question.selected_columns if column.name != "id"]


Step = tuple[str, Table]
"""A pointer, and the table that it points into."""

_GRID: Sequence[Step] = (("grid_id", t.grids),)
_CUSTOMER: Sequence[Step] = (("customer_id", t.customers), *_GRID)
_CONNECTION: Sequence[Step] = (("connection_id", t.connections), *_CUSTOMER)
_METER: Sequence[Step] = (("meter_id", t.meters), *_CONNECTION)


def _climb(rows: FromClause, table: FromClause, path: Sequence[Step]) -> tuple[FromClause, FromClause]:
    """Join the rows above, whether there are any or not; the second result is the highest."""
    for pointer, parent in path:
        above = parent.alias()
        rows, table = rows.outerjoin(above, above.c.id == table.c[pointer]), above
    return rows, table


def _owner(table: Table, *paths: Sequence[Step], key: str = "id") -> Derived:
    """Take the owner from the path whose first pointer is set, by the chain itself: no copy on the way is asked."""
    rows: FromClause = table
    whens: list[tuple[ColumnElement[bool], ColumnElement[Any]]] = []
    for path in paths:
        rows, highest = _climb(rows, table, path)
        column = "id" if path[-1][1] is t.organizations else "organization_id"
        whens.append((table.c[path[0][0]].is_not(None), highest.c[column]))
    question = select(table.c[key].label("id"), case(*whens).label("rls_organization_id")).select_from(rows)
    return Derived(table=table, question=question.distinct(), key=key)


def _last(table: Table, column: str, child: Table, pointer: str) -> Derived:
    newest = func.max(child.c.id).label(column)
    parent = child.c[pointer]
    return Derived(table=table, question=select(parent.label("id"), newest).where(parent.is_not(None)).group_by(parent))


_OF_A_GRID = (
    t.agents, t.customers, t.dcus, t.devices, t.directive_batches, t.energy_cabins, t.mppts, t.poles, t.routers,
)  # fmt: skip


def _grid_of_meters() -> Derived:
    rows, customer = _climb(t.meters, t.meters, _CONNECTION[:2])
    return Derived(
        table=t.meters, question=select(t.meters.c.id, customer.c.grid_id.label("rls_grid_id")).select_from(rows)
    )


OWNERS: Sequence[Derived] = (
    _owner(t.members, (("account_id", t.accounts),)),
    *(_owner(table, _GRID) for table in _OF_A_GRID),
    _owner(t.connections, _CUSTOMER),
    _owner(t.connection_requested_meters, _CONNECTION),
    _owner(t.meters, _CONNECTION),
    _grid_of_meters(),
    _owner(t.meter_shadows, _METER, key="meter_id"),
    _owner(t.metering_hardware_install_sessions, (("dcu_id", t.dcus), *_GRID), _METER),
    _owner(
        t.wallets,
        _CUSTOMER,
        (("agent_id", t.agents), *_GRID),
        _CONNECTION,
        (("organization_id", t.organizations),),
        _METER,
    ),
    _owner(t.notes, _CUSTOMER, _CONNECTION, _METER),
)
"""Owner organizations of what describes the present; history keeps the owner of its time [REL-84]."""


def _wallet_balances() -> Derived:
    moved = (
        select(t.transactions.c.wallet_id, func.sum(t.transactions.c.amount).label("amount"))
        .where(t.transactions.c.transaction_status == "SUCCESSFUL")
        .group_by(t.transactions.c.wallet_id)
        .subquery()
    )
    question = (
        select(t.wallets.c.id, func.coalesce(moved.c.amount, 0).label("balance"))
        .select_from(t.wallets.outerjoin(moved, moved.c.wallet_id == t.wallets.c.id))
        .where(t.wallets.c.identifier.is_(None))
    )
    return Derived(table=t.wallets, question=question, is_repaired=False)


def _connection_fees() -> Derived:
    wanted = t.connection_requested_meters
    above = t.customers.outerjoin(t.connections, t.connections.c.customer_id == t.customers.c.id)
    above = above.outerjoin(wanted, wanted.c.connection_id == t.connections.c.id)
    counts = t.connections.c.deleted_at.is_(None) & wanted.c.deleted_at.is_(None)
    fee = func.coalesce(func.sum(wanted.c.fee).filter(counts), 0)
    question = select(t.customers.c.id, fee.label("total_connection_fee")).select_from(above).group_by(t.customers.c.id)
    return Derived(table=t.customers, question=question)


def _payments_of_connections() -> Select[Any]:
    signs = ((t.orders.c.receiver_wallet_id, 1), (t.orders.c.sender_wallet_id, -1))
    sides = [
        select(t.wallets.c.connection_id, t.orders.c.id, (t.orders.c.amount * sign).label("amount"))
        .join(t.wallets, t.wallets.c.id == wallet)
        .where(
            t.wallets.c.connection_id.is_not(None),
            t.orders.c.order_status == "COMPLETED",
            t.orders.c.reversed_at.is_(None),
        )
        for wallet, sign in signs
    ]
    paid = union(*sides).subquery()
    amount = func.coalesce(func.sum(paid.c.amount), 0).label("paid")
    above = t.connections.outerjoin(paid, paid.c.connection_id == t.connections.c.id)
    return (
        select(t.connections.c.id, t.connections.c.customer_id, amount)
        .select_from(above)
        .group_by(t.connections.c.id, t.connections.c.customer_id)
    )


def _paid_by_connections() -> Derived:
    paid = _payments_of_connections().subquery()
    return Derived(table=t.connections, question=select(paid.c.id, paid.c.paid))


def _paid_by_customers() -> Derived:
    paid = _payments_of_connections().subquery()
    question = select(paid.c.customer_id.label("id"), func.sum(paid.c.paid).label("total_connection_paid"))
    return Derived(table=t.customers, question=question.group_by(paid.c.customer_id))


TOTALS: Sequence[Derived] = (_wallet_balances(), _connection_fees(), _paid_by_connections(), _paid_by_customers())


def _counted(*statuses: str) -> ColumnElement[int]:
    return func.count().filter(t.meter_interactions.c.meter_interaction_status.in_(statuses))


def _steps() -> Derived:
    key = t.meter_interactions.c.meter_commissioning_id
    question = (
        select(
            key.label("id"),
            _counted("DEFERRED").label("initialised_steps"),
            _counted("QUEUED", "SUSPENDED").label("pending_steps"),
            _counted("PROCESSING").label("processing_steps"),
            _counted("SUCCESSFUL").label("successful_steps"),
            _counted("FAILED", "ABORTED").label("failed_steps"),
            func.count().label("total_steps"),
        )
        .where(key.is_not(None))
        .group_by(key)
    )
    return Derived(table=t.meter_commissionings, question=question)


def _runs() -> Derived:
    """Count through the requests, since several runs may share one interaction [REL-163]."""
    asked, done = t.interaction_requests, t.meter_interactions
    shared = select(asked.c.batch_execution_id, asked.c.meter_interaction_id).where(
        asked.c.batch_execution_id.is_not(None)
    )
    first = select(done.c.batch_execution_id, done.c.id).where(done.c.batch_execution_id.is_not(None))
    of_run = union(shared, first).subquery()
    run = of_run.c.batch_execution_id
    question = (
        select(
            run.label("id"),
            _counted("QUEUED", "SUSPENDED", "DEFERRED").label("pending_count"),
            _counted("PROCESSING").label("processing_count"),
            _counted("SUCCESSFUL").label("successful_count"),
            _counted("FAILED", "ABORTED").label("failed_count"),
            _counted("SUCCESSFUL", "FAILED", "ABORTED").label("processed_count"),
        )
        .join(done, done.c.id == of_run.c.meter_interaction_id)
        .group_by(run)
    )
    return Derived(table=t.directive_batch_executions, question=question)


def _installed_power() -> Derived:
    """Only where chargers were ever known: elsewhere somebody entered the figure."""
    live = func.sum(t.mppts.c.kw).filter(t.mppts.c.deleted_at.is_(None))
    question = select(
        t.mppts.c.grid_id.label("id"), func.round(func.coalesce(live, literal(0)), 2).label("kwp")
    ).group_by(t.mppts.c.grid_id)
    return Derived(table=t.grids, question=question)


COUNTERS: Sequence[Derived] = (_steps(), _runs(), _installed_power())

_SESSION, _LAST_SESSION = "metering_hardware_install_session_id", "last_metering_hardware_install_session_id"
LAST_POINTERS: Sequence[Derived] = (
    _last(t.meters, _LAST_SESSION, t.metering_hardware_install_sessions, "meter_id"),
    _last(t.dcus, _LAST_SESSION, t.metering_hardware_install_sessions, "dcu_id"),
    _last(
        t.metering_hardware_install_sessions,
        "last_metering_hardware_import_id",
        t.metering_hardware_imports,
        _SESSION,
    ),
    _last(t.metering_hardware_install_sessions, "last_meter_commissioning_id", t.meter_commissionings, _SESSION),
    _last(t.meters, "last_encountered_issue_id", t.issues, "meter_id"),
    _last(t.pd_actions, "latest_pd_document_id", t.pd_documents, "pd_action_id"),
)

ALL: Sequence[Derived] = (*OWNERS, *TOTALS, *COUNTERS, *LAST_POINTERS)
