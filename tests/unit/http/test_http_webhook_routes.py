"""What the payment gateway and the network server post."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.http_roles import HASH, Services
from tests.support.identity_world import (
    ADMIN,
    AGENT,
    INGRESS_KEY,
    MEMBER,
    IdentityWorld,
)

from nxt_domain.messaging.model import DeliveryStatus, DeviceEvent
from nxt_domain.shared.errors import Unavailable
from nxt_entrypoints.api.webhook_secrets import WebhookGuard, WebhookProof


async def test_a_webhook_is_stored_and_answered(api: Any, services: Services) -> None:
    """[API-124] [PAY-67] [PAY-68] [PAY-70] 200 and ``{}``; the body is any JSON, or none."""
    bodies: list[Any] = [{"txRef": "r", "event.type": "X"}, {"data": {"tx_ref": "r"}}, [], "x", None, 5, [{}]]
    for body in bodies:
        answer = await api.post("/flutterwave/webhook", json=body, headers={"verif-hash": HASH})
        assert (answer.status, await answer.text()) == (200, "{}")
    own = await api.post("/flutterwave/webhook/7", json={"txRef": "r"}, headers={"Verif-Hash": "hash-of-7"})
    assert (own.status, await own.text()) == (200, "{}")
    assert services.receive_gateway_event.calls == [("platform", body) for body in bodies] + [("org:7", {"txRef": "r"})]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/flutterwave/webhook", {}),
        ("/flutterwave/webhook", {"verif-hash": ""}),
        ("/flutterwave/webhook", {"verif-hash": "wrong"}),
        ("/flutterwave/webhook", {"verif-hash": "hash-of-7"}),
        ("/flutterwave/webhook", {"verif-hash": HASH.upper()}),
        ("/flutterwave/webhook/7", {"verif-hash": HASH}),
        ("/flutterwave/webhook/7", {}),
    ],
)
async def test_a_forged_webhook_has_no_effect(api: Any, services: Services, path: str, headers: dict[str, str]) -> None:
    """[PAY-68] [PAY-198] 6: wrong, missing, and another organization's hash."""
    answer = await api.post(path, json={"txRef": "r"}, headers=headers)
    body = await answer.json()
    assert {name: body[name] for name in ("statusCode", "message", "error")} == {
        "statusCode": 400,
        "message": "Invalid webhook signature",
        "error": "Bad Request",
    }
    assert services.receive_gateway_event.calls == []


async def test_a_webhook_for_nobody(api: Any, services: Services) -> None:
    """[PAY-68]"""
    assert (await api.post("/flutterwave/webhook/8", json={}, headers={"verif-hash": HASH})).status == 404
    assert (await api.post("/flutterwave/webhook/x", json={})).status == 400


async def test_without_a_configured_secret(api: Any, services: Services) -> None:
    """[PAY-68] 503 in production, so that the gateway delivers again; accepted elsewhere."""
    services.secrets.secrets["platform"] = None
    assert (await api.post("/flutterwave/webhook", json={}, headers={"verif-hash": "x"})).status == 503
    services.webhook_guard = WebhookGuard(services.secrets, is_production=False)
    assert (await api.post("/flutterwave/webhook", json={})).status == 200


async def test_a_gateway_that_signs_the_body(api: Any, services: Services) -> None:
    """[PAY-68] The guard gets the bytes that were received, not what was read from them."""
    body, signed = b'{ "event":"charge.success" }', "0f" * 64

    def proves(proof: WebhookProof, secret: str) -> bool:
        return (proof.body, proof.signature, secret) == (body, signed, HASH)

    services.webhook_guard = WebhookGuard(services.secrets, is_production=True, proves=proves)
    json_type = {"Content-Type": "application/json"}
    for headers in ({}, {"x-paystack-signature": "00"}, {"verif-hash": HASH}):
        assert (await api.post("/flutterwave/webhook", data=body, headers=headers | json_type)).status == 400
    assert services.receive_gateway_event.calls == []
    headers = {"X-Paystack-Signature": signed} | json_type
    assert (await api.post("/flutterwave/webhook", data=body, headers=headers)).status == 200
    assert services.receive_gateway_event.calls == [("platform", {"event": "charge.success"})]


async def test_a_webhook_that_cannot_be_stored_is_delivered_again(api: Any, services: Services) -> None:
    """[PAY-70]"""
    services.receive_gateway_event.answer = Unavailable("The database can't be reached")
    answer = await api.post("/flutterwave/webhook", json={}, headers={"verif-hash": HASH})
    assert answer.status == 503


TXACK = {"downlinkId": 2682863327, "queueItemId": "q-1", "deviceInfo": {"devEui": "0000047003333771"}}


@pytest.mark.parametrize(
    "path", ["/chirpstack/calin?event=txack", "/chirpstack/calin", "/ChirpStack/CALIN/?event=txack"]
)
async def test_an_event_of_the_network_server_reaches_the_engine(api: Any, services: Services, path: str) -> None:
    """[API-12] [API-13] [API-130] [DM-186]"""
    answer = await api.post(path, json=TXACK, headers={"X-API-KEY": INGRESS_KEY})
    assert (answer.status, await answer.read()) == (201, b"")
    ((plugin, news),) = services.apply_device_event.calls
    assert plugin == "calin-chirpstack"
    assert isinstance(news, DeviceEvent)
    assert (news.delivery_status, news.delivery_queue_id) == (DeliveryStatus.SENT_TO_DEVICE, "q-1")
    assert news.device.external_reference == "47003333771"


@pytest.mark.parametrize("body", [None, [], {}, "x", 5, {"deviceInfo": {"devEui": 5}}, {**TXACK, "deviceInfo": None}])
@pytest.mark.parametrize("event", ["status", "txack", "up", "ack", ""])
async def test_events_of_no_use_are_ignored(api: Any, services: Services, event: str, body: Any) -> None:
    """[API-130] [DM-100] [DM-101]"""
    answer = await api.post(f"/chirpstack/calin?event={event}", json=body, headers={"X-API-KEY": INGRESS_KEY})
    assert (answer.status, await answer.read()) == (201, b"")
    assert services.apply_device_event.calls == []


async def test_the_engine_that_cannot_store_is_told(api: Any, services: Services) -> None:
    services.apply_device_event.answer = Unavailable("The database can't be reached")
    assert (await api.post("/chirpstack/calin", json=TXACK, headers={"X-API-KEY": INGRESS_KEY})).status == 503


async def test_who_may_post_events(api: Any, world: IdentityWorld) -> None:
    """[API-59] [API-68] Keys and the platform's users."""
    path = "/chirpstack/calin"
    assert (await api.post(path, json=TXACK)).status == 401
    assert (await api.post(path, json=TXACK, headers={"X-API-KEY": "wrong"})).status == 401
    assert (await api.post(path, json=TXACK, headers={"X-API-KEY": await world.api_key(MEMBER)})).status == 201
    assert (await api.post(path, json=TXACK, headers=world.bearer(ADMIN))).status == 201
    assert (await api.post(path, json=TXACK, headers=world.bearer(AGENT))).status == 403
