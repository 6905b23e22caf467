"""The second payment gateway over real HTTP: payers, verification, signed webhooks, refunds."""

import asyncio
import hashlib
import hmac
import json

import pytest

from nxt_entrypoints.simulators.paystack.simulator import PaystackConfig
from nxt_entrypoints.simulators.paystack.webhook import Merchant
from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig

KEY = "sk_test_platform"
PLATFORM = {"Authorization": f"Bearer {KEY}"}
OTHER = {"Authorization": "Bearer sk_test_other"}
REF = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"


@pytest.fixture
def config(receiver, tmp_path):
    return SimulatorsConfig(
        speed=100.0,
        data_dir=str(tmp_path),
        paystack=PaystackConfig(
            merchants=[
                Merchant(secret_key=KEY, webhook_url=f"{receiver.url}/paystack"),
                Merchant(name="other", secret_key="sk_test_other"),
            ],
            webhook_retries=3,
            webhook_retry_s=0.05,
        ),
    )


@pytest.fixture
async def url(config):
    async with Simulators(config) as sims:
        yield sims.urls["paystack"]


async def call(session, method, address, **options):
    async with session.request(method, address, **options) as answer:
        return answer.status, json.loads(await answer.text())


async def pay(http, url, **body):
    status, paid = await call(
        http, "POST", f"{url}/pay", json={"reference": REF, "amount": 100000, "currency": "NGN"} | body
    )
    assert status == 200, paid
    return paid


async def verify(http, url, reference=REF, headers=PLATFORM):
    return await call(http, "GET", f"{url}/transaction/verify/{reference}", headers=headers)


async def test_pay_then_webhook_then_verify(url, http, receiver):
    """[R34] The whole way of a payment; the webhook is signed with the secret key."""
    paid = await pay(http, url, channel="bank_transfer", is_fee_on_payer=True)
    (post,) = await receiver.until_count(1)
    signature = hmac.new(KEY.encode(), post["text"].encode(), hashlib.sha512).hexdigest()
    assert post["headers"]["x-paystack-signature"] == signature
    assert (post["body"]["event"], post["body"]["data"]["reference"]) == ("charge.success", REF)
    status, answer = await verify(http, url)
    assert (status, answer["status"]) == (200, True)
    data = answer["data"]
    assert (data["id"], data["status"], data["channel"]) == (paid["id"], "success", "bank_transfer")
    assert (data["requested_amount"], data["fees"], data["amount"]) == (100000, 1500, 101500)
    assert (await call(http, "GET", f"{url}/transaction/{paid['id']}", headers=PLATFORM))[1]["data"] == data


async def test_one_transaction_under_a_reference(url, http, receiver):
    """[R34] The payer tries again until it is paid; then the reference is used up."""
    first = await pay(http, url, status="failed")
    assert (await verify(http, url))[1]["data"]["status"] == "failed"
    assert (await pay(http, url))["id"] == first["id"]
    assert (await verify(http, url))[1]["data"]["log"]["attempts"] == 2
    sent = {"reference": REF, "amount": 100000, "currency": "NGN"}
    assert (await call(http, "POST", f"{url}/pay", json=sent))[0] == 400
    status, answer = await call(
        http, "POST", f"{url}/transaction/initialize", json=sent | {"email": "a@b.example"}, headers=PLATFORM
    )
    assert (status, answer["message"]) == (400, "Duplicate Transaction Reference")
    await receiver.until_count(1)
    assert len(receiver.posts) == 1


async def test_who_may_see_what(url, http, receiver):
    """[R34] A key sees its own merchant's payments."""
    await pay(http, url)
    assert (await verify(http, url, headers=OTHER))[1]["code"] == "transaction_not_found"
    assert (await verify(http, url, headers={}))[0] == 401
    assert (await verify(http, url, "nothing"))[0] == 400
    assert (await call(http, "GET", f"{url}/transaction/1", headers=PLATFORM))[0] == 404


async def test_started_in_the_browser(url, http, receiver):
    """[R34] Initialised, then paid without naming the amount again."""
    body = {"email": "a@b.example", "amount": "50050", "reference": REF, "currency": "NGN"}
    status, answer = await call(http, "POST", f"{url}/transaction/initialize", json=body, headers=PLATFORM)
    assert (status, answer["data"]["reference"]) == (200, REF)
    assert (await verify(http, url))[1]["data"]["status"] == "abandoned"
    assert (await call(http, "POST", f"{url}/pay", json={"reference": REF}))[0] == 200
    assert (await verify(http, url))[1]["data"]["amount"] == 50050
    for wrong in ({"email": "x"}, {"amount": "1.5"}, {"amount": 0}, {"reference": "a_b"}, {"currency": "naira"}):
        sent = body | {"reference": "other"} | wrong
        assert (await call(http, "POST", f"{url}/transaction/initialize", json=sent, headers=PLATFORM))[0] == 400


async def test_a_ussd_charge(url, http, receiver):
    """[R34] Something to dial; the payer completes it."""
    body = {"email": "a@b.example", "amount": 150000, "reference": "phone-1", "ussd": {"type": "737"}}
    status, answer = await call(http, "POST", f"{url}/charge", json=body, headers=PLATFORM)
    assert (status, answer["data"]["status"]) == (200, "pay_offline")
    assert answer["data"]["ussd_code"].startswith("*737*000*")
    assert (await verify(http, url, "phone-1"))[1]["data"]["status"] == "ongoing"
    await pay(http, url, reference="phone-1", channel="ussd")
    await receiver.until_count(1)
    for wrong in ({"ussd": {"type": "901"}}, {"ussd": None}):
        sent = body | {"reference": "phone-2"} | wrong
        assert (await call(http, "POST", f"{url}/charge", json=sent, headers=PLATFORM))[0] == 400
    assert (await verify(http, url, "phone-2"))[0] == 400


async def test_refunds_take_their_time(url, http, receiver):
    """[R34] Pending, then processed or failed; the transaction's status follows; never more than was paid."""
    paid = await pay(http, url)
    ask = {"transaction": paid["id"], "amount": 40000}
    status, answer = await call(http, "POST", f"{url}/refund", json=ask, headers=PLATFORM)
    assert (status, answer["data"]["status"], answer["data"]["transaction"]["id"]) == (200, "pending", paid["id"])
    assert (await call(http, "POST", f"{url}/refund", json=ask | {"amount": 60001}, headers=PLATFORM))[0] == 400
    rest = await call(http, "POST", f"{url}/refund", json={"transaction": REF}, headers=PLATFORM)
    assert rest[1]["data"]["amount"] == 60000
    assert (await verify(http, url))[1]["data"]["status"] == "reversal-pending"
    for refund, word in ((answer["data"]["id"], "processed"), (rest[1]["data"]["id"], "failed")):
        assert (await call(http, "POST", f"{url}/settle-refund", json={"id": refund, "status": word}))[0] == 200
    assert (await verify(http, url))[1]["data"]["status"] == "success"
    query = f"{url}/refund?transaction={paid['id']}&perPage=1"
    status, listed = await call(http, "GET", query, headers=PLATFORM)
    assert (listed["meta"]["pageCount"], [each["status"] for each in listed["data"]]) == (2, ["processed"])
    posts = await receiver.until_count(5)
    assert sorted(post["body"]["event"] for post in posts) == [
        "charge.success",
        "refund.failed",
        "refund.pending",
        "refund.pending",
        "refund.processed",
    ]
    failed = await pay(http, url, reference="failed", status="failed")
    assert (await call(http, "POST", f"{url}/refund", json={"transaction": failed["id"]}, headers=PLATFORM))[0] == 400
    assert (await call(http, "POST", f"{url}/settle-refund", json={"id": 5}))[0] == 400


async def test_the_list(url, http, receiver):
    """[R34] By status and time, in pages."""
    for number in range(3):
        await pay(http, url, reference=f"r-{number}", status="success" if number else "failed")
    address = f"{url}/transaction?status=success&from=2020-01-01&to=2100-01-01&perPage=1&page=2"
    status, listed = await call(http, "GET", address, headers=PLATFORM)
    assert (status, listed["meta"]["total"], listed["data"][0]["reference"]) == (200, 2, "r-1")
    assert (await call(http, "GET", f"{url}/transaction?from=2100-01-01", headers=PLATFORM))[1]["data"] == []


async def test_faults(url, http, receiver):
    """[R33] Webhooks repeated until 200, lost, and held back; errors and garbage in answers."""

    async def control(**faults):
        assert (await call(http, "PUT", f"{url}/control", json=faults))[0] == 200

    receiver.answers = [503, 200]
    await pay(http, url)
    posts = await receiver.until_count(2)
    assert posts[0]["text"] == posts[1]["text"]
    await control(loss_rate=1.0)
    await pay(http, url, reference="lost")
    await control(loss_rate=0.0, down=True)
    await pay(http, url, reference="late")
    assert (await http.get(f"{url}/transaction/verify/late", headers=PLATFORM)).status == 503
    await asyncio.sleep(0.2)
    assert len(receiver.posts) == 2
    await control(down=False)
    posts = await receiver.until_count(3)
    assert posts[2]["body"]["data"]["reference"] == "late"
    await control(error_rate=1)
    assert (await verify(http, url))[0] == 500
    await control(error_rate=0, garbage_rate=1)
    with pytest.raises(json.JSONDecodeError):
        await verify(http, url)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"reference": "a"}, "amount"),
        ({"reference": "a", "amount": 1.5}, "amount"),
        ({"reference": "a", "amount": True}, "amount"),
        ({"reference": "a", "amount": 1, "currency": "ngn"}, "currency"),
        ({"reference": "a+b", "amount": 1}, "reference"),
        ({"reference": "a", "amount": 1, "status": "paid"}, "status"),
        ({"reference": "a", "amount": 1, "channel": "barter"}, "channel"),
        ({"reference": "a", "amount": 1, "colour": "red"}, "colour"),
        ({"reference": "a", "amount": 1, "merchant": "org:9"}, "merchant"),
        ([], "object"),
    ],
)
async def test_wrong_payments_are_named(url, http, receiver, body, says):
    """[R34] Unknown input to POST /pay is a clear 400 and no payment."""
    status, answer = await call(http, "POST", f"{url}/pay", json=body)
    assert status == 400
    assert says in answer["error"]
    assert receiver.posts == []


async def test_ids_go_on_after_a_restart(config, http, receiver):
    """[R37] No id occurs twice, and old payments can still be verified."""
    async with Simulators(config) as first:
        before = await pay(http, first.urls["paystack"])
        await receiver.until_count(1)
    async with Simulators(config) as second:
        url = second.urls["paystack"]
        assert (await verify(http, url))[1]["data"]["id"] == before["id"]
        assert (await pay(http, url, reference="next"))["id"] == before["id"] + 1
