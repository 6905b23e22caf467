"""``nxt db seed``: the first rows and the first person of an installation."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nxt_entrypoints.cli.output import emit, examples, json_option
from nxt_entrypoints.cli.running import plane_urls
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import Role

if TYPE_CHECKING:
    from nxt_domain.identity.people import MemberView
    from nxt_domain.identity.use_cases.first_superadmin import EnsureSuperadmin
    from nxt_entrypoints.settings.settings import Settings


@click.command(
    epilog=examples(
        "nxt db seed", "nxt db seed --banks banks.json --superadmin desk@example.org --full-name 'The Desk'"
    )
)
@click.option("--name", help="Of the organization that runs the platform.  [default: the configured platform name]")
@click.option(
    "--banks",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON object: names of banks as the phone menu shows them, and their codes at the payment provider.",
)
@click.option("--superadmin", metavar="EMAIL", help="Make this person the first superadmin; the password is asked for.")
@click.option("--full-name", default="Superadmin", show_default=True, help="Of that person.")
@json_option
def seed(name: str | None, banks: Path | None, superadmin: str | None, full_name: str, as_json: bool) -> int:
    """Fill a new database with what the system needs to begin.

    The platform's organization and wallet, the banking system's wallet, the accounts of the ledger, the banks,
    and a first superadmin. Runs with the configuration of the API role, which names the ids. Existing rows
    stay; running it again changes nothing.
    """
    from nxt_domain.shared.errors import Conflict, InvalidInput  # noqa: PLC0415 - keeps `--help` fast
    from nxt_entrypoints.database.baseline_seed import BANKS, Baseline, read_banks  # noqa: PLC0415 - needs the extra
    from nxt_entrypoints.database.baseline_seed import seed as plant  # noqa: PLC0415 - as above

    settings = load_settings(os.environ, [Role.API])
    deployment = settings.artifact.deployment
    try:
        baseline = Baseline(
            platform_organization_id=deployment.admin_organization_id,
            platform_organization_name=name or settings.artifact.public.platform_name,
            banking_system_wallet_id=deployment.system_wallet_id,
            banks=read_banks(banks.read_text(encoding="utf-8")) if banks else BANKS,
        )
    except InvalidInput as problem:
        raise click.BadParameter(problem.message, param_hint="--banks") from problem
    try:
        seeded = plant(plane_urls(None)[0], baseline)
        member = _first_person(settings, superadmin, full_name) if superadmin else None
    except (Conflict, InvalidInput) as problem:
        raise click.ClickException(problem.message) from problem
    facts = {
        "created": seeded.created,
        "platform_organization_id": deployment.admin_organization_id,
        "platform_wallet_id": seeded.platform_wallet_id,
        "banking_system_wallet_id": seeded.banking_system_wallet_id,
        "superadmin": None if member is None else {"member_id": member.id, "account_id": member.account_id},
    }
    emit(facts, as_json=as_json, lines=lambda: [f"{seeded.created} rows made", *_said_of(superadmin, member)])
    return 0


def _first_person(settings: Settings, email: str, full_name: str) -> MemberView | None:
    from nxt_domain.identity.logins import NewLogin  # noqa: PLC0415 - keeps `--help` fast
    from nxt_entrypoints.container import Container  # noqa: PLC0415 - needs the extra
    from nxt_entrypoints.wiring.people import is_local  # noqa: PLC0415 - as above

    password = click.prompt("Password (empty: none yet)", hide_input=True, default="", show_default=False, err=True)

    async def run() -> MemberView | None:
        container = Container(settings=settings)
        try:
            new = NewLogin(full_name=full_name, email=email, password=password or None)
            ensure: EnsureSuperadmin = container.people.ensure_superadmin()
            return await ensure(new)
        finally:
            if not is_local(settings):
                await container.identity_provider().close()
            await container.engine().dispose()

    return asyncio.run(run())


def _said_of(email: str | None, member: MemberView | None) -> list[str]:
    if email is None:
        return []
    return [f"{email}: made a superadmin" if member else f"{email}: is a member already; nothing changed"]
