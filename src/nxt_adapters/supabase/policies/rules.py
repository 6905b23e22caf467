"""The access table: who sees and writes which rows of schema ``public`` (relational-schema 9.3).

A table that is not here is closed to clients [REL-106]. Rights of all rules add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Table

from nxt_adapters.supabase.policies.model import OWN_ORGANIZATION, Access, Caller
from nxt_adapters.supabase.tables import connections

OWN_ACCOUNT = "(select internal.caller_account_id())"
OWN_CUSTOMER = "(select internal.caller_customer_id())"
OWN_AGENT = "(select internal.caller_agent_id())"
OWN_CONNECTIONS = "any ((select internal.caller_connection_ids())::integer[])"
OWN_METERS = "any ((select internal.caller_meter_ids())::integer[])"
OWN_WALLETS = "any ((select internal.caller_wallet_ids())::integer[])"
SUPPLY_WALLETS = "any ((select internal.caller_supply_wallet_ids())::integer[])"

REPORTED = "not is_hidden_from_reporting"
REPORTED_GRID = "grid_id <> all ((select internal.hidden_grid_ids())::integer[])"
REPORTED_ORDER = "meta_is_hidden_from_reporting = false"
"""An order that doesn't say is hidden [REL-93]."""

JUST_MADE = "created_at = (select now())"
"""Made by the same transaction: its beginning is what the clock says throughout."""


def _platform(
    acts: str = "S",
    *where: str,
    check: Sequence[str] = (),
    columns: Sequence[str] = (),
    key: str = "id",
    note: str = "",
) -> Access:
    return Access(caller=Caller.PLATFORM, acts=acts, where=where, check=check, columns=columns, key=key, note=note)


def _own(
    acts: str = "S",
    *where: str,
    by: str = "rls_organization_id",
    check: Sequence[str] = (),
    columns: Sequence[str] = (),
    note: str = "",
) -> Access:
    own = (f"{by} = {OWN_ORGANIZATION}", *where)
    return Access(caller=Caller.OWNER, acts=acts, where=own, check=check, columns=columns, note=note)


def _person(*where: str, label: str = "") -> Access:
    return Access(caller=Caller.PERSON, acts="S", where=where, label=label, note=label and f"as {label}")


def _member(*where: str, note: str = "") -> Access:
    return Access(caller=Caller.MEMBER, acts="S", where=where, note=note)


def _lender(*where: str) -> Access:
    return Access(caller=Caller.LENDER, acts="S", where=where, note="reported ones")


def _all_but(table: Table, *closed: str) -> Sequence[str]:
    return tuple(column.name for column in table.columns if column.name not in closed)


_TENANTS = (_own(), _platform())
_LINK, _UNLINKED, _CUT = ("telegram_id",), ("telegram_id is null",), "`telegram_id`, to null"
_AUTHOR = f"author_id = {OWN_ACCOUNT}"
_SUBMISSION = (
    "author_full_name",
    "author_email",
    "author_organization_name",
    "site_name",
    "site_details",
    "outline_geom",
    "location_geom",
)

RULES: Mapping[str, Sequence[Access]] = {
    # People and tenants
    "organizations": (_own(by="id"), _platform("S I U")),
    "accounts": (
        _own(by="organization_id"),
        _own("U", by="organization_id", columns=_LINK, check=_UNLINKED, note=_CUT),
        _platform(),
        _platform("U", columns=_LINK, check=_UNLINKED, note=_CUT),
        _person(f"id = {OWN_ACCOUNT}"),
    ),
    "members": _TENANTS,
    "agents": (*_TENANTS, _person(f"account_id = {OWN_ACCOUNT}")),
    "customers": (*_TENANTS, _lender(REPORTED, REPORTED_GRID), _person(f"account_id = {OWN_ACCOUNT}")),
    "notes": (
        _own("S I"),
        _platform("S I"),
        _own("U", _AUTHOR, note="the author's"),
        _platform("U", _AUTHOR, note="the author's"),
    ),
    # A row for another tenant's feed is not a member's to write.
    "audits": (
        _own(by="organization_id"),
        _platform(),
        _own("I", _AUTHOR, by=f"coalesce(organization_id, {OWN_ORGANIZATION})", note="in one's own name"),
        _platform("I", _AUTHOR, note="in one's own name"),
    ),
    # Sites and what stands on them
    "grids": (_own(by="organization_id"), _platform("S I U"), _lender(REPORTED)),
    "poles": (_own("S I"), _platform("S I")),
    "dcus": _TENANTS,
    "energy_cabins": _TENANTS,
    "mppts": _TENANTS,
    "routers": _TENANTS,
    "device_types": (_member(), _platform("I U")),
    "devices": _TENANTS,
    "device_logs": _TENANTS,
    # Contracts, meters, installation
    "connections": (
        _own(),
        _platform("S D"),
        _platform("I", check=("paid = 0",), note="nothing paid"),
        _platform("U", columns=_all_but(connections, "paid", "currency"), note="but `paid`, `currency`"),
        _person(f"id = {OWN_CONNECTIONS}"),
    ),
    "connection_requested_meters": _TENANTS,
    "meters": (
        *_TENANTS,
        _platform("I U"),
        _member("connection_id is null", note="in stock"),
        _person(f"id = {OWN_METERS}"),
    ),
    "meter_shadows": (_own(), _platform(key="meter_id")),
    "meter_state_events": _TENANTS,
    "metering_hardware_install_sessions": _TENANTS,
    "metering_hardware_imports": _TENANTS,
    "meter_commissionings": _TENANTS,
    "issues": _TENANTS,
    # Commands and rules
    "meter_interactions": (*_TENANTS, _person(f"meter_id = {OWN_METERS}")),
    "directive_batches": _TENANTS,
    "directive_batch_executions": _TENANTS,
    # Money
    "wallets": (
        *_TENANTS,
        _platform("I", check=("balance = 0", "identifier is null"), note="empty, an owner's"),
        _person(f"customer_id = {OWN_CUSTOMER}", label="customer"),
        _person(f"agent_id = {OWN_AGENT}", label="agent"),
    ),
    "orders": (
        *_TENANTS,
        _platform("U", columns=("order_status",), check=("order_status = 'IGNORED'",), note="to `IGNORED`"),
        _lender(REPORTED_ORDER),
        _person(_AUTHOR, label="author"),
        _person(f"sender_wallet_id = {OWN_WALLETS}", label="sender"),
        _person(f"receiver_wallet_id = {OWN_WALLETS}", label="receiver"),
        # A meter may have been another customer's before.
        _person(
            f"receiver_wallet_id = {SUPPLY_WALLETS}",
            f"coalesce(meta_receiver_id_part_2, {OWN_CUSTOMER}) = {OWN_CUSTOMER}",
            label="receiver of energy",
        ),
    ),
    "transactions": _TENANTS,
    "payouts": (_platform(),),
    # Project development
    "pd_site_submissions": (
        _own(by="organization_id"),
        _platform("S I U"),
        Access(caller=Caller.ANONYMOUS, acts="I", columns=_SUBMISSION, note="the form's columns"),
        # So that an insert may return its row.
        Access(caller=Caller.ANONYMOUS, acts="S", where=(JUST_MADE,), note="of the same transaction"),
    ),
    "pd_sites": (_platform("S I U"),),
    "pd_flows": (_platform("S I U"),),
    "pd_actions": (_platform("S I U"),),
    "pd_documents": (_member(), _platform("I")),
    "pd_audits": (_member(),),
    "pd_flow_templates": (_member(),),
    "pd_action_templates": (_member(),),
    "pd_document_templates": (_member(),),
}

VIEWS = (
    "agents_with_account",
    "batch_commands",
    "customers_with_account",
    "meters_with_account_and_statuses",
    "my_grid",
)
"""Views that signed-in callers read; the rows are those of the tables below them [REL-85]."""
