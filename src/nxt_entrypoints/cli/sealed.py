"""``nxt secrets``: what is stored encrypted, and the data keys that open it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from nxt_entrypoints.cli.options import data_option
from nxt_entrypoints.cli.output import emit, examples, json_option
from nxt_entrypoints.cli.running import environment_of, relational_url

if TYPE_CHECKING:
    from pathlib import Path

    from nxt_adapters.supabase.secret_store import Resealed


@click.group(name="secrets")
def sealed() -> None:
    """Look after stored secrets: meters' decoder keys, merchants' keys."""


@sealed.command(
    epilog=examples(
        "nxt secrets rotate",
        "nxt secrets rotate --data ./demo --json",
    )
)
@data_option
@click.option("--url", help="Address of the relational database, in place of the environment's.")
@json_option
def rotate(data: Path | None, url: str | None, as_json: bool) -> int:
    """Seal with the first key of NXT_SECRETS_KEYS everything that an older one of them sealed.

    Put the new key in front and restart the roles first, then run this, then take the old key away. Running it again
    changes nothing. Exits with 1 if some secrets open with none of the keys.
    """
    done = asyncio.run(_rotate(relational_url(data, url), _data_keys(data)))
    emit(
        {"resealed": done.resealed, "lost": done.lost},
        as_json=as_json,
        lines=lambda: [f"{done.resealed} sealed anew", *([f"{done.lost} can't be opened"] if done.lost else [])],
    )
    return 1 if done.lost else 0


def _data_keys(data: Path | None) -> str:
    keys = environment_of(data).get("NXT_SECRETS_KEYS", "")
    if not keys:
        raise click.UsageError("NXT_SECRETS_KEYS is not set: newest key first, as id:base64-32-bytes[,older…]")
    return keys


async def _rotate(url: str, keys: str) -> Resealed:
    from nxt_adapters.supabase.engine import create_engine  # noqa: PLC0415 - needs the extra
    from nxt_adapters.supabase.secret_store import PostgresSecretStore  # noqa: PLC0415 - as above
    from nxt_adapters.system.secret_box import AesGcmBox  # noqa: PLC0415 - as above

    engine = create_engine(url, pool_size=1, application_name="nxt secrets")
    try:
        return await PostgresSecretStore(engine, AesGcmBox(keys)).reseal()
    finally:
        await engine.dispose()
