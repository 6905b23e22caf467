"""Each month's statements by themselves, and the mail about them, in memory and over both planes (PAY 14.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest
from tests.support.payout_world import BARE, END, GRID, NOW, PAYOUT, START, Memory, Stores, World
from tests.support.people_world import OPERATOR
from tests.support.series_stores import sql_world

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_domain.orders.use_cases.generate_payouts import Generated, GeneratePayouts
from nxt_domain.orders.use_cases.make_payout import ChangePayout, DraftPayout, PayoutChange
from nxt_domain.orders.use_cases.tell_payouts import TellPayouts
from nxt_domain.wallets.payouts import PayoutStatus

AT_FIVE = NOW.replace(hour=5)
PLATFORM = 2


@pytest.fixture(params=["memory", "stores"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        made: World = Memory()
        made.hire_finance(PLATFORM)
        yield made
        return
    async with sql_world(request.getfixturevalue("series_url")) as series:
        stores = Stores(request.getfixturevalue("relational_url"), series)
        await stores.seed_series()
        stores.hire_finance(PLATFORM)
        yield stores
        await stores.engine.dispose()


def job(world: World, now: datetime) -> GeneratePayouts:
    return GeneratePayouts(
        begin=world.begin,
        draft=DraftPayout(begin=world.begin, plants=world.plants, wake_ups=MemoryWakeUps()),
        tell=TellPayouts(
            begin=world.begin, platform_organization_id=PLATFORM, dashboard_url="https://dashboard.example.org/"
        ),
        clock=MemoryClock(now),
    )


async def test_each_month_by_itself(world: World) -> None:
    """[PAY-162] [PAY-163] [PAY-198] 17: one statement, draft and entry, however often it runs; a failure is retried."""
    assert await job(world, AT_FIVE - timedelta(hours=1))() == Generated()
    assert await job(world, AT_FIVE)() == Generated(drafted=1, failed=1, told=1)
    assert await job(world, NOW)() == Generated(failed=1)
    assert await job(world, NOW + timedelta(days=1))() == Generated()
    (drafted,) = await world.drafts()
    number = drafted.split(":")[1]
    assert await world.tasks("PAYOUT_BOOKKEEPING") == [f"payout:{number}:xero"]
    alerts = await world.tasks("ALERT")
    assert [key.split(":")[:4] for key in alerts] == [["alert", "PAYOUT_NOT_DRAFTED", "grid", str(BARE)]] * 2
    async with world.begin() as tx:
        payout = await tx.payouts.lock(int(number))
    assert (payout.grid_id, payout.started_at, payout.ended_at) == (GRID, START, END)
    assert payout.proposed_amount == PAYOUT


async def test_finance_is_told_once(world: World) -> None:
    """[PAY-164] [AUTO-129] Those of the platform with a live account and an address; of all new statements at once."""
    for hour in range(4):
        await job(world, AT_FIVE + timedelta(hours=hour))()
    (drafted,) = await world.drafts()
    number = int(drafted.split(":")[1])
    link = f"https://dashboard.example.org/grid/{GRID}/financials/payouts/{number}"
    told = {"payouts": [{"id": number, "grid_id": GRID, "grid_name": "Kalonda", "link": link}]}
    assert await world.mails() == [
        {
            "email": address,
            "subject": "Payout report",
            "type": "AUTO_PAYOUT_GENRATION_REPORT",
            "organization_id": PLATFORM,
            "parameters": told,
        }
        for address in ("finance-1@example.org", "finance-2@example.org")
    ]


async def test_a_late_statement_has_a_mail_of_its_own(world: World) -> None:
    """[PAY-164] [AUTO-128] What failed at first is told of when it is there, and nothing twice."""
    assert await job(world, AT_FIVE)() == Generated(drafted=1, failed=1, told=1)
    await world.repair_bare_grid()
    assert await job(world, AT_FIVE + timedelta(hours=1))() == Generated(drafted=1, told=1)
    assert await job(world, AT_FIVE + timedelta(hours=2))() == Generated()
    grids = [[line["grid_id"] for line in mail["parameters"]["payouts"]] for mail in await world.mails()]
    assert grids == [[GRID], [GRID], [BARE], [BARE]]


async def test_a_crash_before_the_mail(world: World) -> None:
    """[PAY-164] [PAY-125] The statements are there, and the next run tells of them, even past its day."""
    first = job(world, AT_FIVE)

    class Crash(BaseException):
        """The process ends."""

    async def ends() -> int:
        raise Crash

    first._tell_finance = ends  # type: ignore[assignment]
    with pytest.raises(Crash):
        await first()
    assert await world.mails() == []
    assert len(await world.drafts()) == 1
    assert await job(world, AT_FIVE + timedelta(days=2))() == Generated(told=1)
    assert len(await world.mails()) == 2


async def test_a_statement_by_hand_is_nobodys_news(world: World) -> None:
    """[PAY-164] Who drafts one knows of it; the job neither drafts it again nor tells."""
    draft = DraftPayout(begin=world.begin, plants=world.plants, wake_ups=MemoryWakeUps())
    await draft(GRID, START, END)
    assert await job(world, AT_FIVE)() == Generated(failed=1)
    assert await world.mails() == []


async def test_what_people_gave_up_is_not_drafted_again(world: World) -> None:
    """[REL-169] [AUTO-9] The unit is done; another statement of the month is for people to decide."""
    assert (await job(world, AT_FIVE)()).drafted == 1
    (drafted,) = await world.drafts()
    change = ChangePayout(begin=world.begin)
    await change(
        attrs.evolve(OPERATOR, account_id=1), int(drafted.split(":")[1]), PayoutChange(status=PayoutStatus.FAILED)
    )
    assert await job(world, AT_FIVE + timedelta(hours=1))() == Generated(failed=1)
    assert len(await world.drafts()) == 1


async def test_two_at_once_tell_once(request: pytest.FixtureRequest) -> None:
    """[PAY-124] [PAY-196] Even if a lease were lost: one statement, one entry, one mail to each."""
    async with sql_world(request.getfixturevalue("series_url")) as series:
        stores = Stores(request.getfixturevalue("relational_url"), series)
        await stores.seed_series()
        stores.hire_finance(PLATFORM)
        jobs: list[Any] = [job(stores, AT_FIVE)() for _ in range(3)]
        done = await asyncio.gather(*jobs)
        assert sum(one.told for one in done) == 1
        assert len(await stores.mails()) == 2
        assert len(await stores.tasks("PAYOUT_BOOKKEEPING")) == 1
        await stores.engine.dispose()
