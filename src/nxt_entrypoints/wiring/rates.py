"""Where exchange rates come from."""

from __future__ import annotations

from nxt_adapters.exchangeratesapi import ExchangeRatesApi, ExchangeRatesSettings
from nxt_entrypoints.settings.settings import Settings


def is_configured(settings: Settings) -> bool:
    """Whether the artifact names a provider of rates, for payments that are on."""
    payments = settings.artifact.capabilities.payments
    return payments.enabled and payments.exchange_rates is not None


def exchange_rates(settings: Settings) -> ExchangeRatesApi:
    """Build the provider's client."""
    return ExchangeRatesApi(
        ExchangeRatesSettings(
            url=settings.text("EXCHANGE_RATES_API_URL"), key=settings.secret("EXCHANGE_RATES_API_KEY").reveal
        )
    )
