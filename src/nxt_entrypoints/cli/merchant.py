"""``nxt merchant``: organizations' own accounts at the payment gateway."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import attrs
import click

from nxt_entrypoints.cli.options import data_option
from nxt_entrypoints.cli.output import emit, examples, json_option, remark
from nxt_entrypoints.cli.running import chosen, relational_url
from nxt_entrypoints.embedded.data_dir import kept_secret
from nxt_entrypoints.settings.loader import load_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nxt_adapters.supabase.merchant_keys import PostgresMerchantKeys
    from nxt_domain.orders.merchants import MerchantListing

T = TypeVar("T")

organization_argument = click.argument("organization_id", metavar="ORGANIZATION", type=click.IntRange(min=1))


@click.group()
def merchant() -> None:
    """Keep organizations' own accounts at the payment gateway.

    Money paid in on an organization's grids goes to its own account once that is set and enabled; payments
    under way stay with the account that they were begun with.
    """


@merchant.command("list", epilog=examples("nxt merchant list --json"))
@data_option
@json_option
def list_accounts(data: Path | None, as_json: bool) -> int:
    """Show all accounts, without their secrets."""
    found = _with_store(data, lambda store: store.list())
    lines = [
        f"{one.organization_id:>6}  {_switch_word(one)}  {one.public_key}  {one.organization_name}" for one in found
    ]
    nobody = ["no organization has an account of its own"]
    emit([attrs.asdict(one) for one in found], as_json=as_json, lines=lambda: lines or nobody)
    return 0


@merchant.command("set", epilog=examples("nxt merchant set 7 --public-key FLWPUBK-1 --enable"))
@organization_argument
@click.option("--public-key", required=True, help="For the browser's checkout; not secret.")
@click.option(
    "--secret-key", prompt=True, hide_input=True, envvar="NXT_MERCHANT_SECRET_KEY", help="Asked for; never shown."
)
@click.option(
    "--webhook-secret",
    prompt=True,
    hide_input=True,
    help="The secret hash of its webhooks. Asked for; never shown.",
)
@click.option("--enable/--disable", default=False, help="Whether new payments use it at once.")
@data_option
def set_account(
    organization_id: int, public_key: str, secret_key: str, webhook_secret: str, enable: bool, data: Path | None
) -> int:
    """Set or rotate an organization's keys.

    They are stored encrypted, and count within FLW_CREDENTIALS_TTL_S without a restart. In the gateway's
    dashboard, let its webhooks go to /flutterwave/webhook/ORGANIZATION.
    """
    from nxt_domain.orders.merchants import MerchantKeys  # noqa: PLC0415 - keeps `--help` fast
    from nxt_domain.shared.errors import NotFound  # noqa: PLC0415 - as above

    keys = MerchantKeys(public_key=public_key, secret_key=secret_key, webhook_secret=webhook_secret)
    try:
        _with_store(data, lambda store: store.write(organization_id, keys, is_enabled=enable))
    except NotFound as unknown:
        remark(f"nxt: {unknown.message}")
        return 1
    click.echo(f"organization {organization_id}: keys stored, {'enabled' if enable else 'not enabled'}")
    return 0


@merchant.command(epilog=examples("nxt merchant enable 7"))
@organization_argument
@data_option
def enable(organization_id: int, data: Path | None) -> int:
    """Let new payments use an organization's own account."""
    return _switch(organization_id, data, is_enabled=True)


@merchant.command(epilog=examples("nxt merchant disable 7"))
@organization_argument
@data_option
def disable(organization_id: int, data: Path | None) -> int:
    """Let new payments use the platform's account again."""
    return _switch(organization_id, data, is_enabled=False)


def _switch_word(account: MerchantListing) -> str:
    return "on " if account.is_enabled else "off"


def _switch(organization_id: int, data: Path | None, *, is_enabled: bool) -> int:
    if not _with_store(data, lambda store: store.set_enabled(organization_id, is_enabled=is_enabled)):
        remark(f"nxt: organization {organization_id} has no account of its own; set one with: nxt merchant set")
        return 1
    click.echo(f"organization {organization_id}: {'enabled' if is_enabled else 'disabled'}")
    return 0


def _with_store(data: Path | None, ask: Callable[[PostgresMerchantKeys], Awaitable[T]]) -> T:
    from nxt_adapters.supabase.engine import create_engine  # noqa: PLC0415 - needs the extra
    from nxt_adapters.supabase.merchant_keys import PostgresMerchantKeys  # noqa: PLC0415 - as above
    from nxt_adapters.system.secret_box import AesGcmBox  # noqa: PLC0415 - as above

    url, box = relational_url(data, None), AesGcmBox(_data_keys(data))

    async def run() -> T:
        engine = create_engine(url, pool_size=1, application_name="nxt merchant")
        try:
            return await ask(PostgresMerchantKeys(engine, box))
        finally:
            await engine.dispose()

    return asyncio.run(run())


def _data_keys(data: Path | None) -> str:
    where = chosen(data)
    if where is not None:
        return kept_secret(where, "data_key")
    return ",".join(load_settings(os.environ).names("NXT_SECRETS_KEYS"))
