"""``NotificationQueue``: one suite over memory and PostgreSQL [AUTO-81 … AUTO-85]."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from tests.support.meters_villages import KINDS, MemoryVillage, PostgresVillage, village
from tests.support.meters_world import MetersWorld

from nxt_adapters.memory.notifications import MemoryNotificationQueue
from nxt_adapters.supabase.notification_queue import PostgresNotificationQueue
from nxt_domain.notifications.queue import NotificationQueue
from nxt_domain.orders.notices import NoticeType, SmsNotice

LEASE = timedelta(minutes=10)


class World:
    """A store of notifications, whose time passes when told."""

    queue: NotificationQueue

    def __init__(self, store: MetersWorld) -> None:
        self.store = store
        if isinstance(store, MemoryVillage):
            self.queue = MemoryNotificationQueue(store.plane.database)
        elif isinstance(store, PostgresVillage):
            self.queue = PostgresNotificationQueue(store.engine)

    async def notify(self, *texts: str) -> None:
        notices = [
            SmsNotice(
                type=NoticeType.CREDIT_RECEIVED,
                phone="+2348030000041",
                message=text,
                account_id=None,
                grid_id=None,
                organization_id=None,
                dedupe_key=f"notice:{text}",
            )
            for text in texts
        ]
        async with self.store.begin() as tx:
            await tx.notices.add(notices)
            await tx.commit()

    async def claim(self, limit: int = 100) -> dict[str, int]:
        claimed = await self.queue.claim_sms(limit=limit, lease=LEASE)
        return {row.text or "": row.id for row in claimed}

    async def pass_time(self, step: timedelta) -> None:
        if isinstance(self.store, MemoryVillage):
            self.store.clock.advance(step)
        elif isinstance(self.store, PostgresVillage):
            self.store.run("update notifications set claimed_until = claimed_until - %s", step)

    async def rows(self) -> list[tuple[str, str | None, int, str | None]]:
        """Status, reference, attempts, error."""
        if isinstance(self.store, MemoryVillage):
            rows = MemoryNotificationQueue(self.store.plane.database).rows()
            return [(row.status, row.reference, row.attempt_count, row.last_error) for row in rows]
        assert isinstance(self.store, PostgresVillage)
        names = ("notification_status", "external_reference", "attempt_count", "last_error")
        found = self.store.all("select * from notifications order by id")
        return [tuple(row[name] for name in names) for row in found]  # type: ignore[misc]  # of four


@pytest.fixture(params=KINDS)
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with village(request, request.param) as built:
        yield World(built)


async def test_auto_81_the_oldest_first_and_nobody_twice(world: World) -> None:
    await world.notify("a", "b", "c")
    assert list(await world.claim(2)) == ["a", "b"]
    assert list(await world.claim()) == ["c"]
    assert await world.claim() == {}


async def test_r19_the_same_notice_is_one_message(world: World) -> None:
    await world.notify("a")
    await world.notify("a", "a")
    assert list(await world.claim()) == ["a"]


async def test_a_waiting_message_comes_with_what_sending_needs(world: World) -> None:
    await world.notify("Hello")
    (row,) = await world.queue.claim_sms(limit=1, lease=LEASE)
    assert (row.phone, row.text, row.attempt_count) == ("+2348030000041", "Hello", 0)
    assert "803000" not in repr(row)
    assert "Hello" not in repr(row)


async def test_auto_82_a_lapsed_claim_on_a_pending_row_is_claimed_again(world: World) -> None:
    await world.notify("a")
    await world.claim()
    await world.pass_time(timedelta(minutes=9))
    assert await world.claim() == {}
    await world.pass_time(timedelta(minutes=2))
    assert list(await world.claim()) == ["a"]


async def test_auto_82_only_one_begins_to_send(world: World) -> None:
    await world.notify("a")
    number = (await world.claim())["a"]
    begun = await asyncio.gather(*(world.queue.begin(number) for _ in range(4)))
    assert sorted(begun) == [False, False, False, True]
    assert [row[0] for row in await world.rows()] == ["PROCESSING"]
    assert await world.claim() == {}


async def test_auto_82_a_row_that_was_being_sent_is_never_sent_again(world: World) -> None:
    """Beginning renews the claim [AUTO-81]; when that lapses, the sender is dead and the message may be out."""
    await world.notify("a", "b")
    claimed = await world.claim()
    await world.pass_time(timedelta(minutes=9))
    await world.queue.begin(claimed["a"])
    await world.pass_time(timedelta(minutes=9))
    assert await world.queue.fail_interrupted() == 0
    await world.pass_time(timedelta(minutes=2))
    assert await world.queue.fail_interrupted() == 1
    first, second = await world.rows()
    assert (first[0], first[3]) == ("FAILED", "INTERRUPTED: its sender ended while it was being sent")
    assert second[0] == "PENDING"
    assert list(await world.claim()) == ["b"]


async def test_auto_85_accepted(world: World) -> None:
    await world.notify("a")
    number = (await world.claim())["a"]
    await world.queue.begin(number)
    await world.queue.accepted(number, "ATXid_1")
    assert await world.rows() == [("RECEIVED_BY_API", "ATXid_1", 0, None)]
    assert await world.claim() == {}


async def test_auto_85_failed(world: World) -> None:
    await world.notify("a")
    number = (await world.claim())["a"]
    await world.queue.failed(number, "SMS_REFUSED: no")
    assert await world.rows() == [("FAILED", None, 0, "SMS_REFUSED: no")]
    await world.pass_time(timedelta(hours=1))
    assert await world.claim() == {}


async def test_auto_85_postponed(world: World) -> None:
    await world.notify("a")
    number = (await world.claim())["a"]
    await world.queue.begin(number)
    await world.queue.postponed(number, "SMS_NOT_SENT: down", delay=timedelta(seconds=20))
    assert await world.rows() == [("PENDING", None, 1, "SMS_NOT_SENT: down")]
    assert await world.claim() == {}
    await world.pass_time(timedelta(seconds=21))
    (row,) = await world.queue.claim_sms(limit=1, lease=LEASE)
    assert row.attempt_count == 1


async def test_auto_81_claimers_skip_each_other(world: World) -> None:
    """[REL-31]"""
    await world.notify(*(str(number) for number in range(30)))
    claims = await asyncio.gather(*(world.claim(6) for _ in range(5)))
    texts = [text for claimed in claims for text in claimed]
    assert len(texts) == len(set(texts))
    assert len(set(texts) | set(await world.claim())) == 30
