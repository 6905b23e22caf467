"""The payment gateway over real HTTP: payers, verification, webhooks, refunds."""

import asyncio
import json

import pytest

from nxt_entrypoints.simulators.flutterwave.simulator import FlutterwaveConfig
from nxt_entrypoints.simulators.flutterwave.webhook import Merchant
from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig

REF = "Sun_Power_Ltd+47001771477__2026-03-10T09:15:02.123Z"
PLATFORM = {"Authorization": "Bearer FLWSECK_TEST-platform"}
OTHER = {"Authorization": "Bearer FLWSECK_TEST-other"}


@pytest.fixture
def config(receiver, tmp_path):
    return SimulatorsConfig(
        speed=100.0,
        data_dir=str(tmp_path),
        flutterwave=FlutterwaveConfig(
            merchants=[
                Merchant(
                    secret_key="FLWSECK_TEST-platform",
                    webhook_url=f"{receiver.url}/flutterwave/webhook",
                    webhook_secret="hash-1",
                ),
                Merchant(
                    name="org:3",
                    secret_key="FLWSECK_TEST-other",
                    webhook_url=f"{receiver.url}/flutterwave/webhook/3",
                    webhook_secret="hash-3",
                ),
            ],
            webhook_retries=3,
            webhook_retry_s=0.05,
        ),
    )


@pytest.fixture
async def url(config):
    async with Simulators(config) as sims:
        yield sims.urls["flutterwave"]


async def call(session, method, address, **options):
    async with session.request(method, address, **options) as answer:
        return answer.status, json.loads(await answer.text())


async def pay(http, url, **body):
    sent = {"tx_ref": REF, "amount": 1000, "currency": "NGN"} | body
    status, paid = await call(http, "POST", f"{url}/pay", json=sent)
    assert status == 200, paid
    return paid


async def verify(http, url, reference=REF, headers=PLATFORM):
    query = {"tx_ref": reference}
    return await call(http, "GET", f"{url}/v3/transactions/verify_by_reference", params=query, headers=headers)


async def test_pay_then_webhook_then_verify(url, http, receiver):
    """[PAY-61] [PAY-68] [PAY-69] [R34] The whole way of a payment."""
    paid = await pay(http, url, payment_type="bank_transfer")
    assert paid["status"] == "successful"
    (post,) = await receiver.until_count(1)
    assert post["headers"]["verif-hash"] == "hash-1"
    event = post["body"]
    assert (event["event"], event["event.type"]) == ("charge.completed", "BANK_TRANSFER_TRANSACTION")
    status, answer = await verify(http, url)
    assert status == 200
    assert answer["status"] == "success"
    data = answer["data"]
    for source in (event["data"], data):
        assert source["id"] == paid["id"]
        assert source["tx_ref"] == REF
        assert (source["amount"], source["currency"]) == (1000, "NGN")
        assert (source["charged_amount"], source["app_fee"], source["merchant_fee"]) == (1014, 14, 0)
        assert (source["status"], source["payment_type"]) == ("successful", "bank_transfer")
        assert source["created_at"].endswith("Z")
        assert {"id", "name", "phone_number", "email", "created_at"} <= set(source["customer"])
    assert "card" not in event["data"]
    by_id = await call(http, "GET", f"{url}/v3/transactions/{paid['id']}/verify", headers=PLATFORM)
    assert by_id == (200, answer)


async def test_card_events_name_the_card(url, http, receiver):
    """[PAY-69] The optional member data.card."""
    await pay(http, url)
    (post,) = await receiver.until_count(1)
    assert set(post["body"]["data"]["card"]) == {
        "first_6digits",
        "last_4digits",
        "issuer",
        "country",
        "type",
        "expiry",
    }


async def test_flat_form_on_request(url, http, receiver):
    """[PAY-69] The older body form carries txRef."""
    paid = await pay(http, url, form="flat", payment_type="ussd")
    (post,) = await receiver.until_count(1)
    body = post["body"]
    assert (body["id"], body["txRef"], body["amount"]) == (paid["id"], REF, 1000)
    assert (body["status"], body["currency"], body["event.type"]) == ("successful", "NGN", "USSD_TRANSACTION")
    assert "data" not in body


async def test_amounts_keep_their_digits(url, http, receiver):
    """Amounts are JSON numbers with exactly the digits that were paid, never binary floats."""
    text = '{"tx_ref":"exact","amount":1234567.10,"currency":"NGN"}'
    assert (await call(http, "POST", f"{url}/pay", data=text))[0] == 200
    (post,) = await receiver.until_count(1)
    assert '"amount":1234567.1,' in post["text"]
    assert '"app_fee":17283.94,' in post["text"]
    assert '"charged_amount":1251851.04,' in post["text"]


async def test_a_failed_attempt_then_a_successful_one(url, http, receiver):
    """[PAY-76] Each call is a transaction of its own; the reference verifies as paid from then on."""
    failed = await pay(http, url, status="failed")
    await receiver.until_count(1)
    assert (await verify(http, url))[1]["data"]["status"] == "failed"
    paid = await pay(http, url)
    assert paid["id"] == failed["id"] + 1
    again = await pay(http, url, status="cancelled")
    answer = (await verify(http, url))[1]["data"]
    assert (answer["id"], answer["status"]) == (paid["id"], "successful")
    by_id = await call(http, "GET", f"{url}/v3/transactions/{again['id']}/verify", headers=PLATFORM)
    assert by_id[1]["data"]["status"] == "cancelled"
    listed = await call(http, "GET", f"{url}/v3/transactions", params={"tx_ref": REF}, headers=PLATFORM)
    assert [each["id"] for each in listed[1]["data"]] == [again["id"], paid["id"], failed["id"]]
    assert listed[1]["meta"]["page_info"]["total"] == 3


async def test_merchants_do_not_see_each_other(url, http, receiver):
    """[PAY-81] [PAY-87] Own key, own transactions, own webhook address and hash."""
    await pay(http, url, merchant="org:3")
    (post,) = await receiver.until_count(1)
    assert post["headers"]["verif-hash"] == "hash-3"
    assert (await verify(http, url, headers=OTHER))[0] == 200
    assert (await verify(http, url))[0] == 400
    for headers in ({}, {"Authorization": "Bearer FLWSECK-wrong"}, {"Authorization": "FLWSECK_TEST-platform"}):
        status, body = await verify(http, url, headers=headers)
        assert status == 401
        assert body == {"status": "error", "message": "Invalid authorization key", "data": None}


async def test_unknown_references_are_400(url, http):
    """[PAY-61] Unknown reference: 400 with data null."""
    status, body = await verify(http, url, reference="nobody")
    assert status == 400
    assert (body["status"], body["data"]) == ("error", None)
    for number in ("999", "abc", "9" * 30):
        status, body = await call(http, "GET", f"{url}/v3/transactions/{number}/verify", headers=PLATFORM)
        assert (status, body["status"]) == (400, "error")


async def test_webhooks_are_repeated_until_200(url, http, receiver):
    """[PAY-70] Any status but 200 is a failed delivery; at most three repeats."""
    receiver.answers = [503, 201, 200]
    await pay(http, url)
    await receiver.until_count(3)
    receiver.answers = [500] * 10
    await pay(http, url)
    await receiver.until_count(3 + 4)
    await asyncio.sleep(0.3)
    assert len(receiver.posts) == 7
    assert len({post["text"] for post in receiver.posts}) == 2


async def test_faults_of_the_webhook(url, http, receiver):
    """[R33] Duplicated, reordered, lost, and held back while the gateway is down."""

    async def control(**faults):
        status, _ = await call(http, "PUT", f"{url}/control", json=faults)
        assert status == 200

    await control(duplicate_rate=1.0)
    await pay(http, url)
    posts = await receiver.until_count(2)
    assert posts[0]["text"] == posts[1]["text"]
    await control(duplicate_rate=0.0, reorder_rate=1.0)
    first = await pay(http, url)
    await control(reorder_rate=0.0)
    second = await pay(http, url)
    posts = await receiver.until_count(4)
    assert [post["body"]["data"]["id"] for post in posts[2:]] == [second["id"], first["id"]]
    await control(loss_rate=1.0)
    await pay(http, url)
    await control(loss_rate=0.0, down=True)
    late = await pay(http, url)
    assert (await http.get(f"{url}/v3/transactions", headers=PLATFORM)).status == 503
    await asyncio.sleep(0.2)
    assert len(receiver.posts) == 4
    await control(down=False)
    posts = await receiver.until_count(5)
    assert posts[4]["body"]["data"]["id"] == late["id"]


async def test_faults_of_the_api(url, http, receiver):
    """[R33] Server errors in the gateway's shape, and answers that are no JSON."""
    await pay(http, url)
    await call(http, "PUT", f"{url}/control", json={"error_rate": 1})
    assert (await verify(http, url))[0] == 500
    await call(http, "PUT", f"{url}/control", json={"error_rate": 0, "garbage_rate": 1})
    with pytest.raises(json.JSONDecodeError):
        await verify(http, url)


async def test_ussd_charge_is_completed_by_the_payer(url, http, receiver):
    """[PAY-64] A pending charge with a string to dial; the payer completes that transaction."""
    body = {
        "tx_ref": "ussd-1",
        "account_bank": "058",
        "amount": "1500",
        "currency": "NGN",
        "email": "ussd@example.org",
        "phone_number": "+2348000000000",
        "fullname": "Guest",
        "meta": {"type": "meter_topup"},
    }
    address = f"{url}/v3/charges?type=ussd"
    status, answer = await call(http, "POST", address, json=body, headers=PLATFORM)
    assert (status, answer["status"]) == (200, "success")
    assert answer["meta"]["authorization"]["mode"] == "ussd"
    assert answer["meta"]["authorization"]["note"].startswith("*58*")
    assert answer["data"]["status"] == "pending"
    assert (await verify(http, url, "ussd-1"))[1]["data"]["status"] == "pending"
    number = answer["data"]["id"]
    assert await call(http, "POST", f"{url}/pay", json={"id": number}) == (
        200,
        {"id": number, "status": "successful"},
    )
    await receiver.until_count(1)
    data = (await verify(http, url, "ussd-1"))[1]["data"]
    assert (data["id"], data["amount"], data["payment_type"]) == (number, 1500, "ussd")
    assert (await call(http, "POST", f"{url}/pay", json={"id": number}))[0] == 400
    for wrong in ({"amount": "x"}, {"tx_ref": None}, {"account_bank": ""}, {"currency": "naira"}):
        status, answer = await call(http, "POST", address, json=body | wrong, headers=PLATFORM)
        assert (status, answer["status"]) == (400, "error")
    status, _ = await call(http, "POST", f"{url}/v3/charges?type=card", json=body, headers=PLATFORM)
    assert status == 400


async def test_refunds_never_exceed_the_payment(url, http, receiver):
    """[PAY-92] In parts, up to the amount; a failed payment can't be refunded."""
    paid = await pay(http, url)
    address = f"{url}/v3/transactions/{paid['id']}/refund"
    status, answer = await call(http, "POST", address, json={"amount": 400}, headers=PLATFORM)
    assert (status, answer["data"]["amount_refunded"], answer["data"]["tx_id"]) == (200, 400, paid["id"])
    assert (await call(http, "POST", address, json={"amount": 601}, headers=PLATFORM))[0] == 400
    status, answer = await call(http, "POST", address, headers=PLATFORM)
    assert (status, answer["data"]["amount_refunded"]) == (200, 600)
    assert (await call(http, "POST", address, headers=PLATFORM))[0] == 400
    failed = await pay(http, url, status="failed")
    address = f"{url}/v3/transactions/{failed['id']}/refund"
    assert (await call(http, "POST", address, headers=PLATFORM))[0] == 400


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"tx_ref": "a", "currency": "NGN"}, "amount"),
        ({"tx_ref": "a", "amount": -1, "currency": "NGN"}, "amount"),
        ({"tx_ref": "a", "amount": True, "currency": "NGN"}, "amount"),
        ({"tx_ref": "a", "amount": 1, "currency": "ngn"}, "currency"),
        ({"tx_ref": 5, "amount": 1, "currency": "NGN"}, "tx_ref"),
        ({"tx_ref": "a", "amount": 1, "currency": "NGN", "status": "paid"}, "status"),
        ({"tx_ref": "a", "amount": 1, "currency": "NGN", "colour": "red"}, "colour"),
        ({"tx_ref": "a", "amount": 1, "currency": "NGN", "merchant": "org:9"}, "merchant"),
        ([], "object"),
    ],
)
async def test_wrong_payments_are_named(url, http, receiver, body, says):
    """[R34] Unknown input to POST /pay is a clear 400 and no payment."""
    status, answer = await call(http, "POST", f"{url}/pay", json=body)
    assert status == 400
    assert says in answer["error"]
    assert receiver.posts == []


async def test_absurd_numbers_cost_nothing(url, http):
    """[R12] A number with a billion zeros is refused at once."""
    text = '{"tx_ref":"a","amount":1E999999999,"currency":"NGN"}'
    async with asyncio.timeout(2):
        assert (await call(http, "POST", f"{url}/pay", data=text))[0] == 400


async def test_ids_go_on_after_a_restart(config, http, receiver):
    """[R37] No id occurs twice, and old payments can still be verified."""
    async with Simulators(config) as first:
        before = await pay(http, first.urls["flutterwave"])
        await receiver.until_count(1)
    async with Simulators(config) as second:
        url = second.urls["flutterwave"]
        assert (await verify(http, url))[1]["data"]["id"] == before["id"]
        assert (await pay(http, url, tx_ref="next"))["id"] == before["id"] + 1
