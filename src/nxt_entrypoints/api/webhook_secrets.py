"""Knowing the payment gateway by the secret hash or the signature it sends [PAY-68]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import attrs
import structlog

from nxt_domain.identity.rules import same_secret
from nxt_domain.shared.errors import InvalidInput, NotFound, Unavailable

PLATFORM = "platform"

_log = structlog.get_logger("nxt.api")


@attrs.frozen(kw_only=True)
class WebhookProof:
    """What a webhook may be known by; which of it counts is the gateway's way.

    Attributes:
        secret_hash: Header ``verif-hash``; None: it is missing.
        signature: Header ``x-paystack-signature``; None: it is missing.
        body: The bytes that were received, which a signature is of.
    """

    secret_hash: str | None
    signature: str | None
    body: bytes


ProofTest: TypeAlias = Callable[[WebhookProof, str], bool]
"""Tells, in constant time, whether a webhook's proof fits the secret of a merchant account."""


def is_secret_hash(proof: WebhookProof, secret: str) -> bool:
    """Take the secret itself, verbatim, as Flutterwave sends it."""
    return same_secret(proof.secret_hash, secret)


class WebhookSecrets(Protocol):
    """Finds the secrets that webhooks of merchant accounts are known by."""

    async def webhook_secret(self, merchant: str) -> str | None:
        """Return the secret of ``platform`` or ``org:<id>``; None: it has none, or there is no such account.

        Raises:
            Unavailable: The store can't be reached.
        """


class WebhookGuard:
    """Decides whether a webhook comes from the gateway.

    Args:
        secrets: Of the merchant accounts.
        is_production: Whether the platform's secret is a must.
        proves: What the gateway proves itself with.
    """

    def __init__(self, secrets: WebhookSecrets, *, is_production: bool, proves: ProofTest = is_secret_hash) -> None:
        self._secrets = secrets
        self._is_production = is_production
        self._proves = proves

    async def check(self, merchant: str, proof: WebhookProof) -> None:
        """Hold what a webhook presents against the account's secret.

        Args:
            merchant: ``platform`` or ``org:<id>``.
            proof: Its headers and body.

        Raises:
            InvalidInput: ``Invalid webhook signature``.
            NotFound: The organization has no account of its own.
            Unavailable: The platform's secret is not configured, in production.
        """
        expected = await self._secrets.webhook_secret(merchant)
        if expected is None:
            self._without_secret(merchant)
        elif not self._proves(proof, expected):
            raise InvalidInput("Invalid webhook signature", code="SIGNATURE_INVALID")

    def _without_secret(self, merchant: str) -> None:
        if merchant != PLATFORM:
            raise NotFound("The organization has no merchant account of its own", code="MERCHANT_UNKNOWN")
        if self._is_production:
            raise Unavailable("Payment webhooks are not configured", code="WEBHOOK_NOT_CONFIGURED")
        _log.warning("a payment webhook is accepted without a proof: no secret of its account is set")
