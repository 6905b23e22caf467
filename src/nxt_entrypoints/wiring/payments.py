"""The payment gateway's adapter."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.flutterwave.accounts import FlutterwaveAccounts
from nxt_adapters.flutterwave.gateway import LIVE_API
from nxt_adapters.supabase.merchant_keys import PostgresMerchantKeys
from nxt_domain.orders.merchants import MerchantKeys, OrganizationCredentials
from nxt_domain.shared.secrets import SecretBox
from nxt_entrypoints.settings.settings import Settings


def new_reference() -> str:
    """Make a payment reference that nobody has [PAY-99]."""
    return str(uuid.uuid4())


def organization_keys(
    settings: Settings, engine: AsyncEngine, box: Callable[[], SecretBox]
) -> PostgresMerchantKeys | None:
    """Open the store of organizations' own accounts; None: this process has no data key to open it with (R15)."""
    return PostgresMerchantKeys(engine, box()) if settings.has("NXT_SECRETS_KEYS") else None


def merchant_accounts(settings: Settings, credentials: OrganizationCredentials | None) -> FlutterwaveAccounts:
    """Build the merchant accounts; without the platform's keys, payments answer 503 and all else works [PAY-13]."""
    return FlutterwaveAccounts(
        credentials=credentials,
        base_url=settings.text_or_none("FLW_API") or LIVE_API,
        platform=_platform_keys(settings),
        fallback_email=settings.text("FLW_USSD_FALLBACK_EMAIL"),
        credentials_ttl_s=settings.number("FLW_CREDENTIALS_TTL_S"),
    )


def _platform_keys(settings: Settings) -> MerchantKeys | None:
    if not (settings.has("FLW_PUBLIC_KEY") and settings.has("FLW_SECRET_KEY")):
        return None
    return MerchantKeys(
        public_key=settings.text("FLW_PUBLIC_KEY"),
        secret_key=settings.text("FLW_SECRET_KEY"),
        webhook_secret=settings.text_or_none("FLW_WEBHOOK_SECRET"),
    )
