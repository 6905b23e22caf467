"""Knowing the payment gateway by the secret hash it sends [PAY-68]."""

from __future__ import annotations

from typing import Protocol

import structlog

from nxt_domain.identity.rules import same_secret
from nxt_domain.shared.errors import InvalidInput, NotFound, Unavailable

PLATFORM = "platform"

_log = structlog.get_logger("nxt.api")


class WebhookSecrets(Protocol):
    """Finds the secret hashes of merchant accounts."""

    async def webhook_secret(self, merchant: str) -> str | None:
        """Return the secret hash of ``platform`` or ``org:<id>``; None: it has none, or there is no such account.

        Raises:
            Unavailable: The store can't be reached.
        """


class WebhookGuard:
    """Decides whether a webhook comes from the gateway.

    Args:
        secrets: Of the merchant accounts.
        is_production: Whether the platform's secret is a must.
    """

    def __init__(self, secrets: WebhookSecrets, *, is_production: bool) -> None:
        self._secrets = secrets
        self._is_production = is_production

    async def check(self, merchant: str, presented: str | None) -> None:
        """Compare in constant time the header ``verif-hash`` with the account's secret hash.

        Args:
            merchant: ``platform`` or ``org:<id>``.
            presented: The header; None: it is missing.

        Raises:
            InvalidInput: ``Invalid webhook signature``.
            NotFound: The organization has no account of its own.
            Unavailable: The platform's secret is not configured, in production.
        """
        expected = await self._secrets.webhook_secret(merchant)
        if expected is None:
            self._without_secret(merchant)
        elif not same_secret(presented, expected):
            raise InvalidInput("Invalid webhook signature", code="SIGNATURE_INVALID")

    def _without_secret(self, merchant: str) -> None:
        if merchant != PLATFORM:
            raise NotFound("The organization has no merchant account of its own", code="MERCHANT_UNKNOWN")
        if self._is_production:
            raise Unavailable("Payment webhooks are not configured", code="WEBHOOK_NOT_CONFIGURED")
        _log.warning("a payment webhook is accepted without a signature: FLW_WEBHOOK_SECRET is not set")
