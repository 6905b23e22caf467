"""What stand-alone device messaging tells the API role (DM 18.2)."""

from __future__ import annotations

from nxt_domain.messaging.webhooks import SIGNATURE_HEADER, is_signed
from nxt_domain.shared.errors import Unauthenticated
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.json import decode
from nxt_entrypoints.http.routes import KIB, Guard, RequestFacts, Route, route


@route(
    "POST",
    "/device-messages/events",
    guard=Guard.VENDOR,
    summary="Take an event of stand-alone device messaging",
    tags=("webhooks",),
    status=204,
    max_body=KIB * KIB,
    capability="metering",
    errors={400: "It is signed, and no event.", 401: "The signature is missing or wrong.", 413: "Longer than 1 MiB."},
)
async def take_event(facts: RequestFacts, services: ApiServices) -> None:
    """Answers when the event is stored; one that is known already has no effect."""
    messaging = services.stand_alone_messaging
    if not is_signed(messaging.secret, facts.raw_body, facts.headers.get(SIGNATURE_HEADER)):
        raise Unauthenticated("Invalid signature")
    await messaging.receive(decode(facts.raw_body))


ROUTES: tuple[Route, ...] = (take_event,)
