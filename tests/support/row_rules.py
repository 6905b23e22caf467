"""What the access table of direct clients means, told a second time without SQL: over rows as Python has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nxt_adapters.supabase.policies import RULES, Access, Act, Caller
from nxt_adapters.supabase.policies import rules as r
from nxt_adapters.supabase.policies.model import OWN_ORGANIZATION
from tests.support.tenant_world import Row, Session, Who


class Facts:
    """What the database's owner knows of a caller, read row by row past row security."""

    def __init__(self, session: Session, who: Who) -> None:
        self.who = who
        self.organization, self.account = who.organization, who.account
        self.agent = _ids(session, "agents", "account_id", {who.account})
        self.customer = _ids(session, "customers", "account_id", {who.account})
        self.connections = _ids(session, "connections", "customer_id", self.customer)
        self.meters = _ids(session, "meters", "connection_id", self.connections)
        self.wallets = (
            _ids(session, "wallets", "agent_id", self.agent)
            | _ids(session, "wallets", "customer_id", self.customer)
            | _ids(session, "wallets", "connection_id", self.connections)
        )
        self.supply_wallets = _ids(session, "wallets", "meter_id", self.meters)
        self.hidden_grids = _ids(session, "grids", "is_hidden_from_reporting", {True})

    def is_a(self, caller: Caller) -> bool:
        """Tell whether the person behind a token is such a caller; whose rows, conditions say."""
        signed_in = self.who.role == "authenticated"
        return {
            Caller.ANONYMOUS: not signed_in,
            Caller.PERSON: signed_in,
            Caller.OWNER: self.organization is not None,
            Caller.MEMBER: self.organization is not None,
            Caller.LENDER: self.who.is_lender,
            Caller.PLATFORM: self.who.is_platform,
        }[caller]


def _ids(session: Session, table: str, column: str, values: set[object] | set[int | None] | set[bool]) -> set[object]:
    found = session.execute(f"select id, {column} as link from {table}")
    return {row["id"] for row in found if row["link"] is not None and row["link"] in values}


Condition = Callable[[Row, Facts], bool]


def _equals(column: str, attribute: str) -> Condition:
    return lambda row, who: row[column] is not None and row[column] == getattr(who, attribute)


def _among(column: str, attribute: str) -> Condition:
    return lambda row, who: row[column] in getattr(who, attribute)


MEANING: Mapping[str, Condition] = {
    f"rls_organization_id = {OWN_ORGANIZATION}": _equals("rls_organization_id", "organization"),
    f"organization_id = {OWN_ORGANIZATION}": _equals("organization_id", "organization"),
    f"id = {OWN_ORGANIZATION}": _equals("id", "organization"),
    f"coalesce(organization_id, {OWN_ORGANIZATION}) = {OWN_ORGANIZATION}": (
        lambda row, who: row["organization_id"] in (None, who.organization)
    ),
    f"id = {r.OWN_ACCOUNT}": _equals("id", "account"),
    f"account_id = {r.OWN_ACCOUNT}": _equals("account_id", "account"),
    f"author_id = {r.OWN_ACCOUNT}": _equals("author_id", "account"),
    f"customer_id = {r.OWN_CUSTOMER}": _among("customer_id", "customer"),
    f"agent_id = {r.OWN_AGENT}": _among("agent_id", "agent"),
    f"id = {r.OWN_CONNECTIONS}": _among("id", "connections"),
    f"id = {r.OWN_METERS}": _among("id", "meters"),
    f"meter_id = {r.OWN_METERS}": _among("meter_id", "meters"),
    f"sender_wallet_id = {r.OWN_WALLETS}": _among("sender_wallet_id", "wallets"),
    f"receiver_wallet_id = {r.OWN_WALLETS}": _among("receiver_wallet_id", "wallets"),
    f"receiver_wallet_id = {r.SUPPLY_WALLETS}": _among("receiver_wallet_id", "supply_wallets"),
    f"coalesce(meta_receiver_id_part_2, {r.OWN_CUSTOMER}) = {r.OWN_CUSTOMER}": (
        lambda row, who: bool(who.customer) and row["meta_receiver_id_part_2"] in {None, *who.customer}
    ),
    r.REPORTED: lambda row, _: row["is_hidden_from_reporting"] is False,
    r.REPORTED_GRID: lambda row, who: row["grid_id"] not in who.hidden_grids,
    r.REPORTED_ORDER: lambda row, _: row["meta_is_hidden_from_reporting"] is False,
    r.JUST_MADE: lambda _row, _who: False,  # the world is older than what is tried on it
    "connection_id is null": lambda row, _: row["connection_id"] is None,
    "telegram_id is null": lambda row, _: row["telegram_id"] is None,
    "order_status = 'IGNORED'": lambda row, _: row["order_status"] == "IGNORED",
    "balance = 0": lambda row, _: row["balance"] == 0,
    "paid = 0": lambda row, _: row["paid"] == 0,
    "identifier is null": lambda row, _: row["identifier"] is None,
}


def may(facts: Facts, act: Act, table: str, row: Row, *, new: bool = False) -> bool:
    """Tell whether the access table admits an act on a row.

    Args:
        facts: Who acts.
        act: What is done.
        table: Where.
        row: The row, with every column.
        new: Whether it is a row as it would be afterwards.
    """
    return any(
        act in access.acts
        and facts.is_a(access.caller)
        and all(MEANING[c](row, facts) for c in _asked(access, new=new))
        for access in RULES.get(table, ())
    )


def _asked(access: Access, *, new: bool) -> list[str]:
    return [*access.where, *(access.check if new else ())]


def has_right(facts: Facts, act: Act, table: str) -> bool:
    """Tell whether the role that a caller's requests run as holds any right for an act on a table."""
    return any(act in access.acts and access.caller.role == facts.who.role for access in RULES.get(table, ()))
