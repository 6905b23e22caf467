"""The peer of ``http_routes.py``: bare aiohttp handlers that run given SQL with psycopg and write rows as JSON.

They give the very bytes that ours gives, and do nothing else: no credential is checked, nothing validated, limited,
logged, counted or audited.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import attrs
import msgspec
import uvloop
from aiohttp import web
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

_ENCODER = msgspec.json.Encoder()
_POOL_SIZE = 20  # as the product's [API-204]


@attrs.frozen(kw_only=True)
class Recipe:
    """What one route does: the statements that were seen once, with the ids of each request instead of those seen.

    Attributes:
        statements: SQL in psycopg's notation with its parameters.
        asked_id: What was asked for when the statements were seen; it comes from the path, or from the body.
        id_field: Of the body; None: the path's ``id``.
        made_id: What was made then; it comes from the statement that returns an ``id``.
        changes: Run in a transaction.
        page: Answer with so many rows and the id of the last, if there are more; None: with the first row alone.
        inner: Name of an object in the object, and the prefix of its columns in the row.
    """

    method: str
    path: str
    statements: Sequence[tuple[str, dict[str, Any]]]
    asked_id: int = 0
    id_field: str | None = None
    made_id: int | None = None
    changes: bool = False
    page: int | None = None
    inner: tuple[str, str] | None = None
    status: int = 200


Row = Mapping[str, Any]
Pool = AsyncConnectionPool[Any]
Handler = Callable[[web.Request], Awaitable[web.Response]]


def _reader(recipe: Recipe, pool: Pool) -> Handler:
    """One statement, without a transaction."""
    ((sql, seen),) = recipe.statements
    write = _page_of(recipe.page) if recipe.page else _first_of(recipe.inner)

    async def handle(request: web.Request) -> web.Response:
        parameters = _with_ids(seen, {recipe.asked_id: int(request.match_info.get("id", 0))})
        async with pool.connection() as connection:
            rows = await (await connection.execute(sql.encode(), parameters)).fetchall()
        return answer(write(rows), recipe.status)

    return handle


def _writer(recipe: Recipe, pool: Pool) -> Handler:
    """Several statements in a transaction; each gets the id that one before it returned."""

    async def handle(request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read())
        ids, made = {recipe.asked_id: body[recipe.id_field]}, 0
        async with pool.connection() as connection, connection.transaction():
            for sql, seen in recipe.statements:
                cursor = await connection.execute(sql.encode(), _with_ids(seen, ids))
                rows = await cursor.fetchall() if cursor.description else []
                if recipe.made_id is not None and not made and sql.startswith("INSERT") and rows:
                    made = ids[recipe.made_id] = rows[0]["id"]
        return answer({"id": made}, recipe.status)

    return handle


def _with_ids(seen: dict[str, Any], ids: dict[int, int]) -> dict[str, Any]:
    return {
        name: [ids.get(item, item) for item in value] if isinstance(value, list) else ids.get(value, value)
        for name, value in seen.items()
    }


def _page_of(size: int) -> Callable[[Sequence[Row]], object]:
    def write(rows: Sequence[Row]) -> object:
        items = [written_row(row) for row in rows[:size]]
        return {"items": items, "next": items[-1]["id"] if len(rows) > size else None}

    return write


def _first_of(inner: tuple[str, str] | None) -> Callable[[Sequence[Row]], object]:
    def write(rows: Sequence[Row]) -> object:
        row = written_row(rows[0])
        if inner is None:
            return row
        name, prefix = inner
        own = {column: value for column, value in row.items() if not column.startswith(prefix)}
        return {**own, name: {column.removeprefix(prefix): row[column] for column in row if column not in own}}

    return write


def written_row(row: Row) -> dict[str, Any]:
    """Bring instants and exact numbers into the form of the contract."""
    return {name: _WRITE[value.__class__](value) if value.__class__ in _WRITE else value for name, value in row.items()}


@lru_cache(maxsize=16_384)
def _instant(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(maxsize=4096)
def _number(value: Decimal) -> msgspec.Raw:
    text = str(value)
    return msgspec.Raw((text.rstrip("0").rstrip(".") if "." in text else text).encode())


_WRITE: Mapping[type, Callable[[Any], object]] = {datetime: _instant, Decimal: _number}


def answer(body: object, status: int) -> web.Response:
    """Write a body as JSON."""
    return web.Response(body=_ENCODER.encode(body), status=status, content_type="application/json")


def serve(routes: Callable[[Pool], Sequence[web.RouteDef]], port: int, url: str) -> None:
    """Serve routes over a pool until the end."""
    uvloop.install()
    web.run_app(_application(routes, url), host="127.0.0.1", port=port, access_log=None, print=None)


async def _application(routes: Callable[[Pool], Sequence[web.RouteDef]], url: str) -> web.Application:
    pool = Pool(
        url,
        min_size=_POOL_SIZE,
        max_size=_POOL_SIZE,
        kwargs={"autocommit": True, "row_factory": dict_row, "prepare_threshold": 2, "options": "-c timezone=UTC"},
        open=False,
    )
    app = web.Application()
    app.router.add_routes(routes(pool))

    async def open_pool(_app: web.Application) -> None:
        await pool.open(wait=True)

    app.on_startup.append(open_pool)
    return app


def told(doc: str | None) -> tuple[int, str, Any]:
    """Read the command line: the port, the database, and what else there is to know."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("port", type=int)
    parser.add_argument("url")
    parser.add_argument("told", type=json.loads)
    wanted = parser.parse_args()
    return wanted.port, wanted.url, wanted.told


def main() -> None:
    """Serve recipes."""
    port, url, recipes = told(__doc__)
    serve(lambda pool: [_route(Recipe(**each), pool) for each in recipes], port, url)


def _route(recipe: Recipe, pool: Pool) -> web.RouteDef:
    handler = _writer(recipe, pool) if recipe.changes else _reader(recipe, pool)
    return web.route(recipe.method, recipe.path, handler)


if __name__ == "__main__":
    main()
