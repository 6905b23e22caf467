"""Vendors are down, slow, repeat themselves or mix up their order: the chain waits, completes, doubles nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from tests.support.running import Product, Purchase, until

pytestmark = pytest.mark.e2e


async def test_the_payment_gateway_is_down(product: Product) -> None:
    """The API stays up and the order waits; once the gateway is back, its webhook completes the purchase [PAY-70]."""
    purchase = await product.order(product.meters()[0], 300)
    await product.control("flutterwave", down=True)
    await product.pay(purchase)
    await asyncio.sleep(1)
    assert (await product.check(purchase))["order_status"] == "INITIALISED"
    more = await product.initialise(product.meters()[1], 300)
    assert more.status == 201
    assert (await product.get(f"{product.url('api')}/readyz")).status == 200
    await product.control("flutterwave", down=False)
    await product.until_command(purchase, "SUCCESSFUL")


async def test_the_gateway_answers_nonsense(product: Product) -> None:
    """A webhook whose verification can't be understood is asked about again, until it can [PAY-72] [PAY-130]."""
    purchase = await product.order(product.meters()[2], 300)
    await product.control("flutterwave", garbage_rate=1.0)
    await product.pay(purchase)
    await asyncio.sleep(2)
    assert (await product.check(purchase))["order_status"] == "INITIALISED"
    await product.control("flutterwave", garbage_rate=0)
    await product.until_command(purchase, "SUCCESSFUL")


async def test_a_lost_webhook_is_found_by_asking(product: Product) -> None:
    """Neither the gateway's silence nor ours loses a payment: reconciliation asks [PAY-89]."""
    purchase = await product.order(product.meters()[3], 300)
    await product.control("flutterwave", loss_rate=1.0)
    await product.pay(purchase)
    await asyncio.sleep(0.5)
    assert (await product.check(purchase))["order_status"] == "INITIALISED"
    # Two minutes pass.
    due = "update internal.gateway_charges set next_verify_at = now() where order_id = %s returning id"
    assert product.rows(due, purchase.order_id) != []
    product.run_job("reconcile-gateway-orders")
    await product.until_command(purchase, "SUCCESSFUL")


async def test_webhooks_come_often_and_mixed_up(product: Product) -> None:
    """Ten deliveries of one event, a verify request and a reconciliation at once settle the order once [PAY-122].

    An older refusal that arrives after the success undoes nothing [PAY-123].
    """
    number = product.meters()[4]
    before = await product.meter(number)
    purchase = await product.order(number, 300)
    await product.control("flutterwave", loss_rate=1.0)
    await product.pay(purchase, status="failed")
    await product.pay(purchase)
    log = await product.simulator_log("flutterwave")
    paid = [entry for entry in log if entry["kind"] == "pay" and entry["tx_ref"] == purchase.reference]
    refused, taken = ({"id": entry["id"], "status": entry["status"]} for entry in paid)
    due = "update internal.gateway_charges set next_verify_at = now() where order_id = %s returning id"
    product.rows(due, purchase.order_id)
    product.run_job("reconcile-gateway-orders")
    await asyncio.gather(
        *(_webhook(product, purchase, **taken) for _ in range(10)),
        product.post("/orders/flutterwave/verify", {"id": purchase.order_id}, **_key(product)),
    )
    await product.until_command(purchase, "SUCCESSFUL")
    await _webhook(product, purchase, **refused)
    await asyncio.sleep(1)
    view = await product.check(purchase)
    assert view["order_status"] == "COMPLETED"
    events = product.value("select count(*) from internal.gateway_events where tx_ref = %s", purchase.reference)
    assert events == 2
    await _delivered_once(product, purchase, before, view)


async def test_paid_twice_under_one_reference(product: Product) -> None:
    """[PAY-77]: the second payment goes to suspense with an alert; the order is not touched."""
    number = product.meters()[5]
    before = await product.meter(number)
    purchase = await product.buy(number, 300)
    view = await product.until_command(purchase, "SUCCESSFUL")
    await product.pay(purchase)
    suspended = """
        select count(*) from internal.ledger_entries e join internal.ledger_postings p on p.entry_id = e.id
        join internal.ledger_accounts a on a.id = p.account_id
        where a.code like 'suspense:%%' and p.amount = 300 and e.idempotency_key like %s
    """
    second = [e for e in await product.simulator_log("flutterwave") if e.get("tx_ref") == purchase.reference][-1]
    await product.until_value(1, suspended, f"gateway:platform:{second['id']}:suspense")
    await _delivered_once(product, purchase, before, view)


async def test_the_network_server_is_down(product: Product) -> None:
    """Settled and with its token, the command waits, and is delivered once when the network server is back [DM-4]."""
    number = product.meters()[6]
    before = await product.meter(number)
    await product.control("chirpstack", down=True)
    purchase = await product.buy(number, 300)

    async def has_token() -> Mapping[str, Any] | None:
        view = await product.check(purchase)
        return view if view.get("token") else None

    view = await until(has_token, 60, "a token for manual entry")
    assert view["order_status"] == "COMPLETED"
    assert view["directive_status"] != "SUCCESSFUL"
    await asyncio.sleep(1)
    await product.control("chirpstack", down=False)
    await product.until_command(purchase, "SUCCESSFUL")
    await _delivered_once(product, purchase, before, view)


async def test_the_network_server_repeats_and_reorders(product: Product) -> None:
    """Events that come twice or overtake each other change nothing about the outcome [DM-4] [MET-53] [PAY-113]."""
    await product.control("chirpstack", duplicate_rate=1.0, reorder_rate=0.5)
    numbers = product.meters()[7:13]
    before = {number: await product.meter(number) for number in numbers}
    purchases = await asyncio.gather(*(product.buy(number, 300) for number in numbers))
    for purchase in purchases:
        view = await product.until_command(purchase, "SUCCESSFUL")
        await _delivered_once(product, purchase, before[purchase.meter], view)


async def test_the_radio_loses_a_downlink(product: Product) -> None:
    """A lost downlink is sent again after the device's patience [DM-166] and credited once."""
    number = product.meters()[14]
    before = await product.meter(number)
    await _change_meter(product, number, downlink_loss=1.0)
    purchase = await product.buy(number, 300)
    await product.until_command(purchase, "PROCESSING")
    await asyncio.sleep(1)
    await _change_meter(product, number, downlink_loss=0.0)
    view = await product.until_command(purchase, "SUCCESSFUL")
    await _delivered_once(product, purchase, before, view)


async def test_the_radio_loses_the_answer(product: Product) -> None:
    """The meter took the token, nobody heard: the repetition is refused, and the meter's credit decides.

    (R21) [MET-125] [MET-122]
    """
    number = product.meters()[15]
    before = await product.meter(number)
    await _change_meter(product, number, uplink_loss=1.0)
    purchase = await product.buy(number, 300)

    async def taken() -> bool:
        return (await product.meter(number))["tokens_accepted"] > before["tokens_accepted"]

    await until(taken, 60, "the meter to take the token")
    await asyncio.sleep(0.5)
    await _change_meter(product, number, uplink_loss=0.0)
    view = await product.until_command(purchase, "SUCCESSFUL")
    await _delivered_once(product, purchase, before, view)
    assert (await product.meter(number))["tokens_refused"] == before["tokens_refused"] + 1


async def test_the_sms_gateway_is_down(product: Product) -> None:
    """The purchase does not wait for its message, and the message comes later, once [PAY-120] [AUTO-85] (R19)."""
    number = product.meters()[16]
    phone = _phone(product, number)
    before = len(await _messages(product, phone))
    await product.control("sms", down=True)
    purchase = await product.buy(number, 300)
    await product.until_command(purchase, "SUCCESSFUL")
    notice = (
        "select id, notification_status as status, phone, attempt_count from notifications where dedupe_key like %s"
    )
    key = f"order:{purchase.order_id}:sms:%:received"

    async def tried() -> bool:
        return product.rows(notice, key)[0]["attempt_count"] > 0

    await until(tried, 60, "a first attempt")
    (row,) = product.rows(notice, key)
    assert row["status"] == "PENDING"
    assert len(await _messages(product, phone)) == before
    await product.control("sms", down=False)
    # The wait passes.
    product.rows("update notifications set claimed_until = null where id = %s returning id", row["id"])
    await product.until_value(
        "RECEIVED_BY_API", "select notification_status::text from notifications where id = %s", row["id"]
    )
    assert len(await _messages(product, phone)) == before + 1


async def test_a_village_goes_dark(product: Product) -> None:
    """Blackout: the grid is known to be dark, a purchase waits with its token, and goes out when power is back.

    [TEL-155] [TEL-157] [MET-62] [MET-73] [MET-118]
    """
    grid_id = product.told["demo"]["grid_ids"][1]
    portal = product.value("select generation_external_gateway_id from grids where id = %s", grid_id)
    number = product.meters(grid_id)[9]
    before = await product.meter(number)
    lit = "select is_hps_on from grids where id = %s"
    await product.until_value(True, lit, grid_id)
    await _plant(product, portal, is_on=False)
    try:
        await product.until_value(False, lit, grid_id)
        purchase = await product.buy(number, 300)
        view = await product.until_command(purchase, "SUSPENDED")
        assert view["order_status"] == "COMPLETED"
        assert len(view["token"]) == 20
        product.run_job("release-suspended")
        await asyncio.sleep(1)
        assert (await product.check(purchase))["directive_status"] == "SUSPENDED"
    finally:
        await _plant(product, portal, is_on=True)
    await product.until_value(True, lit, grid_id)
    product.run_job("release-suspended")
    await product.until_command(purchase, "SUCCESSFUL")
    await _delivered_once(product, purchase, before, view)


async def _delivered_once(
    product: Product, purchase: Purchase, before: Mapping[str, Any], view: Mapping[str, Any]
) -> None:
    meter = await product.meter(purchase.meter)
    assert meter["credited_kwh_total"] - before["credited_kwh_total"] == Decimal(view["kwh"])
    assert meter["tokens_accepted"] - before["tokens_accepted"] == 1
    settled = """
        select count(*) from internal.ledger_entries
        where order_id = %s and entry_type = 'ORDER_SETTLEMENT'
    """
    assert product.value(settled, purchase.order_id) == 1
    assert product.value("select sum(amount) from internal.ledger_postings") == 0


async def _webhook(product: Product, purchase: Purchase, **data: object) -> None:
    event = {"event": "charge.completed", "data": {"tx_ref": purchase.reference, "currency": "NGN", **data}}
    secret = product.secret("flutterwave_webhook_secret")
    answer = await product.post("/flutterwave/webhook", event, verif_hash=secret)
    assert (answer.status, answer.body) == (200, {})


async def _change_meter(product: Product, number: str, **change: object) -> None:
    answer = await product.call("PUT", f"{product.simulator('chirpstack')}/meters/{number}", change)
    assert answer.status == 200, answer


async def _plant(product: Product, portal: str, **change: object) -> None:
    answer = await product.call("PUT", f"{product.simulator('victron')}/plant/{portal}", change)
    assert answer.status == 200, answer


def _phone(product: Product, number: str) -> str:
    found = """
        select '+' || a.phone from meters m join connections c on c.id = m.connection_id
        join customers u on u.id = c.customer_id join accounts a on a.id = u.account_id
        where m.external_reference = %s
    """
    return str(product.value(found, number))


async def _messages(product: Product, phone: str) -> list[Mapping[str, Any]]:
    answer = await product.get(f"{product.simulator('sms')}/messages?to={phone.replace('+', '%2B')}")
    return list(answer.body)


def _key(product: Product) -> dict[str, str]:
    return {"X_API_KEY": product.told["credentials"]["api_key"]}
