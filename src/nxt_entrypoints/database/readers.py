"""Making the read-only roles that a deployment lists [REL-4, REL-120]."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from nxt_adapters.supabase.policies.readers import SETTINGS, Reader
from nxt_domain.shared.errors import Forbidden, InvalidInput, Unavailable

DEFAULTS: Sequence[Reader] = (
    Reader(role="grafana_readonly", tables="dashboards"),
    Reader(role="make_readonly", tables="automation"),
)
"""The roles of known deployments [REL-3]."""

Session = psycopg.Connection[tuple[object, ...]]

_SHOWN = "select tablename from pg_policies where schemaname = 'public' and policyname = %s"
_HELD = """
    select c.relname from pg_class c left join pg_attribute t on t.attrelid = c.oid
    cross join lateral aclexplode(c.relacl || t.attacl) a
    where c.relnamespace = 'public'::regnamespace and a.grantee = %s::regrole
"""


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
    if not isinstance(reads, str | list):
        raise ValueError(f"neither a kind nor a list of tables: {json.dumps(reads)}")  # noqa: TRY004 - as above
    return Reader(
        role=str(entry["role"]),
        tables=reads if isinstance(reads, str) else [str(table) for table in reads],
        password_variable=str(entry.get("password_variable", "")),
    )


def make(url: str, readers: Sequence[Reader], environment: Mapping[str, str]) -> Sequence[str]:
    """Make or change roles so that each reads exactly what is listed; a repetition changes nothing.

    A policy is made under a lock that stops the whole table, so each table has a short transaction of its own, which
    waits for 5 s at most. What fails half-way is finished by a repetition.

    Args:
        url: ``postgresql://…`` of the login that owns the database, with CREATEROLE.
        readers: What there shall be. Roles that are not listed stay as they are.
        environment: Where passwords are found.

    Returns:
        The names of roles that were made now.

    Raises:
        InvalidInput: A variable that a role names is not set.
        Forbidden: The login may make no roles, or does not own the tables.
        Unavailable: The database can't be reached, or a table stayed locked.
    """
    for reader in readers:
        if reader.password_variable and not environment.get(reader.password_variable):
            raise InvalidInput(f"{reader.password_variable}, the password of {reader.role}, is not set")
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(address, autocommit=True) as session:
            session.execute("set lock_timeout = '5s'")
            made = [reader.role for reader in readers if _make(session, reader, environment)]
            for reader in readers:
                _open_tables(session, reader)
            return made
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise Forbidden(f"Only the owner of the database, with CREATEROLE, makes readers: {error}") from error
    except psycopg.OperationalError as error:
        raise Unavailable(f"The database does not answer: {error}") from error


def _make(session: Session, reader: Reader, environment: Mapping[str, str]) -> bool:
    role, database = sql.Identifier(reader.role), sql.Identifier(session.info.dbname)
    with session.transaction():
        is_new = session.execute("select from pg_roles where rolname = %s", [reader.role]).fetchone() is None
        if is_new:
            session.execute(sql.SQL("create role {} login").format(role))
        if reader.password_variable:
            # Sent as the verifier that the server would make of it, so that no log shows the password.
            secret = environment[reader.password_variable].encode()
            verifier = session.pgconn.encrypt_password(secret, reader.role.encode(), b"scram-sha-256")
            session.execute(sql.SQL("alter role {} password {}").format(role, sql.Literal(verifier.decode())))
        session.execute(sql.SQL("grant connect on database {} to {}").format(database, role))
        session.execute(sql.SQL("grant usage on schema public, extensions, compat to {}").format(role))
        session.execute(sql.SQL("grant select on all tables in schema compat to {}").format(role))
        for setting in SETTINGS:
            change = sql.SQL("alter role {} in database {} set {}")
            session.execute(change.format(role, database, sql.SQL(setting)))
    return is_new


def _open_tables(session: Session, reader: Reader) -> None:
    shown = {str(table) for (table,) in session.execute(_SHOWN, [reader.policy])}
    held = {str(table) for (table,) in session.execute(_HELD, [reader.role])}
    for table in sorted({*shown, *held, *reader.tables}):
        names = {"table": sql.Identifier("public", table), "role": sql.Identifier(reader.role)}
        with session.transaction():
            session.execute(sql.SQL("revoke all on {table} from {role}").format(**names))
            if table in reader.tables:
                session.execute(sql.SQL(reader.grant(table)))
            if table in reader.tables and table not in shown:
                session.execute(sql.SQL(reader.create_policy(table)))
            if table in shown and table not in reader.tables:
                drop = sql.SQL("drop policy {policy} on {table}")
                session.execute(drop.format(policy=sql.Identifier(reader.policy), **names))
