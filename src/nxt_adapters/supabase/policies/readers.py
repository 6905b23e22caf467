"""Read-only roles for dashboards, automations and programs that read by SQL [REL-3, REL-4, REL-119, REL-120]."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import attrs

from nxt_adapters.supabase.tables import accounts, api_keys, metadata

PRESETS: Mapping[str, Sequence[str]] = {
    "dashboards": (
        "connections",
        "customers",
        "dcus",
        "device_logs",
        "device_types",
        "devices",
        "directive_batch_executions",
        "directive_batches",
        "grids",
        "metering_hardware_install_sessions",
        "meters",
        "orders",
        "organizations",
        "transactions",
        "wallets",
    ),
    "automation": ("accounts", "dcus", "grids", "organizations"),
    "chat": (
        "accounts",
        "connections",
        "customers",
        "dcus",
        "directive_batch_executions",
        "directive_batches",
        "grids",
        "meter_commissionings",
        "meter_interactions",
        "metering_hardware_install_sessions",
        "meters",
        "orders",
        "organizations",
        "pd_site_submissions",
        "poles",
    ),
}
"""Tables that a reader of a known kind sees, all rows of them. Commands under the name `directives` [REL-125] are a
view over `meter_interactions`."""

SETTINGS = (
    "default_transaction_read_only = on",
    "search_path = compat, public, extensions",
    "statement_timeout = '5min'",
)
"""What sessions of a reader start with."""

_SECRET_TABLES = {api_keys.name}
_SECRET_COLUMNS = {accounts.name: {"telegram_link_token"}}
_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_TAKEN = {"anon", "authenticated", "authenticator", "service_role", "nxt_app", "nxt_ledger", "postgres", "public"}


def tables_of(reads: str | Sequence[str]) -> Sequence[str]:
    """Return the tables behind the name of a preset, or those of a list.

    Raises:
        ValueError: No such preset; a table that is none of schema ``public``, or holds secrets.
    """
    if isinstance(reads, str):
        if reads not in PRESETS:
            raise ValueError(f"{reads!r} is none of {', '.join(PRESETS)}")
        return PRESETS[reads]
    for table in reads:
        if table not in metadata.tables or metadata.tables[table].schema:
            raise ValueError(f"{table!r} is no table of schema public")
        if table in _SECRET_TABLES:
            raise ValueError(f"{table} holds secrets, which no reader sees")
    return tuple(reads)


@attrs.frozen(kw_only=True)
class Reader:
    """A read-only role, as a deployment lists it.

    Attributes:
        role: Its name.
        tables: What it reads: every row, and every column but secrets.
        password_variable: Environment variable with its password; empty: the password stays as it is, and a new role
            can't log in before it has one.
    """

    role: str = attrs.field()
    tables: Sequence[str] = attrs.field(converter=tables_of)
    password_variable: str = ""

    @role.validator
    def _is_a_name_of_its_own(self, _attribute: object, value: str) -> None:
        if not _ROLE.fullmatch(value) or value in _TAKEN or value.startswith("pg_"):
            raise ValueError(f"{value!r} can't be the name of a read-only role")

    @property
    def policy(self) -> str:
        """Name of its policy on each table."""
        return f"select by {self.role}"

    def grant(self, table: str) -> str:
        """Write the statement that lets it read a table."""
        return f"grant select{_columns(table)} on public.{table} to {self.role}"

    def create_policy(self, table: str) -> str:
        """Write the statement that shows it all rows of a table."""
        return f'create policy "{self.policy}" on public.{table} for select to {self.role} using (true)'


def _columns(table: str) -> str:
    if table not in _SECRET_COLUMNS:
        return ""
    shown = (column.name for column in metadata.tables[table].columns if column.name not in _SECRET_COLUMNS[table])
    return f" ({', '.join(shown)})"
