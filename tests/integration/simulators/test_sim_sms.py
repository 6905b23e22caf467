"""The SMS gateway over real HTTP."""

import pytest

from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig
from nxt_entrypoints.simulators.sms.simulator import SmsConfig

FORM = {"username": "sandbox", "to": "+2348012345678", "message": "Token 1234", "from": "Sun", "bulkSMSMode": "1"}
KEY = {"apiKey": "key-1", "Accept": "application/json"}


@pytest.fixture
async def url(receiver):
    report = f"{receiver.url}/africastalking/sms-delivery-report?secret=s"
    config = SimulatorsConfig(speed=100.0, sms=SmsConfig(api_key="key-1", report_url=report))
    async with Simulators(config) as sims:
        yield sims.urls["sms"]


async def send(http, url, headers=KEY, **changes):
    form = {name: value for name, value in (FORM | changes).items() if value is not None}
    async with http.post(f"{url}/version1/messaging", data=form, headers=headers) as answer:
        text = await answer.text()
        return answer.status, await answer.json() if answer.content_type == "application/json" else text


async def messages(http, url, **query):
    async with http.get(f"{url}/messages", params=query) as answer:
        assert answer.status == 200
        return await answer.json()


async def test_a_message_is_taken_shown_and_reported(url, http, receiver):
    """[AUTO-89] [AUTO-90] [AUTO-91] [R34] 201, an id, GET /messages, a delivery report."""
    status, body = await send(http, url)
    assert status == 201
    data = body["SMSMessageData"]
    assert data["Message"].startswith("Sent to 1/1 Total Cost: ")
    (recipient,) = data["Recipients"]
    assert (recipient["statusCode"], recipient["status"]) == (101, "Success")
    assert recipient["number"] == FORM["to"]
    assert recipient["messageId"].startswith("ATXid_")
    await send(http, url, to="+2348099999999")
    (shown,) = await messages(http, url, to=FORM["to"])
    assert (shown["message_id"], shown["message"]) == (recipient["messageId"], "Token 1234")
    assert shown["sender"] == "Sun"
    assert len(await messages(http, url)) == 2
    assert await messages(http, url, to="+1") == []
    posts = await receiver.until_count(2)
    assert posts[0]["query"] == {"secret": "s"}
    by_id = {post["form"]["id"]: post["form"] for post in posts}
    assert by_id[recipient["messageId"]]["status"] == "Success"
    assert by_id[recipient["messageId"]]["phoneNumber"] == FORM["to"]


async def test_wrong_calls_are_refused_as_the_vendor_does(url, http, receiver):
    """[AUTO-90] Wrong key or account 401; missing fields 400; a bad number is an entry without id."""
    assert (await send(http, url, headers={"apiKey": "wrong"}))[0] == 401
    assert (await send(http, url, headers={}))[0] == 401
    assert (await send(http, url, username="somebody"))[0] == 401
    assert (await send(http, url, to=None))[0] == 400
    status, text = await send(http, url, message="")
    assert (status, "message" in text) == (400, True)
    status, body = await send(http, url, to="08012345678")
    (recipient,) = body["SMSMessageData"]["Recipients"]
    assert (status, recipient["statusCode"], recipient["messageId"]) == (201, 403, "None")
    assert body["SMSMessageData"]["Message"].startswith("Sent to 0/1")
    assert await messages(http, url) == []
    assert receiver.posts == []


async def test_faults(url, http, receiver):
    """[R33] Down, server errors, a message that never arrives; GET /messages works all the time."""

    async def control(**faults):
        async with http.put(f"{url}/control", json=faults) as answer:
            assert answer.status == 200

    await control(down=True)
    assert (await send(http, url))[0] == 503
    await control(down=False, error_rate=1)
    assert (await send(http, url))[0] == 500
    assert await messages(http, url) == []
    await control(error_rate=0, loss_rate=1)
    assert (await send(http, url))[0] == 201
    (post,) = await receiver.until_count(1)
    assert (post["form"]["status"], post["form"]["failureReason"]) == ("Failed", "AbsentSubscriber")
    async with http.get(f"{url}/log") as answer:
        entries = await answer.json()
    assert [entry["kind"] for entry in entries] == ["sms"]
    assert "Token" not in str(entries)
