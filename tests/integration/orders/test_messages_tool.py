"""``nxt messages`` at a terminal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.support.meters_villages import PostgresVillage, postgres_village
from tests.support.top_ups import Desk

from nxt_adapters.supabase.messages import PostgresMessageStore
from nxt_domain.messaging.machine import expired
from nxt_domain.meters.model import InteractionStatus
from nxt_entrypoints.cli import main as cli

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def village(relational_url: str) -> AsyncIterator[PostgresVillage]:
    async with postgres_village(relational_url) as built:
        yield built


@pytest.fixture
def nxt(
    relational_url: str, village: PostgresVillage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    monkeypatch.setenv("NXT_DB_URL", relational_url)

    async def run(*arguments: str) -> tuple[int, str, str]:
        status = await asyncio.to_thread(cli.run, ["messages", *arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


async def test_a_stuck_purchase_from_the_list_to_the_retry(village: PostgresVillage, nxt: Run) -> None:
    """[DM-12, DM-65, MET-95] No line shows the token."""
    top_up = await Desk(village).buy()
    (message,) = await village.messages()
    said = []

    status, out, _ = await nxt("ls", "--meter", "47001000117", "--state", "QUEUED")
    said.append(out)
    assert (status, message.id in out, str(top_up.id) in out) == (0, True, True)

    status, out, err = await nxt("retry", message.id)
    assert (status, out) == (1, "")
    assert "goes on by itself" in err

    async with PostgresMessageStore(village.engine) as store:
        batch = await store.rows.lock([message.id])
        await store.rows.archive([expired(each, batch.now) for each in batch.messages])
        await store.commit()
    after = await village.interaction(top_up.id)
    await village.save(after.moved_to(InteractionStatus.FAILED))

    status, out, _ = await nxt("explain", str(top_up.id))
    said.append(out)
    assert status == 0
    assert "Message expired before it could be delivered" in out
    assert f"order {top_up.order_id} over 1000 NGN" in out

    status, out, _ = await nxt("show", message.id, "--json")
    said.append(out)
    shown = json.loads(out)
    assert (shown["messages"][0]["state"], shown["interaction"]["has_token"]) == ("DELIVERY_FAILED", True)

    status, out, _ = await nxt("retry", str(top_up.id))
    assert (status, out) == (0, f"REQUEUED  interaction {top_up.id}\n")
    assert [each.correlation_id for each in await village.messages()] == [str(top_up.id)]

    status, out, _ = await nxt("cancel", str(top_up.id), "nothing", "--json")
    said.append(out)
    assert status == 1
    assert [each["result"] for each in json.loads(out)] == ["CANCELLED", "NOT_FOUND"]
    assert (await village.interaction(top_up.id)).status is InteractionStatus.ABORTED

    assert top_up.token is not None
    assert top_up.token not in "".join(said)


async def test_the_list_goes_on_where_it_ended(village: PostgresVillage, nxt: Run) -> None:
    """Youngest first, in parts."""
    for _ in range(3):
        await Desk(village).buy()
    ids = [message.id for message in await village.messages()]
    _, out, _ = await nxt("ls", "--limit", "2", "--json")
    part = json.loads(out)
    assert [each["id"] for each in part["items"]] == ids[:0:-1]
    _, out, _ = await nxt("ls", "--limit", "2", "--after", part["next"])
    assert ids[0] in out
    assert "more:" not in out
    _, out, _ = await nxt("ls", "--network", "4711")
    assert out == "no messages; --since 30d looks further back\n"


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["show", "4711"], 1, "There is no message 4711"),
        (["ls", "--since", "soon"], 2, "is no age above 0"),
        (["ls", "--state", "LOST"], 2, "is not one of"),
        (["cancel"], 2, "Missing argument"),
    ],
)
async def test_what_is_wrong_is_said(nxt: Run, arguments: list[str], status: int, text: str) -> None:
    """[R54] One line, and a status."""
    done, _, err = await nxt(*arguments)
    assert (done, text in err) == (status, True)


async def test_a_queue_elsewhere_is_not_looked_for_here(nxt: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """[DM-2] With device messaging on its own, the rows of this database would tell an old story."""
    monkeypatch.setenv("DEVICE_MESSAGING_URL", "http://messaging:3100")
    for arguments in (["ls"], ["retry", "1842"], ["cancel", "1842"], ["explain", "1842"]):
        status, out, err = await nxt(*arguments)
        assert (status, out) == (2, "")
        assert "runs on its own here" in err
