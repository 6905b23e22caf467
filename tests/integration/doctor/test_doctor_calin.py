"""``nxt doctor`` before CALIN's two services."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

import attrs
import pytest
from tests.support.calin_clouds import cloud

from nxt_entrypoints.checkup import vendors
from nxt_entrypoints.checkup.findings import Finding
from nxt_entrypoints.demo.environment import DemoAddresses, artifact, new_secrets, role_environment
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import Role

ADVICE = "the users and passwords beside them"


@pytest.fixture
async def environment() -> AsyncIterator[Mapping[str, str]]:
    nowhere = {field.name: "http://127.0.0.1:9" for field in attrs.fields(DemoAddresses)}
    nowhere |= {name: f"postgresql://nxt:x@127.0.0.1:9/{name}" for name in ("relational_url", "series_url")}
    nowhere |= {"valkey_url": "redis://127.0.0.1:9", "mqtt_url": "mqtt://127.0.0.1:9"}
    document = json.loads(json.dumps(artifact()))
    adapters = [{"provider": "calin-v1"}, {"provider": "calin-v2"}]
    document["capabilities"] = {"metering": {"enabled": True, "deviceAdapters": adapters}}
    async with cloud("v1") as first, cloud("v2") as second:
        yield {
            **role_environment(DemoAddresses(**{**nowhere, "chirpstack_grpc": "127.0.0.1:9"}), new_secrets()),
            "NXT_CONFIG_JSON": json.dumps(document),
            "NXT_PORT": "1",
            "CALIN_V1_API": first.simulator.http.url,
            "CALIN_V1_COMPANY_NAME": "ACME",
            "CALIN_V1_ADMIN_USERNAME": "admin",
            "CALIN_V1_ADMIN_PASSWORD": "admin-1",
            "CALIN_V1_POS_USERNAME": "pos",
            "CALIN_V1_POS_PASSWORD": "pos-1",
            "CALIN_V1_MAINTENANCE_USERNAME": "fix",
            "CALIN_V1_MAINTENANCE_PASSWORD": "fix-1",
            "CALIN_V2_API": second.simulator.http.url,
            "CALIN_V2_COMPANY_NAME": "ACME",
            "CALIN_V2_CUSTOMER_ID": "C-7",
            "CALIN_V2_ADMIN_USERNAME": "admin",
            "CALIN_V2_PASSWORD": "admin-2",
            "CALIN_V2_POS_PASSWORD": "pos-2",
        }


async def findings(environment: Mapping[str, str]) -> Mapping[str, Finding]:
    settings = load_settings(environment, [Role.JOBS])
    found = await asyncio.gather(*vendors.live(settings, ""))
    return {one.what: one for group in found for one in group if one.what.startswith("CALIN")}


async def test_services_that_are_well(environment: Mapping[str, str]) -> None:
    """Each is asked which DCUs are online; the second one only after a login."""
    found = await findings(environment)
    assert {what: one.ok for what, one in found.items()} == {"CALIN V1": True, "CALIN V2": True}
    assert found["CALIN V1"].detail == "CALIN API-V1 answers and lists 2 concentrators"


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({"CALIN_V1_API": "http://127.0.0.1:9"}, "CALIN V1"),
        ({"CALIN_V1_MAINTENANCE_PASSWORD": "wrong"}, "CALIN V1"),
        ({"CALIN_V2_API": "http://127.0.0.1:9"}, "CALIN V2"),
        ({"CALIN_V2_PASSWORD": "wrong"}, "CALIN V2"),
    ],
)
async def test_one_that_is_not(environment: Mapping[str, str], changes: dict[str, str], broken: str) -> None:
    """The advice names the variables, and no finding shows a value."""
    found = await findings({**environment, **changes})
    assert {what for what, one in found.items() if not one.ok} == {broken}
    assert f"{broken.replace(' ', '_')}_API" in found[broken].advice
    assert found[broken].advice.endswith(ADVICE)
    assert "wrong" not in found[broken].detail
