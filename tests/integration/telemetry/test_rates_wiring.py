"""From the artifact to the stored rate: the telemetry role as it runs, its calendar on RQ included."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import attrs
import psycopg
import pytest
from tests.support.running import free_port
from tests.support.series_stores import sql_world

from nxt_entrypoints.container import Container
from nxt_entrypoints.demo.environment import DemoAddresses, new_secrets, role_environment
from nxt_entrypoints.jobs import calendar
from nxt_entrypoints.roles import telemetry
from nxt_entrypoints.roles.base import Process
from nxt_entrypoints.settings import ConfigInvalid, Role, Settings, load_settings
from nxt_entrypoints.simulators.exchangeratesapi.simulator import RatesConfig, RatesProvider

RATES = "select value::numeric from exchange_rate_snapshot_1_d"
NOWHERE = "http://127.0.0.1:9"


def settings(stores: dict[str, str], **variables: str) -> Settings:
    """Load the demo's configuration with a provider of rates bound."""
    addresses = {field.name: NOWHERE for field in attrs.fields(DemoAddresses)} | {
        "relational_url": "postgresql://nxt:unused@127.0.0.1:9/nxt",
        "series_url": "postgresql://nxt:unused@127.0.0.1:9/series",
        "valkey_url": "redis://127.0.0.1:9",
        "mqtt_url": "mqtt://127.0.0.1:9",
        "chirpstack_grpc": "127.0.0.1:9",
    }
    environment = dict(role_environment(DemoAddresses(**{**addresses, **stores}), new_secrets()))
    artifact = json.loads(environment["NXT_CONFIG_JSON"])
    artifact["capabilities"]["payments"]["exchangeRates"] = {"provider": "exchangeratesapi"}
    artifact["capabilities"]["production"] = {"enabled": False}
    environment["NXT_CONFIG_JSON"] = json.dumps(artifact)
    return load_settings({**environment, "NXT_PORT": str(free_port()), **variables}, [Role.TELEMETRY])


@pytest.fixture
async def provider() -> AsyncIterator[RatesProvider]:
    made = RatesProvider(RatesConfig(access_key="key-1"))
    await made.start()
    for back in range(-1, 9):
        day = (datetime.now(UTC) - timedelta(days=back)).date()
        made.rates[day.isoformat()] = {"USD": Decimal("1.0832"), "NGN": Decimal("1660.10")}
    yield made
    await made.stop()


def test_api_195_the_provider_asks_for_its_variables() -> None:
    """[API-195] [PAY-12]"""
    with pytest.raises(ConfigInvalid, match="EXCHANGE_RATES_API_KEY") as refused:
        settings({})
    assert "EXCHANGE_RATES_API_URL" in str(refused.value)


async def test_the_role_takes_rates_by_the_clock(
    relational_url: str, series_url: str, valkey_url: str, provider: RatesProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[PAY-167] [PAY-132] [PAY-196] In the telemetry role, on RQ, under a lease; every second here, not every hour."""
    quick = tuple(attrs.evolve(job, cron="* * * * * *") for job in calendar.OF_TELEMETRY)
    monkeypatch.setattr(telemetry, "OF_TELEMETRY", quick)
    with psycopg.connect(relational_url, autocommit=True) as owner:
        owner.execute("insert into organizations (id, name) values (7, 'Sunny')")
        owner.execute(
            "insert into grids (id, name, organization_id, timezone, is_hidden_from_reporting)"
            " values (70, 'Kalonda', 7, 'Africa/Lagos', false)"
        )
        stores = {"relational_url": relational_url, "series_url": series_url, "valkey_url": valkey_url}
        given = settings(stores, EXCHANGE_RATES_API_URL=provider.api_url, EXCHANGE_RATES_API_KEY="key-1")
        async with sql_world(series_url) as series, Process(given, Container(settings=given)) as process:
            await telemetry.start_telemetry(process)
            async with asyncio.timeout(30):
                while not (rows := await series.rows(RATES)):  # noqa: ASYNC110 - it lies in the database
                    await asyncio.sleep(0.1)
            await process.finish()
        assert set(rows) == {(Decimal("1532.6"),)}
        lease = owner.execute(
            "select owner, last_succeeded_at, last_error from internal.job_leases where name = %s",
            ["exchange-rate-snapshot"],
        ).fetchone()
    assert lease is not None
    assert lease[0] is None, "given back"
    assert lease[1] is not None
    assert lease[2] is None
