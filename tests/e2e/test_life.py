"""One demo operator from its first start to its second end, as somebody lives with it who types ``nxt up``.

A single test per run of the product would cost a start each; so the parts of a life share it, in their order.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.running import Home, Product, Purchase, alone, listening, until

pytestmark = pytest.mark.e2e

_MEMBERS = {
    "pid", "data", "urls", "simulators", "relational_url", "series_url", "valkey_url", "mqtt_url", "credentials",
    "demo",
}  # fmt: skip
_BALANCE = "select coalesce(sum(amount), 1) from internal.ledger_postings"


@attrs.define
class Life:
    """What one part of the life leaves to the next."""

    home: Home
    product: Product
    bought: Purchase | None = None
    seen: Any = None


@pytest.fixture(scope="module")
def life() -> Iterator[Life]:
    with alone() as home:
        lived = Life(home, Product.start(home, "--data", str(home.path / "data")))
        yield lived
        lived.product.stop()


async def test_villagers_buy_without_being_asked(life: Life) -> None:
    """R10: the demo's own traffic has a first purchase settled and confirmed within 60 s of being ready."""
    product = life.product
    began = product.value("select now()")
    before = time.monotonic()

    async def confirmed() -> list[dict[str, Any]]:
        return product.rows(
            """
            select o.id, o.order_status, i.meter_interaction_status, i.token
            from orders o join meter_interactions i on i.order_id = o.id
            where o.created_at > %s - interval '1 minute' and i.meter_interaction_status = 'SUCCESSFUL'
            order by o.id
            """,
            began,
        )

    (first, *_) = await until(confirmed, 60, "a villager's purchase")
    assert first["order_status"] == "COMPLETED"
    assert len(first["token"]) == 20
    assert time.monotonic() - before < 60


def test_one_line_says_where_everything_is(life: Life) -> None:
    """R7: the line of ``nxt up --json`` and that of ``nxt status --json`` hold the same, status says more."""
    told, status = life.product.told, life.product.status()
    assert set(told) == _MEMBERS
    assert set(told["urls"]) == {"api", "provisioning", "jobs", "telemetry", "supabase"}
    assert set(told["simulators"]) == {"chirpstack", "flutterwave", "victron", "sms"}
    assert set(told["credentials"]) == {"email", "password", "access_token", "api_key", "internal_api_key"}
    assert set(status) == _MEMBERS | {"ready", "roles"}
    assert {name: status[name] for name in _MEMBERS} == dict(told)
    assert status["ready"] is True
    assert set(status["roles"]) == {"api", "provisioning", "jobs", "telemetry"}


async def test_a_purchase_over_http(life: Life) -> None:
    """From the public page to the meter: paid, settled, a token made, the meter's credit raised, dashboards told.

    [PAY-53] [PAY-56] [PAY-102] [PAY-113] [PAY-117] [API-163] [API-164] [API-165]
    """
    product = life.product
    number = product.meters()[7]
    meter_before = await product.meter(number)
    async with listening(product, product.grid_of(number)) as heard:
        purchase = await product.buy(number, 1000)
        view = await product.until_command(purchase, "SUCCESSFUL")
        top_up = product.value("select id from meter_interactions where order_id = %s", purchase.order_id)

        async def told_the_end() -> bool:
            return any(_status(event) == "SUCCESSFUL" for event in heard if event["data"]["id"] == top_up)

        await until(told_the_end, 60, "the news of the end")
    assert view["order_status"] == "COMPLETED"
    assert view["amount"] == 1000
    assert view["token"].isdecimal()
    assert len(view["token"]) == 20
    assert view["kwh"] > 0

    credited = (await product.meter(number))["credited_kwh_total"] - meter_before["credited_kwh_total"]
    assert credited == Decimal(view["kwh"])

    events = [event for event in heard if event["data"]["id"] == top_up]
    assert events[0]["operation"] == "CREATE"
    assert {event["operation"] for event in events[1:]} == {"UPDATE"}
    assert [_status(event) for event in events] == ["QUEUED", "PROCESSING", "SUCCESSFUL"]
    assert {event["data"]["meter_external_reference"] for event in events} == {number}
    assert [event["data"]["updated_at"] for event in events] == sorted(event["data"]["updated_at"] for event in events)
    life.bought, life.seen = purchase, view


def test_the_books_balance(life: Life) -> None:
    """All postings sum to zero, and the auditor finds nothing [PAY-133] (R35)."""
    assert life.product.value(_BALANCE) == 0
    audit = life.product.audit()
    assert (audit.returncode, audit.stderr) == (0, "")


async def test_the_customer_is_told_once(life: Life) -> None:
    """A paid top-up is one text message to the meter's customer [PAY-120] (R19)."""
    assert life.bought is not None
    product, order_id = life.product, life.bought.order_id
    (notice,) = product.rows(
        "select phone, message from notifications where dedupe_key like %s", f"order:{order_id}:sms:%:received"
    )
    messages = await _until_messages(product, notice["phone"])
    assert [text for text in messages if notice["message"] in text] == messages[-1:]


async def test_a_second_operator_runs_beside(life: Life) -> None:
    """Two demos of one user don't get in each other's way, and status needs to know which is meant (R37)."""
    other_data = life.home.path / "other"
    other = Product.start(life.home, "--data", str(other_data), "--no-traffic")
    try:
        assert {*other.told["urls"].values()}.isdisjoint(life.product.told["urls"].values())
        undecided = life.home.run("status", "--json")
        assert undecided.returncode != 0
        assert "several run" in undecided.stderr
        assert other.status()["pid"] == other.process.pid
        purchase = await other.buy(other.meters()[0], 500)
        await other.until_command(purchase, "SUCCESSFUL")
        unknown = life.product.rows("select 1 from orders where external_reference = %s", purchase.reference)
        assert unknown == []
    finally:
        assert other.stop() == 0
    assert life.product.status()["ready"] is True


def test_a_directory_in_use_is_refused_in_one_line(life: Life) -> None:
    """R37: a second process on one data directory says so and stops, and the first one goes on."""
    done = life.home.run("up", "--json", "--data", str(life.product.data))
    assert done.returncode not in {0, 78}
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "in use" in line
    assert str(life.product.process.pid) in line
    assert life.product.status()["ready"] is True


def test_a_taken_port_is_refused_in_one_line(life: Life) -> None:
    """R37: ``--port`` is a wish for one port; when somebody has it, one line says so and nothing stays behind."""
    port = life.product.url("api").rpartition(":")[2]
    before = set(life.home.processes())
    done = life.home.run("up", "--json", "--port", port)
    assert done.returncode not in {0, 78}
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert port in line
    assert set(life.home.processes()) == before


def test_it_ends_without_a_trace(life: Life) -> None:
    """SIGTERM: exit 0, no process, no listener, no file outside the data directory, no shared memory (R37)."""
    assert _end(life, signal.SIGTERM) == []


async def test_a_second_start_goes_on_from_there(life: Life) -> None:
    """Orders, books, credentials, addresses and the meters' credit outlive a restart (R37)."""
    first, purchase = life.product, life.bought
    assert purchase is not None
    life.product = Product.start(life.home, "--data", str(first.data), "--no-traffic")
    second = life.product
    same = ("urls", "simulators", "relational_url", "demo")
    assert {name: second.told[name] for name in same} == {name: first.told[name] for name in same}
    for name in ("password", "api_key", "internal_api_key"):
        assert second.told["credentials"][name] == first.told["credentials"][name]
    assert await second.check(purchase) == life.seen
    assert (await second.meter(purchase.meter))["tokens_accepted"] >= 1
    verified = await second.post("/orders/flutterwave/verify", {"id": purchase.order_id}, **_key(first))
    assert verified.status == 201
    again = await second.buy(purchase.meter, 500)
    await second.until_command(again, "SUCCESSFUL")
    assert second.value(_BALANCE) == 0
    assert second.audit().returncode == 0


def test_ctrl_c_ends_it_as_well(life: Life) -> None:
    """SIGINT: as SIGTERM; and the log of a whole life holds no error and no forgotten connection."""
    assert _end(life, signal.SIGINT) == []
    complaints = ("Unclosed", "Traceback", '"level": "error"', '"level": "critical"', "was never awaited")
    assert [line for line in life.product.logs().splitlines() if any(word in line for word in complaints)] == []


def _end(life: Life, number: signal.Signals) -> list[str]:
    """Stop it and list what stayed behind."""
    product = life.product
    shared = product.shared_memory()
    assert product.stop(number) == 0
    segments = [name for name in shared if _is_there(name)]
    return [*life.home.leftovers(), *map(str, life.home.processes()), *product.listens(), *segments]


def _is_there(segment: str) -> bool:
    import pathlib  # noqa: PLC0415 - kept beside its only use

    if segment.startswith("sysv:"):
        lines = pathlib.Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
        return any(line.split()[1] == segment.removeprefix("sysv:") for line in lines)
    return pathlib.Path(segment).exists()


def _status(event: Any) -> str:
    return str(event["data"]["meter_interaction_status"])


def _key(product: Product) -> dict[str, str]:
    return {"X_API_KEY": product.told["credentials"]["api_key"]}


async def _until_messages(product: Product, phone: str) -> list[str]:
    async def arrived() -> list[str]:
        answer = await product.get(f"{product.simulator('sms')}/messages?to={phone.replace('+', '%2B')}")
        return [message["text"] for message in answer.body]

    return await until(arrived, 60, f"a text message to {phone}")
