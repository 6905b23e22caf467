"""``SiteDevices``: one suite over the fake and VRM, which is simulated behind a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from nxt_adapters.memory.solar_chargers import MemorySiteDevices
from nxt_adapters.resilience import BreakerPolicy, CallPolicy, RetryPolicy
from nxt_adapters.system.clock import SystemClock
from nxt_adapters.victron.budget import LocalBudget
from nxt_adapters.victron.vrm import VrmApi, VrmSettings, VrmSiteDevices
from nxt_domain.grids.solar_chargers import SiteDevice
from nxt_domain.shared.errors import Unavailable, UpstreamFailed
from nxt_entrypoints.simulators.fleet import Fleet, Plant, PlantDevice, Village
from nxt_entrypoints.simulators.victron.simulator import Victron, VictronConfig
from nxt_entrypoints.simulators.victron.vrm import VrmAccount

NAME = "FRON 1279 ARTN10.92/+153/10"
SITE = "410001"
HASTY = CallPolicy(
    timeout_s=0.5,
    retry=RetryPolicy(attempts=4, wait_initial_s=0.01, wait_max_s=0.02, jitter_s=0),
    breaker=BreakerPolicy(failures=1000),
)


class Clock(SystemClock):
    """The system's clock, which can be put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.fixture
async def vendor() -> AsyncIterator[Victron]:
    charger = PlantDevice(name="Solar Charger", custom_name=NAME, instance=279)
    villages = [
        Village(grid_id=1, plant=Plant(portal_id="c0619ab1a2b1", site_id=SITE, devices=[charger])),
        Village(grid_id=2, plant=Plant(portal_id="c0619ab1a2b2")),
    ]
    account = VrmAccount(username="u", password="p", token="personal")
    config = VictronConfig(broker_url="mqtt://127.0.0.1:9", account=account)
    victron = Victron(config, Fleet(villages=villages))
    await victron.start()
    yield victron
    await victron.stop()


@pytest.fixture
async def clock() -> Clock:
    return Clock()


@pytest.fixture
async def api(vendor: Victron, clock: Clock) -> AsyncIterator[VrmApi]:
    settings = VrmSettings(url=f"{vendor.http.url}/v2/", username="u", password="p")
    api = VrmApi(settings, LocalBudget(1000), clock, policy=HASTY)
    yield api
    await api.close()


@pytest.fixture(params=["memory", "vrm"])
def devices(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        fake = MemorySiteDevices()
        fake.sites[SITE] = [SiteDevice(name="Solar Charger", custom_name=NAME, instance=279)]
        return fake
    return VrmSiteDevices(request.getfixturevalue("api"))


def calls(vendor: Victron) -> list[str]:
    return [str(entry["path"]) for entry in vendor.control.log.after(0) if entry["kind"] == "vrm"]


OVERVIEW = f"/v2/installations/{SITE}/system-overview"
LOGIN = "/v2/auth/login"


async def test_what_stands_on_a_site(devices: Any) -> None:
    """[API-111] [MET-203]"""
    found = await devices.of_site(SITE)
    assert SiteDevice(name="Solar Charger", custom_name=NAME, instance=279) in found


@pytest.mark.parametrize("site", ["999", "", "../1", "1?x=y", "é"])
async def test_an_unknown_site(devices: Any, site: str) -> None:
    """[TEL-51]"""
    with pytest.raises(UpstreamFailed):
        await devices.of_site(site)


async def test_trouble_is_told(vendor: Victron, api: VrmApi) -> None:
    """[TEL-51] [API-111]"""
    vendor.control.update({"down": True})
    with pytest.raises(Unavailable, match=r"^VRM: victron-vrm answered HTTP 503 \(login\)$"):
        await VrmSiteDevices(api).of_site(SITE)
    assert len(calls(vendor)) == 0, "whoever is down logs nothing"


async def test_one_log_in_for_all(vendor: Victron, api: VrmApi) -> None:
    """[TEL-46] Concurrent callers share one session, as long as it lasts."""
    await asyncio.gather(*(VrmSiteDevices(api).of_site(SITE) for _ in range(5)))
    assert sorted(calls(vendor)) == [LOGIN, *[OVERVIEW] * 5]


async def test_a_session_is_renewed_in_time(vendor: Victron, api: VrmApi, clock: Clock) -> None:
    """[TEL-46] When less than a minute of the hour is left."""
    await VrmSiteDevices(api).of_site(SITE)
    clock.ahead = timedelta(minutes=58)
    await VrmSiteDevices(api).of_site(SITE)
    assert calls(vendor).count(LOGIN) == 1
    clock.ahead = timedelta(minutes=59, seconds=30)
    await VrmSiteDevices(api).of_site(SITE)
    assert calls(vendor).count(LOGIN) == 2


async def test_a_session_that_ended_early(vendor: Victron, api: VrmApi) -> None:
    """[TEL-46] Once more after a 401, and no oftener."""
    await VrmSiteDevices(api).of_site(SITE)
    vendor.vrm.forget_sessions()
    assert await VrmSiteDevices(api).of_site(SITE)
    assert calls(vendor) == [LOGIN, OVERVIEW, OVERVIEW, LOGIN, OVERVIEW]


async def test_wrong_password(vendor: Victron) -> None:
    """[AUTO-26] The password is in no text."""
    settings = VrmSettings(url=f"{vendor.http.url}/v2", username="u", password="hunter2")
    wrong = VrmApi(settings, LocalBudget(1000), SystemClock(), policy=HASTY)
    with pytest.raises(UpstreamFailed, match=r"^Could not log into VRM") as failed:
        await VrmSiteDevices(wrong).of_site(SITE)
    await wrong.close()
    assert "hunter2" not in f"{failed.value} {settings}"


async def test_a_personal_token_needs_no_log_in(vendor: Victron) -> None:
    """[TEL-46] Used only where there is no password."""
    settings = VrmSettings(url=f"{vendor.http.url}/v2", username="u", token="personal")
    api = VrmApi(settings, LocalBudget(1000), SystemClock(), policy=HASTY)
    assert await VrmSiteDevices(api).of_site(SITE)
    await api.close()
    assert calls(vendor) == [OVERVIEW]


async def test_passing_trouble_is_waited_out(vendor: Victron, api: VrmApi) -> None:
    """[TEL-50] [TEL-47] Slow answers are repeated; each call takes a turn of the budget."""
    vendor.control.update({"latency_ms": [700, 700]})
    slow = asyncio.create_task(VrmSiteDevices(api).of_site(SITE))
    await asyncio.sleep(0.6)
    vendor.control.update({"latency_ms": [0, 0]})
    assert await slow


@pytest.mark.parametrize("faults", [{"error_rate": 1}, {"garbage_rate": 1}])
async def test_errors_and_garbage_are_not_repeated(vendor: Victron, api: VrmApi, faults: dict[str, int]) -> None:
    """[TEL-51]"""
    vendor.control.update(faults)
    with pytest.raises((Unavailable, UpstreamFailed)):
        await VrmSiteDevices(api).of_site(SITE)


async def test_the_vendors_quota(vendor: Victron, clock: Clock) -> None:
    """[TEL-47] 429 with Retry-After holds everybody back, and then it goes on."""
    village = next(iter(vendor.plants.values())).village
    account = VrmAccount(username="u", password="p", burst=2, per_second=3)
    quota = Victron(VictronConfig(broker_url="mqtt://127.0.0.1:9", account=account), Fleet(villages=[village]))
    await quota.start()
    settings = VrmSettings(url=f"{quota.http.url}/v2", username="u", password="p")
    api = VrmApi(settings, LocalBudget(1000), clock, policy=HASTY)
    started = asyncio.get_running_loop().time()
    await asyncio.gather(*(VrmSiteDevices(api).of_site(SITE) for _ in range(3)))
    assert asyncio.get_running_loop().time() - started > 0.9
    await api.close()
    await quota.stop()
