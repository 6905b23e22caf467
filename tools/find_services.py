"""Say which services of this machine the tests may use: one line each, ``NAME url`` or ``NAME absent`` [R57].

Run: python tools/find_services.py

A name that the environment already sets is kept. Otherwise the usual ports of 127.0.0.1 are asked; a PostgreSQL has to
admit a login without password that may make databases and roles, since tests make and drop databases of their own.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable

import psycopg
import redis

_TIMEOUT_S = 3
# MQTT 3.1.1: CONNECT with an empty client id and a clean session; CONNACK with return code 0.
_CONNECT = bytes.fromhex("100c00044d5154540402003c0000")
_ACCEPTED = bytes.fromhex("20020000")


def postgres() -> str | None:
    """Find a server with a login that owns it."""
    for user in ("root", "postgres"):
        for database in ("test", "postgres"):
            url = f"postgresql://{user}@127.0.0.1:5432/{database}"
            try:
                with psycopg.connect(url, connect_timeout=_TIMEOUT_S) as connection:
                    row = connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()
            except psycopg.OperationalError:
                continue
            if row and row[0]:
                return url
    return None


def timescale() -> str | None:
    """Find a server that offers the extension."""
    url = os.environ.get("NXT_TEST_POSTGRES_URL") or postgres()
    if url is None:
        return None
    with psycopg.connect(url, connect_timeout=_TIMEOUT_S) as connection:
        row = connection.execute("select 1 from pg_available_extensions where name = 'timescaledb'").fetchone()
    return url if row else None


def valkey() -> str | None:
    """Find a server; its last database is lent to the tests, which empty it."""
    url = "redis://127.0.0.1:6379/15"
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=_TIMEOUT_S, socket_timeout=_TIMEOUT_S) as client:
            client.ping()
            return url if client.dbsize() == 0 else None
    except redis.RedisError:
        return None


def mqtt() -> str | None:
    """Find a broker that lets anybody in."""
    try:
        with socket.create_connection(("127.0.0.1", 1883), timeout=_TIMEOUT_S) as connection:
            connection.sendall(_CONNECT)
            return "mqtt://127.0.0.1:1883" if connection.recv(4) == _ACCEPTED else None
    except OSError:
        return None


SERVICES: dict[str, Callable[[], str | None]] = {
    "NXT_TEST_POSTGRES_URL": postgres,
    "NXT_TEST_TIMESCALE_URL": timescale,
    "NXT_TEST_VALKEY_URL": valkey,
    "NXT_TEST_MQTT_URL": mqtt,
}

if __name__ == "__main__":
    for name, find in SERVICES.items():
        sys.stdout.write(f"{name} {os.environ.get(name) or find() or 'absent'}\n")
