"""What stand-alone messaging tells the API role, and what is passed on to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.http_roles import Services, Verb
from tests.support.identity_world import INGRESS_KEY

from nxt_domain.messaging.webhooks import signature
from nxt_domain.shared.errors import InvalidInput, Unavailable
from nxt_entrypoints.api.stand_alone_messaging import StandAloneMessaging

SECRET = "s3cret"
PATH = "/device-messages/events"
BODY = b'{"eventId":"01EVENT","message":{"value":1.5}}'


def messaging(services: Services, receive: Any, *, secret: str | None = SECRET, forward: Any = None) -> None:
    services.stand_alone_messaging = StandAloneMessaging(secret=secret, receive=receive, forward=forward)


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Device-Messaging-Signature": signature(secret, body), "Content-Type": "application/json"}


async def test_a_signed_event_is_stored(api: Any, services: Services) -> None:
    """[DM-163] [DM-177] 204 without body."""
    receive = Verb()
    messaging(services, receive)
    answer = await api.post(PATH, data=BODY, headers=signed(BODY))
    assert (answer.status, await answer.text()) == (204, "")
    assert receive.calls == [(json.loads(BODY),)]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY, {}),
        (BODY, {"X-Device-Messaging-Signature": ""}),
        (BODY, signed(BODY, "another")),
        (BODY + b" ", signed(BODY)),
        (b"{", {}),
    ],
)
async def test_without_a_valid_signature_nothing_is_read(
    api: Any, services: Services, body: bytes, headers: dict[str, str]
) -> None:
    """[DM-163] [DM-177] 401, before the body is JSON; also where no secret is set."""
    receive = Verb()
    messaging(services, receive)
    assert (await api.post(PATH, data=body, headers=headers)).status == 401
    messaging(services, receive, secret=None)
    assert (await api.post(PATH, data=BODY, headers=signed(BODY, ""))).status == 401
    assert receive.calls == []


async def test_what_cannot_be_stored_is_sent_again(api: Any, services: Services) -> None:
    """[DM-156] [DM-177] 5xx is repeated by the service; a body that is no event is given up."""
    messaging(services, Verb(Unavailable("away")))
    assert (await api.post(PATH, data=BODY, headers=signed(BODY))).status == 503
    messaging(services, Verb(ValueError("a defect")))
    assert (await api.post(PATH, data=BODY, headers=signed(BODY))).status == 500
    messaging(services, Verb(InvalidInput("message must be an object")))
    assert (await api.post(PATH, data=BODY, headers=signed(BODY))).status == 400
    assert (await api.post(PATH, data=b"{", headers=signed(b"{"))).status == 400


@pytest.mark.parametrize(
    ("query", "body", "event"),
    [
        ("?event=up", {"downlinkId": 1}, "up"),
        ("", {"downlinkId": 1, "data": ""}, "txack"),
        ("", {"acknowledged": True}, "ack"),
        ("", {"devAddr": "1"}, "join"),
        ("", {"devAddr": "1", "data": ""}, "up"),
        ("", {"other": 1}, None),
        ("", [], None),
    ],
)
async def test_posts_of_the_network_server_are_passed_on(
    api: Any, services: Services, query: str, body: Any, event: str | None
) -> None:
    """[DM-186] In the stand-alone mode; what the address does not say the body does."""
    forward = Verb()
    messaging(services, Verb(), forward=forward)
    answer = await api.post(f"/chirpstack/calin{query}", json=body, headers={"X-API-KEY": INGRESS_KEY})
    assert (answer.status, await answer.text()) == (201, "")
    assert forward.calls == [("calin-chirpstack", event, body)]
    assert services.apply_device_event.calls == []


async def test_a_service_that_is_away_is_told_to_the_network_server(api: Any, services: Services) -> None:
    """[DM-186]"""
    messaging(services, Verb(), forward=Verb(Unavailable("away")))
    answer = await api.post("/chirpstack/calin?event=up", json={}, headers={"X-API-KEY": INGRESS_KEY})
    assert answer.status == 503
