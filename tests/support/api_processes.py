"""Processes of the API role over a database and a Valkey of theirs, with two tenants to sign in to."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import attrs
import jwt
from sqlalchemy import Connection, insert, text

from nxt_adapters.supabase.tables import accounts, api_keys, auth_users, grids, members, organizations
from nxt_domain.identity.model import Account
from nxt_domain.identity.rules import create_api_key
from nxt_entrypoints.database.migrate import connected
from nxt_entrypoints.supervisor.leashed import leashed
from tests.support.home import command

_START_WITHIN_S = 60.0
_NOWHERE = "http://127.0.0.1:9"
_INHERITED = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
JWT_SECRET = "shared secret of the identity provider, at least 256 bits of it"


@attrs.frozen(kw_only=True)
class Stores:
    """Where the processes find their stores."""

    relational_url: str
    valkey_url: str


def token_of(account: Account, *, lives: timedelta = timedelta(hours=1)) -> str:
    """Sign an account in as the identity provider does: HS256, the account's id in the metadata."""
    claims = {
        "sub": account.supabase_id,
        "aud": "authenticated",
        "exp": (datetime.now(UTC) + lives).timestamp(),
        "app_metadata": {"account_id": account.id},
    }
    return jwt.encode(claims, JWT_SECRET, algorithm="HS256")


def put_members(relational_url: str, people: Sequence[Account]) -> None:
    """Store accounts that are members, with their logins and organizations."""
    with connected(relational_url) as connection, connection.begin():
        for one in people:
            _put_member(connection, one)


def put_grid(relational_url: str, grid_id: int, organization_id: int) -> None:
    """Store a grid of a known organization."""
    with connected(relational_url) as connection, connection.begin():
        row = {"id": grid_id, "name": f"Grid {grid_id}", "organization_id": organization_id}
        connection.execute(insert(grids).values(**row))


def put_key(relational_url: str, account: Account) -> str:
    """Make an API key for an account; return it."""
    key, new = create_api_key(account.id)
    row = {"account_id": new.account_id, "key_hash": new.key_hash, "key_prefix": new.key_prefix, "name": new.name}
    with connected(relational_url) as connection, connection.begin():
        connection.execute(insert(api_keys).values(**row))
    return key


@contextlib.contextmanager
def api_processes(stores: Stores, securities: Sequence[Mapping[str, object]]) -> Iterator[Sequence[str]]:
    """Run processes of the API role, all at once; yields their addresses when they are ready.

    Args:
        stores: Shared by all of them.
        securities: For each process the part ``security`` of its artifact.
    """
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as logs:
        started = [
            stack.enter_context(_process(stores, security, Path(logs) / f"api-{index}.log"))
            for index, security in enumerate(securities)
        ]
        for process, address, log in started:
            _await_ready(process, address, log)
        yield [address for _, address, _ in started]


@contextlib.contextmanager
def _process(
    stores: Stores, security: Mapping[str, object], log: Path
) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    port = _free_port()
    environment = {**_INHERITED, **_environment(stores), "NXT_PORT": str(port), "NXT_CONFIG_JSON": _artifact(security)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            leashed(command("api", "--log-format", "json"), stop=signal.SIGTERM),
            env=environment,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield process, f"http://127.0.0.1:{port}", log
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()


def _await_ready(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + _START_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/readyz", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the API role is not ready: {log.read_text()[-2000:]}")


def _environment(stores: Stores) -> Mapping[str, str]:
    return {
        "TZ": "UTC",
        "NXT_ENV": "development",
        "NXT_HOST": "127.0.0.1",
        "NXT_DB_URL": stores.relational_url,
        "NXT_TIMESCALE_DB_URL": stores.relational_url,
        "HERMES_URL": stores.valkey_url,
        "HERMES_TLS": "false",
        "SUPABASE_API_URL": _NOWHERE,
        "SUPABASE_ANON_KEY": "anon",
        "SUPABASE_SERVICE_ROLE_KEY": "service",
        "SUPABASE_JWT_SECRET": JWT_SECRET,
        "INTERNAL_API_KEY": "inner key",
        "TALOS_API": _NOWHERE,
        "YETI_API": _NOWHERE,
        "LOCH_API": _NOWHERE,
    }


def _artifact(security: Mapping[str, object]) -> str:
    return json.dumps({"$schemaVersion": "1", "security": security})


def _put_member(connection: Connection, one: Account) -> None:
    login = None if one.supabase_id is None else UUID(one.supabase_id)
    if connection.execute(organizations.select().where(organizations.c.id == one.organization_id)).first() is None:
        tenant = {"id": one.organization_id, "name": f"Tenant {one.organization_id}"}
        connection.execute(insert(organizations).values(**tenant, organization_type=one.organization_type))
    # The database makes an account for each login, with an id of its own choice; here the account is given.
    connection.execute(text("set local session_replication_role = replica"))
    connection.execute(insert(auth_users).values(id=login))
    connection.execute(text("set local session_replication_role = origin"))
    row = {"id": one.id, "supabase_id": login, "full_name": one.full_name, "organization_id": one.organization_id}
    connection.execute(insert(accounts).values(**row))
    connection.execute(insert(members).values(id=one.member_id, member_type=one.member_type, account_id=one.id))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
