"""A shop whose sales are counted durably, and its routes: requests with idempotency keys are tried on it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import attrs
from sqlalchemy import text

from nxt_adapters.memory.idempotency import MemoryIdempotencyKeys
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.idempotency import PostgresIdempotencyKeys
from nxt_adapters.supabase.outbox import PostgresOutbox
from nxt_adapters.supabase.transaction import PostgresTransaction
from nxt_domain.identity.access import ANY_LOGIN
from nxt_domain.identity.model import Principal
from nxt_domain.shared.outbox import OutboxTask
from nxt_entrypoints.http.body import Upload
from nxt_entrypoints.http.fields import IdPath, PurchaseAmount
from nxt_entrypoints.http.results import Text
from nxt_entrypoints.http.routes import Guard, route


@attrs.frozen(kw_only=True)
class PurchaseBody:
    amount: PurchaseAmount
    note: str | None = None


@attrs.frozen(kw_only=True)
class Bought:
    number: int
    amount: Decimal
    note: str | None


class Shop:
    """Counts what was done, durably; fails when told."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.fails_after_commit = False
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.carried_out = 0

    def begin(self) -> Any:
        raise NotImplementedError

    async def sell(self, body: PurchaseBody) -> Bought:
        self.carried_out += 1
        number = self.carried_out
        await self.may_go_on.wait()
        if self.error is not None and not self.fails_after_commit:
            raise self.error
        async with self.begin() as tx:
            await tx.outbox.add([OutboxTask(kind="HOOK", dedupe_key=f"sold:{number}", payload={})])
            await tx.commit()
        if self.error is not None:
            raise self.error
        return Bought(number=number, amount=body.amount, note=body.note)


class MemoryShop(Shop):
    def __init__(self) -> None:
        super().__init__()
        self.plane = MemoryPlane()
        self.begin = self.plane.begin  # type: ignore[method-assign]  # the same thing
        self.keys: Any = MemoryIdempotencyKeys(self.plane.database)

    async def sold(self) -> int:
        return len(self.plane.database.table("outbox_tasks"))


class _Transaction(PostgresTransaction):
    @property
    def outbox(self) -> PostgresOutbox:
        return PostgresOutbox(self.session)


class PostgresShop(Shop):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.engine = create_engine(url, pool_size=6)
        self.keys: Any = PostgresIdempotencyKeys(self.engine)

    def begin(self) -> _Transaction:
        return _Transaction(self.engine)

    async def sold(self) -> int:
        async with self.engine.connect() as connection:
            return int((await connection.execute(text("select count(*) from internal.outbox_tasks"))).scalar_one())


@route("POST", "/purchases", guard=Guard.USER_OR_KEY, access=ANY_LOGIN, summary="", tags=())
async def buy(body: PurchaseBody, caller: Principal, services: Any) -> Bought:
    return await services.sell(body)


@route(
    "PUT",
    "/Purchases/{id}",
    guard=Guard.USER_OR_KEY,
    access=ANY_LOGIN,
    summary="",
    tags=(),
    statuses={"OLD_HABIT": 500},
)
async def touch(path: IdPath, services: Any) -> None:
    await services.sell(PurchaseBody(amount=Decimal(1)))


@route("POST", "/purchases/find", guard=Guard.USER_OR_KEY, access=ANY_LOGIN, summary="", tags=(), changes=False)
async def find(body: PurchaseBody, services: Any) -> Bought:
    return await services.sell(body)


@route("POST", "/purchases/public", guard=Guard.PUBLIC, summary="", tags=())
async def public(body: PurchaseBody, services: Any) -> Bought:
    return await services.sell(body)


@route("POST", "/purchases/text", guard=Guard.USER_OR_KEY, access=ANY_LOGIN, summary="", tags=())
async def printed(body: PurchaseBody, services: Any) -> Text:
    return Text(str(await services.sell(body)))


@route("POST", "/purchases/upload", guard=Guard.USER_OR_KEY, access=ANY_LOGIN, summary="", tags=())
async def upload(upload: Upload | None, services: Any) -> Bought:
    return await services.sell(PurchaseBody(amount=Decimal(1)))


ROUTES = [buy, touch, find, public, printed, upload]
ORDER = {"amount": 5, "note": "lamp"}
KEY = {"Idempotency-Key": "order 1/ä"}
