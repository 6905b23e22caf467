"""Port ``ExchangeRates``: one suite over the fake, and over the adapter against a simulated provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Protocol

import pytest
from prometheus_client import CollectorRegistry

from nxt_adapters.exchangeratesapi import DEFAULT_POLICY, ExchangeRatesApi, ExchangeRatesSettings
from nxt_adapters.memory.exchange_rates import MemoryExchangeRates
from nxt_adapters.resilience import CallPolicy, OutboundMetrics, RetryPolicy
from nxt_domain.shared.errors import InvalidInput, UpstreamFailed
from nxt_domain.telemetry.exchange_rates import ExchangeRates, RateUnusable, naira_for_dollar
from nxt_entrypoints.simulators.exchangeratesapi.simulator import RatesConfig, RatesProvider

KEY = "access-key-1"
TODAY = date(2026, 3, 10)
QUOTES = {"USD": Decimal("1.0832"), "NGN": Decimal("1660.10")}


class Provider(Protocol):
    """A provider under test, with the handles to teach and break it."""

    port: ExchangeRates

    def learn(self, day: date, quotes: Mapping[str, Any]) -> None: ...
    def go_down(self) -> None: ...


class FakeProvider:
    def __init__(self) -> None:
        self.fake = MemoryExchangeRates()
        self.port: ExchangeRates = self.fake

    def learn(self, day: date, quotes: Mapping[str, Any]) -> None:
        self.fake.quotes[day] = quotes

    def go_down(self) -> None:
        self.fake.is_down = True


class SimulatedProvider:
    def __init__(self, simulator: RatesProvider, adapter: ExchangeRatesApi) -> None:
        self.simulator = simulator
        self.port: ExchangeRates = adapter

    def learn(self, day: date, quotes: Mapping[str, Any]) -> None:
        self.simulator.rates[day.isoformat()] = quotes

    def go_down(self) -> None:
        self.simulator.control.update({"down": True})


def adapter_for(simulator: RatesProvider, *, key: str = KEY, attempts: int = 2) -> ExchangeRatesApi:
    retry = RetryPolicy(attempts=attempts, wait_initial_s=0, wait_max_s=0, jitter_s=0, after_any_trouble=True)
    policy = CallPolicy(timeout_s=1.0, retry=retry)
    settings = ExchangeRatesSettings(url=f"{simulator.api_url}/", key=lambda: key)
    return ExchangeRatesApi(settings, policy=policy, metrics=OutboundMetrics(CollectorRegistry()))


@pytest.fixture
async def simulator() -> AsyncIterator[RatesProvider]:
    made = RatesProvider(RatesConfig(access_key=KEY), clock=lambda: datetime(2026, 3, 10, 1, tzinfo=UTC))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=["memory", "exchangeratesapi"])
async def provider(request: pytest.FixtureRequest, simulator: RatesProvider) -> AsyncIterator[Provider]:
    if request.param == "memory":
        yield FakeProvider()
        return
    adapter = adapter_for(simulator)
    yield SimulatedProvider(simulator, adapter)
    await adapter.close()


async def test_pay_167_quotes_are_exact(provider: Provider) -> None:
    """[PAY-167] [PAY-1] The section's example: what a euro is worth in both, and so a dollar in naira."""
    provider.learn(TODAY, QUOTES)
    quotes = await provider.port.of(TODAY)
    assert quotes == QUOTES
    assert all(type(value) is Decimal for value in quotes.values())
    assert naira_for_dollar(quotes) == Decimal("1532.6")


async def test_pay_169_what_nobody_knows_is_left_out(provider: Provider) -> None:
    provider.learn(TODAY, {"USD": Decimal("1.0832")})
    assert await provider.port.of(TODAY) == {"USD": Decimal("1.0832")}
    assert await provider.port.of(date(2026, 3, 9)) == {}


async def test_a_provider_that_is_away(provider: Provider) -> None:
    provider.learn(TODAY, QUOTES)
    provider.go_down()
    with pytest.raises(UpstreamFailed):
        await provider.port.of(TODAY)


@pytest.mark.parametrize("nonsense", ["1660.10", None, True, [], {}, 10**60, Decimal("1E+900000000")])
async def test_pay_169_what_is_no_number_is_no_rate(simulator: RatesProvider, nonsense: Any) -> None:
    """[PAY-169] Not even a text that looks like one; and a number without end costs nothing (R12)."""
    adapter = adapter_for(simulator)
    simulator.rates[TODAY.isoformat()] = {"USD": Decimal("1.0832"), "NGN": nonsense}
    quotes = await adapter.of(TODAY)
    assert quotes == {"USD": Decimal("1.0832")}
    with pytest.raises(RateUnusable):
        naira_for_dollar(quotes)
    await adapter.close()


async def test_tel_43_a_passing_trouble_is_ridden_out(simulator: RatesProvider) -> None:
    """[TEL-43] Errors of the server are repeated; a refusal is not."""
    simulator.rates[TODAY.isoformat()] = QUOTES
    simulator.control.update({"error_rate": 0.5, "seed": 3})
    adapter = adapter_for(simulator, attempts=20)
    assert await adapter.of(TODAY) == QUOTES
    await adapter.close()
    stranger = adapter_for(simulator, key="rotated-away", attempts=20)
    simulator.control.update({"error_rate": 0})
    with pytest.raises(UpstreamFailed, match="answers 401") as refused:
        await stranger.of(TODAY)
    assert refused.value.code == "RATES_REFUSED"
    await stranger.close()


@pytest.mark.parametrize(
    "faults", [{"garbage_rate": 1}, {"error_rate": 1}, {"latency_ms": [1500, 1500]}, {"down": True}]
)
async def test_tel_45_no_error_shows_the_key(
    simulator: RatesProvider, faults: Mapping[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """[TEL-45] It travels in the query, so no error text may hold the address."""
    adapter = adapter_for(simulator)
    simulator.rates[TODAY.isoformat()] = QUOTES
    simulator.control.update(faults)
    with pytest.raises(UpstreamFailed) as failed:
        await adapter.of(TODAY)
    chain: BaseException | None = failed.value
    while chain is not None:
        assert KEY not in str(chain)
        chain = chain.__cause__ or chain.__context__
    assert KEY not in caplog.text + repr(adapter._settings)
    await adapter.close()


def test_settings_are_checked_when_made() -> None:
    """[TEL-42] [TEL-43] And the limits are those of the provider's section."""
    with pytest.raises(InvalidInput, match="EXCHANGE_RATES_API_URL"):
        ExchangeRatesSettings(url="rates.example", key=lambda: KEY)
    assert (DEFAULT_POLICY.connect_timeout_s, DEFAULT_POLICY.timeout_s) == (5, 15)
    assert (DEFAULT_POLICY.retry.attempts, DEFAULT_POLICY.retry.after_any_trouble) == (1 + 3, True)
