"""VRM's REST API as the simulated plants speak it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from nxt_entrypoints.simulators.fleet import Fleet, Plant, PlantDevice, Village
from nxt_entrypoints.simulators.victron.simulator import Victron, VictronConfig
from nxt_entrypoints.simulators.victron.vrm import VrmAccount

DEVICE = PlantDevice(name="Solar Charger", custom_name="FRON 1279 ARTN10.92/+153/10", instance=279)
GOOD = {"username": "demo", "password": "demo"}


@pytest.fixture
async def plants() -> AsyncIterator[Victron]:
    village = Village(grid_id=1, plant=Plant(portal_id="c0619ab1a2b3", site_id="410001", devices=[DEVICE]))
    account = VrmAccount(token="personal", burst=6, per_second=0)
    victron = Victron(VictronConfig(broker_url="mqtt://127.0.0.1:9", account=account), Fleet(villages=[village]))
    await victron.start()
    yield victron
    await victron.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_devices_of_a_site(plants, session):
    """[TEL-46] After a log-in, or with a personal token."""
    async with session.post(f"{plants.http.url}/v2/auth/login", json=GOOD) as answer:
        token = (await answer.json())["token"]
    overview = f"{plants.http.url}/v2/installations/410001/system-overview"
    for credential in (f"Bearer {token}", "Token personal"):
        async with session.get(overview, headers={"X-Authorization": credential}) as answer:
            devices = (await answer.json())["records"]["devices"]
        assert [(device["name"], device.get("instance")) for device in devices] == [
            ("Gateway", None),
            ("Solar Charger", 279),
        ]
        assert devices[0]["identifier"] == "c0619ab1a2b3"
    for credential in ("Bearer nonsense", "Token other", ""):
        async with session.get(overview, headers={"X-Authorization": credential}) as answer:
            assert answer.status == 401
    # the quota of six is used up
    async with session.post(f"{plants.http.url}/v2/auth/login", json=GOOD) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")


async def test_refusals(plants, session):
    """Wrong password, unknown site, and faults on demand."""
    async with session.post(f"{plants.http.url}/v2/auth/login", json={**GOOD, "password": "x"}) as answer:
        assert answer.status == 401
    unknown = f"{plants.http.url}/v2/installations/999/system-overview"
    async with session.get(unknown, headers={"X-Authorization": "Token personal"}) as answer:
        assert answer.status == 404
    plants.control.update({"down": True})
    async with session.get(unknown) as answer:
        assert answer.status == 503


async def test_devices_are_changed_by_hand(plants, session):
    """``PUT /plant/{portal}``, as for a village whose chargers are replaced."""
    path = f"{plants.http.url}/plant/c0619ab1a2b3"
    other = {"name": "PV Inverter", "custom_name": "FRON 9 ARTN5/0/10", "instance": 20}
    async with session.put(path, json={"devices": [other]}) as answer:
        assert (await answer.json())["devices"] == [other]
    for wrong in ([{"name": "x"}], {"a": 1}, "x", [{**other, "more": 1}]):
        async with session.put(path, json={"devices": wrong}) as answer:
            assert answer.status == 400
