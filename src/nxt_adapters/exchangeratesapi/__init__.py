"""Exchange rates of past days, from a provider that speaks exchangeratesapi's language."""

from nxt_adapters.exchangeratesapi.rates import DEFAULT_POLICY, ExchangeRatesApi, ExchangeRatesSettings

__all__ = ["DEFAULT_POLICY", "ExchangeRatesApi", "ExchangeRatesSettings"]
