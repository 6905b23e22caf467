"""Webhooks of the payment gateway (PAY 9.2), whichever it is: the address keeps its name (decision 8)."""

from __future__ import annotations

from typing import cast

import attrs

from nxt_domain.shared.json import Json
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.api.webhook_secrets import PLATFORM, WebhookProof
from nxt_entrypoints.http.fields import Id
from nxt_entrypoints.http.routes import Guard, RequestFacts, Route, route

_TAGS = ("webhooks",)
_ERRORS = {404: "The organization has no merchant account of its own."}


@attrs.frozen(kw_only=True)
class WebhookHeaders:
    """Headers of a webhook.

    Attributes:
        verif_hash: The secret hash, verbatim, from Flutterwave.
        x_paystack_signature: HMAC-SHA512 of the body, from Paystack.
    """

    verif_hash: str | None = None
    x_paystack_signature: str | None = None


@attrs.frozen(kw_only=True)
class OrganizationPath:
    """Whose merchant account it is."""

    organizationId: Id  # noqa: N815 - the path's own spelling


@route(
    "POST",
    "/flutterwave/webhook",
    guard=Guard.VENDOR,
    summary="Take an event of the platform's merchant account",
    tags=_TAGS,
    status=200,
    capability="payments",
)
async def webhook(
    headers: WebhookHeaders, body: object, facts: RequestFacts, services: ApiServices
) -> dict[str, object]:
    """Stores the event; nothing of it is believed before the gateway was asked."""
    await services.webhook_guard.check(PLATFORM, _proof(headers, facts))
    return await _receive(PLATFORM, body, services)


@route(
    "POST",
    "/flutterwave/webhook/{organizationId}",
    guard=Guard.VENDOR,
    summary="Take an event of an organization's own merchant account",
    tags=_TAGS,
    status=200,
    capability="payments",
    errors=_ERRORS,
)
async def organization_webhook(
    path: OrganizationPath, headers: WebhookHeaders, body: object, facts: RequestFacts, services: ApiServices
) -> dict[str, object]:
    """As the platform's, with the secret hash of the organization."""
    merchant = f"org:{path.organizationId}"
    await services.webhook_guard.check(merchant, _proof(headers, facts))
    return await _receive(merchant, body, services)


def _proof(headers: WebhookHeaders, facts: RequestFacts) -> WebhookProof:
    return WebhookProof(secret_hash=headers.verif_hash, signature=headers.x_paystack_signature, body=facts.raw_body)


async def _receive(merchant: str, body: object, services: ApiServices) -> dict[str, object]:
    # The frame decoded it: it is JSON, whatever its shape.
    await services.receive_gateway_event(merchant, cast("Json", body))
    return {}


ROUTES: tuple[Route, ...] = (webhook, organization_webhook)
