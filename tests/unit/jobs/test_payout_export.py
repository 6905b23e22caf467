"""What the relay does with statements, and how they reach the automation platform."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from nxt_adapters.make import MakeAccounting, MakeSettings
from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.payouts import MemoryAccountingExport
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.resilience import CallPolicy, RetryPolicy
from nxt_domain.orders.payouts import PAYOUT_BOOKKEEPING, PAYOUT_DRAFT, Payout, Period, bookkeeping_task, draft_task
from nxt_domain.orders.use_cases.export_payout import ExportPayout
from nxt_domain.shared.errors import UpstreamFailed
from nxt_domain.shared.outbox import ClaimedTask
from nxt_domain.wallets.payouts import PayoutStatus
from nxt_entrypoints.jobs.handlers import Handlers

NOW = datetime(2026, 2, 1, 6, tzinfo=UTC)
JANUARY = Period(start=datetime(2025, 12, 31, 23, tzinfo=UTC), end=datetime(2026, 1, 31, 23, tzinfo=UTC))
DETAILS = {"title": "Kalonda", "payout": Decimal("2781536.895"), "mppts": "[]"}
BOOKED = {
    "grid_name": "Kalonda",
    "total_kwh_rented": Decimal("42.6"),
    "total_kwp_rented": Decimal("16.652"),
    "total_kwh_rental_fee": Decimal("620202.75"),
    "total_kwp_rental_fee": Decimal("357260.355"),
    "flutterwave_applied_fee": Decimal(87_000),
    "insurance_applied_fee": Decimal(84_000),
    "nxtgrid_applied_fee": Decimal(420_000),
    "exchange_rate": Decimal("1532.5"),
}


async def waiting(plane: MemoryPlane, details: Mapping[str, object] = DETAILS) -> Payout:
    async with plane.begin() as tx:
        payout = await tx.payouts.add(70, JANUARY, proposed_amount=Decimal("2781536.895"), details=details)
        await tx.commit()
    return payout


def handlers(plane: MemoryPlane, export: MemoryAccountingExport | None) -> Handlers:
    others: dict[str, Any] = dict.fromkeys(inspect.signature(Handlers).parameters)
    return Handlers(**{**others, "export_payout": ExportPayout(begin=plane.begin, export=export)})


def claimed(payout: Payout) -> ClaimedTask:
    task = draft_task(payout, 1)
    return ClaimedTask(
        id=1,
        kind=task.kind,
        dedupe_key=task.dedupe_key,
        payload=task.payload,
        stream_key=task.stream_key,
        order_id=None,
        attempts=0,
        created_at=NOW,
        give_up_at=NOW + timedelta(days=7),
        lease_until=NOW,
    )


async def test_a_draft_is_sent_as_the_statement_stands() -> None:
    """[PAY-121] [PAY-161] A platform that is away is asked again; what is decided needs no document."""
    plane = MemoryPlane(MemoryClock(NOW))
    payout = await waiting(plane)
    drafts = MemoryAccountingExport()
    drafts.is_down = True
    with pytest.raises(UpstreamFailed):
        await handlers(plane, drafts).payout_draft([claimed(payout)])
    drafts.is_down = False
    await handlers(plane, drafts).payout_draft([claimed(payout)])
    assert drafts.sent == [{**DETAILS, "payout_id": payout.id}]
    async with plane.begin() as tx:
        await tx.payouts.save(attrs.evolve(payout, status=PayoutStatus.PROCESSING))
        await tx.commit()
    await handlers(plane, drafts).payout_draft([claimed(payout)])
    assert len(drafts.sent) == 1
    assert {PAYOUT_DRAFT, PAYOUT_BOOKKEEPING} <= {lane.kind for lane in handlers(plane, drafts).lanes()}


async def test_bookkeepers_are_told() -> None:
    """[PAY-163] Whatever became of the statement meanwhile; names as their books have them."""
    plane, export = MemoryPlane(MemoryClock(NOW)), MemoryAccountingExport()
    payout = await waiting(plane, BOOKED)
    assert bookkeeping_task(payout).dedupe_key == f"payout:{payout.id}:xero"
    await handlers(plane, export).payout_bookkeeping([claimed(payout)])
    assert export.booked == [
        {
            "grid_name": "Kalonda",
            "payout_id": payout.id,
            "start": "2025-12-31T23:00:00.000Z",
            "kWh": Decimal("42.6"),
            "kWp": Decimal("16.652"),
            "storage_rental": Decimal("620202.75"),
            "pv_rental": Decimal("357260.355"),
            "payment_processing_fee": 87_000,
            "insurance_fee": 84_000,
            "nxt_gridsupport_fee": 420_000,
            "usd_to_ngn_rate": Decimal("1532.5"),
        }
    ]


async def test_without_the_platform_nothing_is_asked() -> None:
    """[PAY-161] The payout exists all the same."""
    plane = MemoryPlane(MemoryClock(NOW))
    payout = await waiting(plane, {**DETAILS, **BOOKED})
    await handlers(plane, None).payout_draft([claimed(payout)])
    await handlers(plane, None).payout_bookkeeping([claimed(payout)])


class Host:
    """An automation platform: takes what is posted, or answers as told."""

    def __init__(self) -> None:
        self.status = 200
        self.taken: list[tuple[str, str | None, str]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((request.path, request.headers.get("X-API-KEY"), await request.text()))
        return web.Response(status=self.status, text="Accepted")


@pytest.fixture
async def host() -> AsyncIterator[tuple[Host, MakeAccounting]]:
    made = Host()
    app = web.Application()
    app.router.add_post("/{hook}", made.take)
    async with TestServer(app) as server:
        retry = RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0, jitter_s=0)
        settings = MakeSettings(
            base_url=f"{server.make_url('/')}", draft_hook="hook-1", bookkeeping_hook="hook-2", token=lambda: "key-1"
        )
        adapter = MakeAccounting(settings, policy=CallPolicy(timeout_s=5, retry=retry))
        yield made, adapter
        await adapter.close()


async def test_the_hook_gets_numbers(host: tuple[Host, MakeAccounting]) -> None:
    """[PAY-161] [PAY-163] Path, key, and JSON whose amounts are numbers, exact to the last digit."""
    made, adapter = host
    await adapter.send(DETAILS)
    await adapter.book({"kWh": Decimal("42.6")})
    assert made.taken == [
        ("/hook-1", "key-1", '{"title":"Kalonda","payout":2781536.895,"mppts":"[]"}'),
        ("/hook-2", "key-1", '{"kWh":42.6}'),
    ]


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_refusal_is_told(host: tuple[Host, MakeAccounting], status: int) -> None:
    """[PAY-161] So that the outbox tries again."""
    made, adapter = host
    made.status = status
    with pytest.raises(UpstreamFailed):
        await adapter.send(DETAILS)


async def test_an_absent_host_is_told() -> None:
    """[PAY-161]"""
    settings = MakeSettings(
        base_url="http://127.0.0.1:1", draft_hook="hook-1", bookkeeping_hook="hook-2", token=lambda: "key-1"
    )
    retry = RetryPolicy(attempts=1, wait_initial_s=0, wait_max_s=0, jitter_s=0)
    adapter = MakeAccounting(settings, policy=CallPolicy(timeout_s=5, retry=retry))
    with pytest.raises(UpstreamFailed):
        await adapter.send(DETAILS)
    await adapter.close()
