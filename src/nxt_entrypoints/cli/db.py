"""``nxt db``: schemas of the two planes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nxt_entrypoints.cli.options import data_option
from nxt_entrypoints.cli.output import emit, examples, json_option, remark
from nxt_entrypoints.cli.running import plane_urls
from nxt_entrypoints.cli.seeding import seed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nxt_entrypoints.database.migrate import Plane

_PLANES: tuple[Plane, ...] = ("relational", "telemetry")
_MESSAGING = "DEVICE_MESSAGING_DATABASE_URL"

_plane_option = click.option(
    "--plane",
    type=click.Choice([*_PLANES, "messaging", "all"]),
    default="all",
    show_default=True,
    help="Which database.",
)


@click.group()
def db() -> None:
    """Bring the databases to the newest schema, fill a new one, compare them with what they should be.

    Addresses come from NXT_DB_* and NXT_TIMESCALE_DB_* (for migrations from DATABASE_* first, so that the
    owner can be another user), or from a running `nxt up` (--data, or the only one). The plane "messaging" is
    the database of stand-alone device messaging; it is left alone unless DEVICE_MESSAGING_DATABASE_URL is set.
    """


@db.command(epilog=examples("nxt db upgrade", "nxt db upgrade --plane relational --json"))
@_plane_option
@data_option
@json_option
def upgrade(plane: str, data: Path | None, as_json: bool) -> int:
    """Apply the migrations that are missing. Running it again changes nothing."""
    from nxt_entrypoints.database.migrate import upgrade as apply  # noqa: PLC0415 - needs the extra

    def told(line: str) -> None:
        if not as_json:
            click.echo(f"  {line}")

    applied = {name: apply(url, name, progress=told) for name, url in _chosen(plane, data)}
    emit(
        {"applied": applied},
        as_json=as_json,
        lines=lambda: [
            f"{name}: {len(steps)} applied" if steps else f"{name}: up to date" for name, steps in applied.items()
        ],
    )
    return 0


@db.command(epilog=examples("nxt db check --json"))
@_plane_option
@data_option
@json_option
def check(plane: str, data: Path | None, as_json: bool) -> int:
    """Compare the databases with what this version expects. Exits with 1 if something differs."""
    from nxt_entrypoints.database.comparison import check as compare  # noqa: PLC0415 - needs the extra

    found = {name: compare(url, name) for name, url in _chosen(plane, data)}
    facts = {
        name: [{"kind": one.kind, "name": one.name, "detail": one.detail} for one in differences]
        for name, differences in found.items()
    }
    emit(
        {"ok": not any(found.values()), "differences": facts},
        as_json=as_json,
        lines=lambda: [
            line
            for name, differences in found.items()
            for line in (map(str, differences) if differences else [f"{name}: as expected"])
        ],
    )
    return 1 if any(found.values()) else 0


@db.command(epilog=examples("nxt db readers", "nxt db readers deploy/postgres/readers.json"))
@click.argument("roles", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@data_option
@json_option
def readers(roles: Path | None, data: Path | None, as_json: bool) -> int:
    """Make or change the read-only logins listed in the file ROLES.

    The file is a JSON list of {"role", "reads", "password_variable"}: "reads" is dashboards, automation, chat, or a
    list of tables; the password is taken from the environment. Without a file: grafana_readonly for dashboards and
    make_readonly for automation, which get no password. Roles that are not listed stay as they are.
    """
    from nxt_entrypoints.database.readers import DEFAULTS, make, read_list  # noqa: PLC0415 - needs the extra

    listed = read_list(roles) if roles else DEFAULTS
    made = make(plane_urls(data)[0], listed, os.environ)
    facts = [{"role": one.role, "is_new": one.role in made, "tables": list(one.tables)} for one in listed]
    emit(
        {"readers": facts},
        as_json=as_json,
        lines=lambda: [
            f"{one.role}: {'made' if one.role in made else 'changed'}, reads {', '.join(one.tables)}" for one in listed
        ],
    )
    return 0


db.add_command(seed)


@db.command(epilog=examples("nxt db rebuild --json", "nxt db rebuild --repair"))
@click.option("--repair", is_flag=True, help="Write what was derived; wallets excepted.")
@data_option
@json_option
def rebuild(repair: bool, data: Path | None, as_json: bool) -> int:
    """Derive totals, counters, owners and pointers anew, and say what differs.

    Reads only, unless --repair is given. A wallet's balance is never written: look into it with nxt ledger
    audit. Exits with 1 if something differs and was not repaired.
    """
    from nxt_entrypoints.database.rebuild import rebuild as derive  # noqa: PLC0415 - needs the extra

    found = derive(plane_urls(data)[0], repairs=repair)
    facts = [
        {"table": one.table, "id": one.id, "stored": one.stored, "derived": one.derived, "repaired": one.is_repaired}
        for one in found
    ]
    left = [one for one in found if not one.is_repaired]
    emit(
        {"ok": not left, "differences": facts},
        as_json=as_json,
        lines=lambda: map(str, found) if found else ["everything is as derived"],
    )
    return 1 if left else 0


@db.command()
def downgrade() -> int:
    """Not possible: migrations go forward only. Restore a backup instead."""
    raise click.UsageError("migrations go forward only; to go back, restore the backup taken before the upgrade")


def _chosen(plane: str, data: Path | None) -> Iterator[tuple[Plane, str]]:
    messaging = os.environ.get(_MESSAGING, "").strip() if data is None else ""
    if plane == "messaging":
        if not messaging:
            raise click.UsageError(f"the database of stand-alone messaging is not named: set {_MESSAGING}")
        yield "messaging", messaging
        return
    addresses = dict(zip(_PLANES, plane_urls(data), strict=True))
    for name, url in addresses.items():
        if plane not in (name, "all"):
            continue
        if url:
            yield name, url
        elif plane == name:
            raise click.UsageError("the time-series database is not named: set NXT_TIMESCALE_DB_*")
        else:
            remark(f"{name}: skipped, since NXT_TIMESCALE_DB_* is not set")
    if plane == "all" and messaging:
        yield "messaging", messaging
