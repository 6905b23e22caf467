"""The peer of enqueueing over HTTP: a bare aiohttp handler that inserts the same row with psycopg and commits.

It does nothing else: no credential is checked, nothing validated, limited, logged or counted.
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

import msgspec
import uvloop
from aiohttp import web
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

_POOL_SIZE = 20  # as the product's [API-204]
_INSERT = b"""
    insert into messaging.device_messages (
        id, command_type, priority, plugin_id, network_id, correlation_id, device, ready_queue, delivery_status,
        enqueued_at, expires_at)
    values (%(id)s, %(commandType)s, %(priority)s, %(pluginId)s, %(networkId)s, %(correlationId)s, %(device)s,
        %(queue)s, 'QUEUED', now(), now() + interval '7 days')
"""


def _application(url: str) -> web.Application:
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        url, min_size=_POOL_SIZE, max_size=_POOL_SIZE, kwargs={"autocommit": True, "prepare_threshold": 2}, open=False
    )
    numbers = itertools.count(1)

    async def enqueue(request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read())
        body["id"] = f"01BARE{next(numbers):020d}"
        body["queue"] = f"queue:bare:network:{body['networkId']}"
        async with pool.connection() as connection:
            await connection.execute(_INSERT, {**body, "device": Jsonb(body["device"])})
        return web.Response(body=msgspec.json.encode(body), status=201, content_type="application/json")

    app = web.Application()
    app.router.add_post("/message/enqueue", enqueue)

    async def open_pool(_app: web.Application) -> None:
        await pool.open(wait=True)

    app.on_startup.append(open_pool)
    return app


def main() -> None:
    """Serve until the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("url")
    wanted = parser.parse_args()
    uvloop.install()
    web.run_app(_application(wanted.url), host="127.0.0.1", port=wanted.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
