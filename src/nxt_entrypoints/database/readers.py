"""Making the read-only roles that a deployment lists [REL-4, REL-120]."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from nxt_adapters.supabase.policies.readers import SETTINGS, Reader
from nxt_domain.shared.errors import InvalidInput, Unavailable

DEFAULTS: Sequence[Reader] = (
    Reader(role="grafana_readonly", tables="dashboards"),
    Reader(role="make_readonly", tables="automation"),
)
"""The roles of known deployments [REL-3]."""

_OWN_POLICIES = "select tablename from pg_policies where schemaname = 'public' and policyname = %s"


def read_list(path: Path) -> Sequence[Reader]:
    """Read a list of roles: ``[{"role", "reads": preset or [tables], "password_variable"?}, …]``.

    Raises:
        InvalidInput: The file is no such list; the message says where.
    """
    try:
        return _readers(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path}: {error}") from error


def _readers(entries: object) -> Sequence[Reader]:
    if not isinstance(entries, list):
        raise ValueError("not a list of roles")  # noqa: TRY004 - about a file's content, like the refusals below
    return tuple(_reader(entry) for entry in entries)


def _reader(entry: object) -> Reader:
    if not isinstance(entry, dict) or not {"role", "reads"} <= set(entry) <= {"role", "reads", "password_variable"}:
        raise ValueError(f"not a role with what it reads: {json.dumps(entry)}")
    reads = entry["reads"]
    return Reader(
        role=str(entry["role"]),
        tables=reads if isinstance(reads, str) else [str(table) for table in reads],
        password_variable=str(entry.get("password_variable", "")),
    )


def make(url: str, readers: Sequence[Reader], environment: Mapping[str, str]) -> Sequence[str]:
    """Make or change roles so that each reads exactly what is listed, in one transaction; a repetition changes nothing.

    Args:
        url: ``postgresql://…`` of the login that owns the database, with CREATEROLE.
        readers: What there shall be. Roles that are not listed stay as they are.
        environment: Where passwords are found.

    Returns:
        The names of roles that were made now.

    Raises:
        InvalidInput: A variable that a role names is not set.
        Unavailable: The database can't be reached.
    """
    for reader in readers:
        if reader.password_variable and not environment.get(reader.password_variable):
            raise InvalidInput(f"{reader.password_variable}, the password of {reader.role}, is not set")
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(address) as session:
            return [reader.role for reader in readers if _make(session, reader, environment)]
    except psycopg.OperationalError as error:
        raise Unavailable(f"The database can't be reached: {error}") from error


def _make(session: psycopg.Connection[tuple[object, ...]], reader: Reader, environment: Mapping[str, str]) -> bool:
    role = sql.Identifier(reader.role)
    is_new = session.execute("select from pg_roles where rolname = %s", [reader.role]).fetchone() is None
    if is_new:
        session.execute(sql.SQL("create role {} login").format(role))
    if reader.password_variable:
        # Sent as the verifier that the server would make of it, so that no log shows the password.
        secret = environment[reader.password_variable].encode()
        verifier = session.pgconn.encrypt_password(secret, reader.role.encode(), b"scram-sha-256")
        session.execute(sql.SQL("alter role {} password {}").format(role, sql.Literal(verifier.decode())))
    database = sql.Identifier(session.info.dbname)
    session.execute(sql.SQL("grant connect on database {} to {}").format(database, role))
    for setting in SETTINGS:
        session.execute(sql.SQL("alter role {} in database {} set {}").format(role, database, sql.SQL(setting)))
    for (table,) in session.execute(_OWN_POLICIES, [reader.policy]).fetchall():
        old = sql.SQL("drop policy {} on public.{}")
        session.execute(old.format(sql.Identifier(reader.policy), sql.Identifier(str(table))))
    for statement in reader.statements():
        session.execute(sql.SQL(statement))
    if session.execute("select to_regnamespace('compat')").fetchone() != (None,):
        session.execute(sql.SQL("grant usage on schema compat to {}").format(role))
        session.execute(sql.SQL("grant select on all tables in schema compat to {}").format(role))
    return is_new
