"""The payment gateway's adapter: the first provider that the artifact names."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.flutterwave import events as flutterwave_events
from nxt_adapters.flutterwave import gateway as flutterwave
from nxt_adapters.flutterwave.accounts import FlutterwaveAccounts
from nxt_adapters.paystack import events as paystack_events
from nxt_adapters.paystack import gateway as paystack
from nxt_adapters.paystack.accounts import PaystackAccounts
from nxt_adapters.resilience import CallPolicy
from nxt_adapters.supabase.merchant_keys import PostgresMerchantKeys
from nxt_domain.orders.gateway import IncomingEvent
from nxt_domain.orders.gateway_ports import MerchantAccounts
from nxt_domain.orders.merchants import MerchantKeys, OrganizationCredentials
from nxt_domain.shared.json import Json
from nxt_domain.shared.secrets import SecretBox
from nxt_entrypoints.api.webhook_secrets import WebhookGuard, WebhookProof, WebhookSecrets, is_secret_hash
from nxt_entrypoints.settings.settings import Settings

_PAYSTACK = "paystack"


class GatewayAccounts(MerchantAccounts, WebhookSecrets, Protocol):
    """The merchant accounts at the gateway that is in use."""

    async def close(self) -> None:
        """Close the connections."""


def uses_paystack(settings: Settings) -> bool:
    """Whether payments go to Paystack: the artifact names it first."""
    return [provider.provider for provider in settings.artifact.capabilities.payments.providers][:1] == [_PAYSTACK]


def new_reference() -> str:
    """Make a payment reference that nobody has [PAY-99]."""
    return str(uuid.uuid4())


def organization_keys(
    settings: Settings, engine: AsyncEngine, box: Callable[[], SecretBox]
) -> PostgresMerchantKeys | None:
    """Open the store of organizations' own accounts; None: this process has no data key to open it with (R15)."""
    return PostgresMerchantKeys(engine, box()) if settings.has("NXT_SECRETS_KEYS") else None


def merchant_accounts(
    settings: Settings, credentials: OrganizationCredentials | None, policy: CallPolicy | None = None
) -> GatewayAccounts:
    """Build the merchant accounts; without the platform's keys, payments answer 503 and all else works [PAY-13].

    Args:
        settings: Checked.
        credentials: Reads organizations' own accounts; None: there are none.
        policy: Time-outs and retries instead of the gateway's own.
    """
    fallback_email = settings.text("FLW_USSD_FALLBACK_EMAIL")
    if uses_paystack(settings):
        return PaystackAccounts(
            base_url=settings.text_or_none("PAYSTACK_API") or paystack.LIVE_API,
            platform=_platform_keys(settings, "PAYSTACK"),
            fallback_email=fallback_email,
            policy=policy or paystack.DEFAULT_POLICY,
        )
    return FlutterwaveAccounts(
        credentials=credentials,
        base_url=settings.text_or_none("FLW_API") or flutterwave.LIVE_API,
        platform=_platform_keys(settings, "FLW", webhook_secret=settings.text_or_none("FLW_WEBHOOK_SECRET")),
        fallback_email=fallback_email,
        credentials_ttl_s=settings.number("FLW_CREDENTIALS_TTL_S"),
        policy=policy or flutterwave.DEFAULT_POLICY,
    )


def webhook_guard(settings: Settings, accounts: GatewayAccounts) -> WebhookGuard:
    """Build the guard that knows the webhooks of the gateway in use [PAY-68]."""
    proves = _is_signed if uses_paystack(settings) else is_secret_hash
    return WebhookGuard(accounts, is_production=settings.is_production, proves=proves)


def event_reader(settings: Settings) -> Callable[[Json], IncomingEvent]:
    """Choose the reader of the gateway's webhooks."""
    return paystack_events.read_event if uses_paystack(settings) else flutterwave_events.read_event


def _is_signed(proof: WebhookProof, secret_key: str) -> bool:
    return paystack_events.is_signed(proof.body, proof.signature, secret_key)


def _platform_keys(settings: Settings, prefix: str, *, webhook_secret: str | None = None) -> MerchantKeys | None:
    public, secret = f"{prefix}_PUBLIC_KEY", f"{prefix}_SECRET_KEY"
    if not (settings.has(public) and settings.has(secret)):
        return None
    return MerchantKeys(
        public_key=settings.text(public), secret_key=settings.text(secret), webhook_secret=webhook_secret
    )
