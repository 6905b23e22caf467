"""Jobs by hand, for a given instant; and which of them run where (PAY 21)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import psycopg
import pytest
from tests.support.running import free_port
from tests.support.series_stores import sql_world

from nxt_domain.orders.use_cases.report_revenue import Reported
from nxt_domain.shared.errors import Conflict, NotFound
from nxt_domain.telemetry.use_cases.snapshot_rates import RatesTaken
from nxt_entrypoints.cli.main import run as nxt
from nxt_entrypoints.container import Container
from nxt_entrypoints.demo.environment import DemoAddresses, new_secrets, role_environment
from nxt_entrypoints.jobs.calendar import CALENDAR, ScheduledJob
from nxt_entrypoints.roles import scheduled
from nxt_entrypoints.roles.base import Process
from nxt_entrypoints.roles.by_hand import StoppedClock, run_job
from nxt_entrypoints.settings import Role, Settings, load_settings
from nxt_entrypoints.simulators.exchangeratesapi.simulator import RatesConfig, RatesProvider

AT = datetime(2026, 5, 1, 2, tzinfo=UTC)


def settings(role: Role, stores: Mapping[str, str], **variables: str) -> Settings:
    """Load a production-like configuration of a role: no switch but the environment decides what runs."""
    addresses = {field.name: "http://127.0.0.1:9" for field in attrs.fields(DemoAddresses)} | {
        "relational_url": "postgresql://nxt:unused@127.0.0.1:9/nxt",
        "series_url": "postgresql://nxt:unused@127.0.0.1:9/series",
        "valkey_url": "redis://127.0.0.1:9",
        "mqtt_url": "mqtt://127.0.0.1:9",
        "chirpstack_grpc": "127.0.0.1:9",
    }
    environment = dict(role_environment(DemoAddresses(**{**addresses, **stores}), new_secrets()))
    artifact = json.loads(environment["NXT_CONFIG_JSON"])
    artifact["jobs"] = {"enabled": None}
    artifact["capabilities"]["payments"]["exchangeRates"] = {"provider": "exchangeratesapi"}
    artifact["integrations"] = {**artifact.get("integrations", {}), "revenueReports": {"enabled": True}}
    environment |= {
        "NXT_CONFIG_JSON": json.dumps(artifact),
        "NXT_PORT": str(free_port()),
        "EXCHANGE_RATES_API_URL": "http://127.0.0.1:9/v1",
        "EXCHANGE_RATES_API_KEY": "key-1",
        "VICTRON_MQTT_URL": "mqtts://127.0.0.1:9",
    }
    return load_settings({**environment, **variables}, [role])


@pytest.fixture
def village(relational_url: str) -> str:
    with psycopg.connect(relational_url, autocommit=True) as owner:
        owner.execute("insert into organizations (id, name, is_revenue_report_enabled) values (7, 'Sunny', true)")
        owner.execute(
            "insert into grids (id, name, organization_id, timezone, is_hidden_from_reporting)"
            " values (70, 'Kalonda', 7, 'Africa/Lagos', false)"
        )
    return relational_url


async def test_pay_196_a_job_for_a_given_date(village: str, series_url: str, valkey_url: str) -> None:
    """[PAY-196] [PAY-168] As of an earlier instant; again: the same row with the value of now."""
    provider = RatesProvider(RatesConfig(access_key="key-1"))
    await provider.start()
    stores = {"relational_url": village, "series_url": series_url, "valkey_url": valkey_url}
    given = settings(Role.TELEMETRY, stores, EXCHANGE_RATES_API_URL=provider.api_url)
    stored = []
    async with sql_world(series_url) as series:
        for naira in ("1660.10", "1700"):
            provider.rates["2026-05-01"] = {"USD": Decimal(1), "NGN": Decimal(naira)}
            assert await run_job("exchange-rate-snapshot", given, StoppedClock(AT)) == RatesTaken(stored=1)
            stored += await series.rows("select period_start, value::numeric from exchange_rate_snapshot_1_d")
    start = datetime(2026, 4, 30, 23)  # noqa: DTZ001 - as the column has it
    assert stored == [(start, Decimal("1660.1")), (start, Decimal(1700))]
    await provider.stop()


async def test_pay_196_a_second_run_has_no_effect(village: str, series_url: str, valkey_url: str) -> None:
    """[PAY-196] [AUTO-9] The week of the given instant is reported once."""
    stores = {"relational_url": village, "series_url": series_url, "valkey_url": valkey_url}
    given = settings(Role.JOBS, stores)
    assert await run_job("revenue-report", given, StoppedClock(AT)) == Reported(reported=1)
    assert await run_job("revenue-report", given, StoppedClock(AT)) == Reported(skipped=1)


async def test_pay_196_one_process_at_a_time(village: str, series_url: str, valkey_url: str) -> None:
    """[PAY-196] [PAY-132] By hand, too: the lease is the schedule's."""
    stores = {"relational_url": village, "series_url": series_url, "valkey_url": valkey_url}
    given = settings(Role.JOBS, stores)
    async with Process(given, Container(settings=given)) as other, other.container.job_leases().hold("revenue-report"):
        with pytest.raises(Conflict, match="Another process"):
            await run_job("revenue-report", given, StoppedClock(AT))
    with pytest.raises(NotFound, match="exchange-rate-snapshot"):
        await run_job("water-the-plants", given)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ("production", {job.name for job in CALENDAR}),
        ("staging", {"reconcile-gateway-orders"}),
        ("development", set()),
    ],
)
def test_pay_8_what_runs_where(monkeypatch: pytest.MonkeyPatch, environment: str, expected: set[str]) -> None:
    """[PAY-8] R6: jobs of production alone, and the one that staging has too."""
    started: set[str] = set()

    class Threads:
        def __init__(self, *, calendar: list[ScheduledJob], **others: object) -> None:
            started.update(job.name for job in calendar)
            assert set(others["functions"]) == started  # type: ignore[call-overload]  # by name

    monkeypatch.setattr(scheduled, "RqThreads", Threads)
    given = settings(Role.JOBS, {}, NXT_ENV=environment)
    process = Process(given, Container(settings=given))
    monkeypatch.setattr(process, "run", lambda name, loop: None)

    async def nothing() -> None:
        return None

    functions: dict[str, Any] = {job.name: nothing for job in CALENDAR}
    scheduled.start_calendar(process, Role.JOBS, CALENDAR, functions)
    assert started == expected


def test_what_the_command_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    """A moment counts only for jobs that report on one, and never a future one."""
    assert nxt(["job", "run", "expire-interactions", "--at", "2026-05-01"]) == 2
    assert nxt(["job", "run", "generate-payouts", "--at", "2999-01-01"]) == 2
    assert nxt(["job", "run", "generate-payouts", "--at", "soon"]) == 2
    assert nxt(["job", "run", "water-the-plants"]) == 1
    told = capsys.readouterr().err
    assert "goes by the present moment alone" in told
    assert "lies in the future" in told
    assert "There is no job water-the-plants" in told
    assert nxt(["job", "ls", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"job": "revenue-report", "role": "jobs", "cron": "0 10 * * 2", "dated": True} in listed
