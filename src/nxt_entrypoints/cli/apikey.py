"""``nxt apikey``: machine credentials [API-54, R54]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nxt_entrypoints.cli.options import Interval, data_option
from nxt_entrypoints.cli.output import emit, examples, json_option, remark

if TYPE_CHECKING:
    from pathlib import Path

    from nxt_domain.identity.model import ApiKey

_id_option = click.option("--id", "key_id", type=click.IntRange(1), required=True, help="Id of the key.")


@click.group()
def apikey() -> None:
    """Hand out API keys, list them, lock, unlock and revoke them.

    A key acts with the rights of the account that owns it. Works on a running `nxt up` (--data, or
    the only one), or on the database that NXT_DB_* name.
    """


@apikey.command(
    epilog=examples(
        "nxt apikey create --account-id 12 --name billing",
        "nxt apikey create --account-id 12 --scope orders:write --scope grids:read --expires-in 2160h",
    )
)
@click.option("--account-id", type=click.IntRange(1), required=True, help="The owner: a member of an organization.")
@click.option("--name", help="For the list.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SEGMENT:read|write",
    help="First segment of a path, and what may be done there; repeatable. Default: all rights of the owner.",
)
@click.option("--expires-in", type=Interval(), help="When it stops counting, such as 2160h. Default: never.")
@data_option
@json_option
def create(
    account_id: int,
    name: str | None,
    scopes: tuple[str, ...],
    expires_in: float | None,
    data: Path | None,
    as_json: bool,
) -> int:
    """Make a key and print it, once: only its hash is kept."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - keeps `--help` fast

    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    expires_at = None if expires_in is None else datetime.now(UTC) + timedelta(seconds=expires_in)
    key_id, key = operate(
        data,
        lambda operating: operating.keys.create(account_id, name=name, scopes=scopes or None, expires_at=expires_at),
    )
    if not as_json:
        remark(f"key {key_id} of account {account_id}; it is shown this once:")
    facts = {"id": key_id, "account_id": account_id, "key": key, "name": name, "scopes": list(scopes) or None}
    emit({**facts, "expires_at": expires_at}, as_json=as_json, lines=lambda: [key])
    return 0


@apikey.command("list", epilog=examples("nxt apikey list --json"))
@data_option
@json_option
def list_all(data: Path | None, as_json: bool) -> int:
    """List all keys, without the secrets."""
    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    keys = operate(data, lambda operating: operating.keys.list())
    emit([_facts(key) for key in keys], as_json=as_json, lines=lambda: map(_line, keys))
    return 0


@apikey.command(epilog=examples("nxt apikey lock --id 4"))
@_id_option
@data_option
@json_option
def lock(key_id: int, data: Path | None, as_json: bool) -> int:
    """Refuse a key until it is unlocked; roles that know it follow within a minute."""
    return _set_locked(key_id, data, as_json, locked=True)


@apikey.command(epilog=examples("nxt apikey unlock --id 4"))
@_id_option
@data_option
@json_option
def unlock(key_id: int, data: Path | None, as_json: bool) -> int:
    """Let a locked key count again."""
    return _set_locked(key_id, data, as_json, locked=False)


@apikey.command(epilog=examples("nxt apikey revoke --id 4"))
@_id_option
@data_option
@json_option
def revoke(key_id: int, data: Path | None, as_json: bool) -> int:
    """End a key for good."""
    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    operate(data, lambda operating: operating.keys.revoke(key_id))
    emit({"id": key_id, "revoked": True}, as_json=as_json, lines=lambda: [f"key {key_id}: revoked"])
    return 0


@apikey.command("hash-plaintext", epilog=examples("nxt apikey hash-plaintext"))
@data_option
@json_option
def hash_plaintext(data: Path | None, as_json: bool) -> int:
    """Replace keys stored in plain text by their hashes. Their holders notice nothing."""
    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    moved = operate(data, lambda operating: operating.keys.hash_plaintext())
    emit({"hashed": moved}, as_json=as_json, lines=lambda: [f"{moved} keys hashed"])
    return 0


def _set_locked(key_id: int, data: Path | None, as_json: bool, *, locked: bool) -> int:
    from nxt_entrypoints.cli.operator_plane import operate  # noqa: PLC0415 - needs the extra

    operate(data, lambda operating: operating.keys.set_locked(key_id, locked=locked))
    word = "locked" if locked else "unlocked"
    emit({"id": key_id, "locked": locked}, as_json=as_json, lines=lambda: [f"key {key_id}: {word}"])
    return 0


def _facts(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "account_id": key.account_id,
        "key_prefix": key.key_prefix,
        "name": key.name,
        "scopes": None if key.scopes is None else sorted(key.scopes),
        "is_locked": key.is_locked,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _line(key: ApiKey) -> str:
    state = "revoked" if key.revoked_at else "locked" if key.is_locked else "counts"
    scopes = "all rights" if key.scopes is None else " ".join(sorted(key.scopes))
    return (
        f"{key.id:>6}  account {key.account_id:<6}  {state:<8}  {key.key_prefix or '-':<9} {key.name or ''}  {scopes}"
    )
