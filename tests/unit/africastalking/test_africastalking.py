"""Africa's Talking on the wire: the request of AUTO-89, every answer of AUTO-90, every failure of AUTO-85."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import attrs
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from nxt_adapters.africastalking import (
    LIVE_API_URL,
    SANDBOX_API_URL,
    AfricasTalkingSettings,
    AfricasTalkingSms,
)
from nxt_adapters.resilience import BreakerPolicy, CallPolicy, OutboundMetrics, RetryPolicy
from nxt_domain.notifications.errors import SmsFateUnknown, SmsNotSent, SmsRefused
from nxt_domain.notifications.model import SmsMessage
from nxt_domain.shared.errors import DomainError, InvalidInput

MESSAGE = SmsMessage(to_phone="+2348031234567", text="Token 1234 5678")
QUICK = CallPolicy(
    timeout_s=0.4,
    retry=RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0, jitter_s=0),
    breaker=BreakerPolicy(failures=50, open_s=60),
)


class Vendor:
    def __init__(self) -> None:
        self.answer: Callable[[], web.Response] = taken
        self.delay_s = 0.0
        self.calls: list[tuple[dict[str, str], dict[str, str], str]] = []
        self.url = ""

    async def serve(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.calls.append((form, dict(request.headers), request.path))
        await asyncio.sleep(self.delay_s)
        return self.answer()


def taken(status_code: object = 101, message_id: object = "ATXid_7", status: int = 201) -> web.Response:
    recipient = {"statusCode": status_code, "number": "+2348031234567", "messageId": message_id}
    body = {"SMSMessageData": {"Message": "Sent to 1/1 Total Cost: NGN 2.20", "Recipients": [recipient]}}
    return web.json_response(body, status=status)


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    vendor = Vendor()
    app = web.Application()
    app.router.add_post("/{tail:.*}", vendor.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield vendor
    await runner.cleanup()


def sms(url: str, policy: CallPolicy = QUICK, **changes: object) -> AfricasTalkingSms:
    settings = {"username": "village", "api_key": lambda: "key-1", "api_url": url, **changes}
    return AfricasTalkingSms(
        AfricasTalkingSettings(**settings), policy=policy, metrics=OutboundMetrics(CollectorRegistry())
    )


async def send(adapter: AfricasTalkingSms) -> str:
    try:
        return (await adapter.send(MESSAGE)).reference
    finally:
        await adapter.close()


async def test_the_request_is_as_the_vendor_wants_it(vendor: Vendor) -> None:
    """[AUTO-89] [R32]"""
    assert await send(sms(vendor.url, sender_id="Kwari", brand_prefix="Kwari Power: ")) == "ATXid_7"
    form, headers, path = vendor.calls[0]
    assert path == "/version1/messaging"
    assert form == {
        "username": "village",
        "to": "+2348031234567",
        "message": "Kwari Power: Token 1234 5678",
        "from": "Kwari",
        "bulkSMSMode": "1",
    }
    assert (headers["apiKey"], headers["Accept"]) == ("key-1", "application/json")
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


async def test_an_empty_sender_is_left_out(vendor: Vendor) -> None:
    """[AUTO-89]"""
    await send(sms(vendor.url + "/version1/messaging"))
    assert "from" not in vendor.calls[0][0]


async def test_the_key_may_change_without_a_restart(vendor: Vendor) -> None:
    keys = iter(["first", "second"])
    adapter = sms(vendor.url, api_key=lambda: next(keys))
    await adapter.send(MESSAGE)
    await adapter.send(MESSAGE)
    await adapter.close()
    assert [headers["apiKey"] for _, headers, _ in vendor.calls] == ["first", "second"]


def test_addresses() -> None:
    """[AUTO-89] [R32]"""
    assert AfricasTalkingSettings(username="a", api_key=str).url == f"{LIVE_API_URL}/version1/messaging"
    sandbox = AfricasTalkingSettings(username="sandbox", api_key=str)
    assert sandbox.url == f"{SANDBOX_API_URL}/version1/messaging"
    for bad in ("ftp://host", "host:80", "http://"):
        with pytest.raises(InvalidInput):
            AfricasTalkingSettings(username="a", api_key=str, api_url=bad)


@pytest.mark.parametrize("code", [100, 101, 102])
async def test_status_codes_100_to_102_are_success(vendor: Vendor, code: int) -> None:
    """[AUTO-90]"""
    vendor.answer = lambda: taken(code)
    assert await send(sms(vendor.url)) == "ATXid_7"


@pytest.mark.parametrize(
    "answer",
    [
        lambda: taken(403),
        lambda: taken(99),
        lambda: taken(103),
        lambda: taken("101"),
        lambda: taken(message_id="None"),
        lambda: taken(message_id=""),
        lambda: taken(message_id=None),
        lambda: web.json_response(
            {"SMSMessageData": {"Message": "Sent to 1/1 Total Cost: NGN 2.20", "Recipients": []}}, status=201
        ),
    ],
)
async def test_anything_else_is_refused_with_the_vendors_message(
    vendor: Vendor, answer: Callable[[], web.Response]
) -> None:
    """[AUTO-90] [AUTO-85]"""
    vendor.answer = answer
    with pytest.raises(SmsRefused, match="Sent to 1/1 Total Cost"):
        await send(sms(vendor.url))
    assert len(vendor.calls) == 1


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (lambda: web.Response(status=401, text="The supplied\nauthentication is invalid"), "The supplied auth"),
        (lambda: web.Response(status=400, body=b"<html>", content_type="text/html"), "HTTP 400"),
        (lambda: web.Response(status=302, headers={"Location": "/"}), "HTTP 302"),
        (lambda: web.json_response({"SMSMessageData": {"Message": "InvalidSenderId"}}, status=400), "InvalidS"),
    ],
)
async def test_a_vendor_that_says_no_is_not_asked_again(
    vendor: Vendor, response: Callable[[], web.Response], text: str
) -> None:
    """[AUTO-85]"""
    vendor.answer = response
    with pytest.raises(SmsRefused, match=text):
        await send(sms(vendor.url))
    assert len(vendor.calls) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, SmsNotSent), (503, SmsNotSent), (500, SmsFateUnknown), (502, SmsFateUnknown), (504, SmsFateUnknown)],
)
async def test_trouble_at_the_vendor(vendor: Vendor, status: int, error: type[DomainError]) -> None:
    """[AUTO-85]"""
    vendor.answer = lambda: web.Response(status=status)
    with pytest.raises(error):
        await send(sms(vendor.url))
    assert len(vendor.calls) == 1


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"SMSMessageData":[]}', "null", "{"])
async def test_nonsense_with_success_leaves_the_fate_unknown(vendor: Vendor, body: str) -> None:
    """[AUTO-85]"""
    vendor.answer = lambda: web.Response(status=201, text=body)
    with pytest.raises(SmsFateUnknown):
        await send(sms(vendor.url))
    vendor.answer = lambda: web.Response(status=200, text=body)
    with pytest.raises(SmsFateUnknown):
        await send(sms(vendor.url))


async def test_silence_after_the_request_leaves_the_fate_unknown(vendor: Vendor) -> None:
    """[AUTO-85]"""
    vendor.delay_s = 2.0
    with pytest.raises(SmsFateUnknown):
        await send(sms(vendor.url))
    assert len(vendor.calls) == 1


async def test_a_refused_connection_means_not_sent() -> None:
    """[AUTO-85]"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(SmsNotSent):
        await send(sms(f"http://127.0.0.1:{port}"))


async def test_an_open_circuit_means_not_sent(vendor: Vendor) -> None:
    """[AUTO-85]"""
    vendor.answer = lambda: web.Response(status=500)
    adapter = sms(vendor.url, policy=attrs.evolve(QUICK, breaker=BreakerPolicy(failures=2, open_s=60)))
    for _ in range(2):
        with pytest.raises(SmsFateUnknown):
            await adapter.send(MESSAGE)
    with pytest.raises(SmsNotSent):
        await adapter.send(MESSAGE)
    await adapter.close()
    assert len(vendor.calls) == 2


@pytest.mark.parametrize("phone", ["", "08031234567", "2348031234567", "+0803123456", "+23480 31234567", "+1234567\n"])
def test_an_unusable_number_is_refused_before_any_call(phone: str) -> None:
    """[AUTO-85]"""
    with pytest.raises(InvalidInput):
        SmsMessage(to_phone=phone, text="hello")


@pytest.mark.parametrize("text", ["", "  \n", "x" * 1601])
def test_an_unusable_text_is_refused_before_any_call(text: str) -> None:
    """[AUTO-85]"""
    with pytest.raises(InvalidInput):
        SmsMessage(to_phone="+2348031234567", text=text)


def test_logs_show_neither_number_nor_text_nor_key() -> None:
    """[R49]"""
    assert "31234" not in repr(MESSAGE)
    assert "Token" not in repr(MESSAGE)
    assert "key-1" not in repr(AfricasTalkingSettings(username="a", api_key=lambda: "key-1"))
