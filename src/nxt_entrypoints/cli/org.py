"""``nxt org``: tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nxt_entrypoints.cli.options import data_option
from nxt_entrypoints.cli.output import emit, examples, json_option

if TYPE_CHECKING:
    from pathlib import Path

    from nxt_domain.identity.people import Tenant

_TYPES = ("SOLAR_DEVELOPER", "LENDER", "DATA_AGGREGATOR")


@click.group()
def org() -> None:
    """Found organizations, the tenants of the platform, and list them.

    Works on a running `nxt up` (--data, or the only one), or on the database that NXT_DB_* name.
    """


@org.command(
    epilog=examples('nxt org create "Sunny Grids" --email office@sunny.example', "nxt org create Bank --type LENDER")
)
@click.argument("name")
@click.option("--formal-name", help="Legal name.")
@click.option("--email", help="Where it is reached.")
@click.option("--type", "kind", type=click.Choice(_TYPES), default=_TYPES[0], show_default=True, help="What it does.")
@data_option
@json_option
def create(name: str, formal_name: str | None, email: str | None, kind: str, data: Path | None, as_json: bool) -> int:
    """Found an organization, with its wallet. Names are unique."""
    from nxt_domain.identity.model import OrganizationType  # noqa: PLC0415 - keeps `--help` fast
    from nxt_domain.identity.people import NewTenant  # noqa: PLC0415 - as above
    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    new = NewTenant(name=name, formal_name=formal_name, email=email, organization_type=OrganizationType(kind))
    tenant = operate(data, lambda operating: operating.tenants.found(operating.actor, new))
    emit(_facts(tenant), as_json=as_json, lines=lambda: [f"organization {tenant.id}: {tenant.name}"])
    return 0


@org.command("list", epilog=examples("nxt org list --json"))
@data_option
@json_option
def list_all(data: Path | None, as_json: bool) -> int:
    """List the organizations."""
    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    tenants = operate(data, lambda operating: operating.tenants.list())
    emit(
        [_facts(tenant) for tenant in tenants],
        as_json=as_json,
        lines=lambda: [f"{tenant.id:>6}  {tenant.organization_type:<16}  {tenant.name}" for tenant in tenants],
    )
    return 0


def _facts(tenant: Tenant) -> dict[str, object]:
    return {"id": tenant.id, "name": tenant.name, "organization_type": tenant.organization_type.value}
