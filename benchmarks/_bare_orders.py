"""The peer of ``orders_http.py``: bare aiohttp handlers of the payment routes that run given SQL with psycopg.

They give the bodies that ours gives, and do nothing else: no secret is compared, nothing validated, limited, logged or
counted. Each statement comes with the parameters that were seen once; what depends on the request takes their place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import msgspec
from _bare import Pool, Row, answer, serve, told, written_row
from aiohttp import web

Statement = tuple[str, Mapping[str, Any]]


@attrs.frozen(kw_only=True)
class Orders:
    """The three routes.

    Attributes:
        begin: SQL of a purchase: a known reference, the meter, the wallets' owners, the order, its charge.
        look: SQL of a look at an order.
        take: SQL of an event: its row, its task.
        public_key: What the pay page is told.
    """

    pool: Pool
    begin: Sequence[Statement]
    look: Sequence[Statement]
    take: Sequence[Statement]
    public_key: str

    async def initialise(self, request: web.Request) -> web.Response:
        """Begin a purchase."""
        body = msgspec.json.decode(await request.read())
        reference, number = body["external_reference"], body["meter_external_reference"]
        known, for_sale, owners, order, charge = self.begin
        async with self.pool.connection() as connection:
            await _rows(connection, known, references=[reference])
            (meter,) = await _rows(connection, for_sale, external_reference=number)
            facts = {
                "external_reference": reference,
                "historical_grid_id": meter["grid_id"],
                "meta_receiver_name": number,
                "meta_receiver_name_part_2": meter["customer_name"],
                "meta_receiver_id": meter["id"],
                "meta_receiver_id_part_2": meter["customer_id"],
                "receiver_wallet_id": meter["wallet_id"],
            }
            async with connection.transaction():
                bank, _ = owners[1]["wallet_ids"]
                await _rows(connection, owners, wallet_ids=[bank, meter["wallet_id"]])
                (made,) = await _rows(connection, order, rows=_like(order, facts))
                await _rows(connection, charge, rows=_like(charge, {"order_id": made["id"], "tx_ref": reference}))
        page = {
            "order_id": made["id"],
            "external_reference": made["external_reference"],
            "organization_name": meter["organization_name"],
            "grid_name": meter["grid_name"],
            "meter_external_reference": meter["external_reference"],
            "customer_full_name": meter["customer_name"],
            "flutterwave_public_key": self.public_key,
        }
        return answer(page, 201)

    async def check(self, request: web.Request) -> web.Response:
        """Look at an order."""
        body = msgspec.json.decode(await request.read())
        async with self.pool.connection() as connection:
            (row,) = await _rows(connection, self.look[0], order_id=body["id"])
        return answer(written_row({name: row[name] for name in ("order_status", "amount")}), 201)

    async def webhook(self, request: web.Request) -> web.Response:
        """Store an event, and the task that follows it."""
        raw = await request.read()
        payment = msgspec.json.decode(raw)["data"]
        store, follow = self.take
        event = {"gateway_tx_id": str(payment["id"]), "tx_ref": payment["tx_ref"], "payload": raw.decode()}
        async with self.pool.connection() as connection, connection.transaction():
            for row in await _rows(connection, store, **event):
                names = {"dedupe_key": f"gateway-event:{row['id']}", "stream_key": f"payment:{payment['tx_ref']}"}
                await _rows(connection, follow, rows=_like(follow, names | {"payload": {"event_id": row["id"]}}))
        return answer({}, 200)


def _like(statement: Statement, facts: Mapping[str, object]) -> str:
    """Write the one row that a statement was seen with, changed."""
    (seen,) = msgspec.json.decode(statement[1]["rows"])
    return msgspec.json.encode([seen | facts]).decode()


async def _rows(connection: Any, statement: Statement, **given: object) -> Sequence[Row]:  # noqa: ANN401 - of the pool
    sql, seen = statement
    cursor = await connection.execute(sql.encode(), {**seen, **given})
    return await cursor.fetchall() if cursor.description else ()


def main() -> None:
    """Serve the routes."""
    port, url, known = told(__doc__)

    def routes(pool: Pool) -> Sequence[web.RouteDef]:
        orders = Orders(pool=pool, **known)
        return [
            web.post("/orders/flutterwave/initialise/public", orders.initialise),
            web.post("/orders/flutterwave/check/public", orders.check),
            web.post("/flutterwave/webhook", orders.webhook),
        ]

    serve(routes, port, url)


if __name__ == "__main__":
    main()
