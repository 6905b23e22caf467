"""``AuditChain`` and the step over it: one suite over memory and PostgreSQL [REL-167]."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import psycopg
import pytest
from click.testing import CliRunner

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_domain.shared.audit import Act, Actor, ActorKind
from nxt_domain.shared.audit_chain import AuditRecord, hash_of
from nxt_domain.shared.chain_audit_log import ChainAuditLog, VerifyAuditLog
from nxt_entrypoints.cli.audit import audit

NOW = datetime(2026, 4, 2, 12, 0, tzinfo=UTC)
MARCH, APRIL = NOW - timedelta(days=20), NOW - timedelta(hours=1)


def act(name: str) -> Act:
    actor = Actor(kind=ActorKind.MEMBER, label='Ada "the" Änne\n', account_id=1, source_ip="10.0.0.1")
    after = {"amount": Decimal("1000.50"), "names": ["é", None, {"z": 1, "a": True}]}
    return Act(actor=actor, action=f"customer.{name}", entity_type="customer", entity_id=7, after=after)


class Memory:
    def __init__(self) -> None:
        self.clock = MemoryClock(NOW)
        self._plane = MemoryPlane(self.clock)
        self.begin: Any = self._plane.begin

    async def record(self, name: str, at: datetime) -> None:
        self.clock.advance(at - self.clock.now())
        async with self.begin() as tx:
            await tx.audit.record(act(name))
            await tx.commit()
        self.clock.advance(NOW - at)

    async def change(self, name: str) -> None:
        acts = self._plane.database.table("audit_log")
        number = next(each for each, found in acts.items() if found.action == f"customer.{name}")
        acts[number] = attrs.evolve(acts[number], entity_id=8)

    async def remove(self, name: str) -> None:
        acts = self._plane.database.table("audit_log")
        del acts[next(each for each, found in acts.items() if found.action == f"customer.{name}")]

    async def alerts(self) -> list[str]:
        return [task.payload["code"] for task in self._plane.database.table("outbox_tasks").values()]


class Postgres:
    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = MemoryClock(NOW)
        self.engine = create_engine(url, pool_size=4)
        self.owner = psycopg.connect(url, autocommit=True)
        # As an intruder with the owner's rights would: the triggers that refuse changes are switched off.
        self.owner.execute("set session_replication_role = replica")

    def begin(self) -> Any:
        return SupabaseUnitOfWork(self.engine, lambda _connection: None)  # type: ignore[arg-type,return-value]

    async def record(self, name: str, at: datetime) -> None:
        async with self.begin() as tx:
            await tx.audit.record(act(name))
            await tx.commit()
        self.owner.execute("update internal.audit_log set at = %s where action = %s", (at, f"customer.{name}"))

    async def change(self, name: str) -> None:
        self.owner.execute("update internal.audit_log set entity_id = 8 where action = %s", (f"customer.{name}",))

    async def remove(self, name: str) -> None:
        self.owner.execute("delete from internal.audit_log where action = %s", (f"customer.{name}",))

    async def alerts(self) -> list[str]:
        return [row[0] for row in self.owner.execute("select payload ->> 'code' from internal.outbox_tasks")]


@pytest.fixture(params=["memory", "postgres"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield Memory()
        return
    made = Postgres(request.getfixturevalue("relational_url"))
    yield made
    made.owner.close()
    await made.engine.dispose()


async def chain(world: Any) -> int:
    return await ChainAuditLog(begin=world.begin, clock=world.clock)()


async def findings(world: Any) -> list[str]:
    return [finding.rule for finding in await VerifyAuditLog(begin=world.begin, clock=world.clock)()]


async def records(world: Any) -> Sequence[AuditRecord]:
    async with world.begin() as tx:
        months = await tx.audit_chain.months()
        return [record for month in months async for record in tx.audit_chain.of_month(month)]


async def test_rows_are_linked_in_order_over_months(world: Any) -> None:
    """[REL-167] The first of a month follows the last of the month before; each hash can be worked out anew."""
    for number, at in enumerate((MARCH, MARCH + timedelta(days=1), APRIL, APRIL + timedelta(seconds=1))):
        await world.record(f"act-{number}", at)
    assert await chain(world) == 4
    first, second, third, fourth = await records(world)
    assert (first.month, third.month) == ("2026-03", "2026-04")
    assert (first.prev_hash, first.hash) == (None, hash_of(None, first.content))
    assert [second.prev_hash, third.prev_hash, fourth.prev_hash] == [first.hash, second.hash, third.hash]
    assert fourth.hash == hash_of(third.hash, fourth.content)
    assert "hash" not in first.content
    assert (await chain(world), await findings(world), await world.alerts()) == (0, [], ["AUDIT_LOG_UNLINKED"])


async def test_what_comes_later_follows(world: Any) -> None:
    """[REL-167] Also a row that was committed late, and so stands before others that were linked already."""
    await world.record("early", APRIL)
    await world.record("late", APRIL + timedelta(minutes=2))
    await chain(world)
    await world.record("between", APRIL + timedelta(minutes=1))
    await world.record("last", APRIL + timedelta(minutes=3))
    await chain(world)
    assert await findings(world) == []


async def test_a_row_is_linked_when_it_has_settled(world: Any) -> None:
    """[REL-167] Transactions that began before it may still be open; long before it would be late."""
    await world.record("settled", NOW - timedelta(minutes=6))
    await world.record("fresh", NOW - timedelta(minutes=4))
    assert await chain(world) == 1
    assert await findings(world) == []
    assert await world.alerts() == []


async def test_a_row_without_hash_for_long_raises_an_alert(world: Any) -> None:
    """[REL-167] Older than 10 minutes; the same alert once an hour."""
    await world.record("forgotten", NOW - timedelta(minutes=11))
    assert await findings(world) == ["NOT_LINKED"]
    await chain(world)
    await world.record("forgotten, too", NOW - timedelta(minutes=12))
    await chain(world)
    assert await world.alerts() == ["AUDIT_LOG_UNLINKED"]
    assert await findings(world) == []


@pytest.mark.parametrize("number", range(5))
async def test_a_changed_row_is_found(world: Any, number: int) -> None:
    """[REL-167]"""
    await _five(world)
    await world.change(f"act-{number}")
    assert await findings(world) == ["CONTENT_CHANGED"]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, ["LINK_BROKEN"]),
        (1, ["ROWS_MISSING", "LINK_BROKEN"]),
        (2, ["LINK_BROKEN"]),
        (3, ["LINK_BROKEN"]),
        (4, ["ROWS_MISSING"]),
    ],
)
async def test_a_removed_row_is_found(world: Any, number: int, expected: list[str]) -> None:
    """[REL-167] At the beginning, in the middle, at the end of a month, at the very end."""
    await _five(world)
    await world.remove(f"act-{number}")
    assert await findings(world) == expected


async def test_a_removed_month_is_found(world: Any) -> None:
    """[REL-167]"""
    await _five(world)
    for number in (2, 3, 4):
        await world.remove(f"act-{number}")
    assert await findings(world) == ["ROWS_MISSING"]


async def _five(world: Any) -> None:
    for number, at in enumerate((MARCH, MARCH + timedelta(days=1), APRIL, APRIL, APRIL + timedelta(seconds=1))):
        await world.record(f"act-{number}", at)
    assert await chain(world) == 5
    assert await findings(world) == []


async def test_two_chainers_make_one_chain(world: Any) -> None:
    """[REL-167] [R48] Whoever comes second finds the rows linked."""
    for number in range(30):
        await world.record(f"act-{number}", APRIL + timedelta(seconds=number))
    counts = await asyncio.gather(*(chain(world) for _ in range(4)))
    assert sum(counts) == 30
    assert await findings(world) == []


async def test_many_rows_are_linked_in_batches(relational_url: str) -> None:
    """[REL-167]"""
    world = Postgres(relational_url)
    world.owner.execute(
        "insert into internal.audit_log (at, actor_type, action) select %s::timestamptz + n * interval '1 second',"
        " 'JOB', 'meter.read' from generate_series(1, 2500) as n",
        (MARCH,),
    )
    assert await chain(world) == 2500
    assert await findings(world) == []
    world.owner.close()
    await world.engine.dispose()


async def test_a_linked_row_refuses_every_change(relational_url: str) -> None:
    """[REL-167] Append-only: not even its hash may be written again."""
    world = Postgres(relational_url)
    await world.record("act", APRIL)
    await chain(world)
    with psycopg.connect(relational_url, autocommit=True) as honest:
        for statement in (
            "update internal.audit_log set hash = prev_hash",
            "update internal.audit_log set action = 'x'",
            "delete from internal.audit_log",
            "truncate internal.audit_log",
        ):
            with pytest.raises(psycopg.Error, match="append-only"):
                honest.execute(statement)
    world.owner.close()
    await world.engine.dispose()


def test_the_command_says_whether_the_log_is_whole(relational_url: str) -> None:
    """[REL-167] ``nxt audit verify``: 0 whole, 1 with a finding, 2 unreachable."""
    fine = CliRunner().invoke(audit, ["verify", "--url", relational_url], standalone_mode=False)
    assert (fine.return_value, fine.output) == (0, "the audit log is whole\n")
    with psycopg.connect(relational_url, autocommit=True) as owner:
        owner.execute(
            "insert into internal.audit_log (at, actor_type, action) values (now() - interval '1 h', 'JOB', 'x')"
        )
    found = CliRunner().invoke(audit, ["verify", "--url", relational_url, "--json"], standalone_mode=False)
    assert found.return_value == 1
    assert [finding["rule"] for finding in json.loads(found.output)["findings"]] == ["NOT_LINKED"]
    away = CliRunner().invoke(audit, ["verify", "--url", "postgresql://x@127.0.0.1:9/x"], standalone_mode=False)
    assert away.return_value == 2
    assert "cannot be reached" in away.output
