"""CALIN's two services as the artifact and the environment name them [R29, DM-174]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from test_token_wiring import settings_of
from tests.support.calin import new

from nxt_adapters.calin_api import DEFAULT_POLICY
from nxt_adapters.calin_api.v1 import CalinV1Meters, CalinV1TokenVendor
from nxt_adapters.calin_api.v2 import CalinV2Meters, CalinV2TokenVendor
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.meters.commands import plugin_of
from nxt_entrypoints.container import Container
from nxt_entrypoints.settings.problems import ConfigInvalid
from nxt_entrypoints.wiring.calin import CalinClouds, clouds
from nxt_entrypoints.wiring.metering import close_makers, intakes, plugins, token_makers

P = CommunicationProtocol
V1 = {
    "CALIN_API_V1_URL": "http://127.0.0.1:9/v1/",
    "CALIN_API_V1_COMPANY_NAME": "ACME",
    "CALIN_API_V1_ADMIN_USERNAME": "admin",
    "CALIN_API_V1_ADMIN_PASSWORD": "admin-secret",
    "CALIN_API_V1_POS_USERNAME": "pos",
    "CALIN_API_V1_POS_PASSWORD": "pos-secret",
    "CALIN_API_V1_MAINTENANCE_USERNAME": "fix",
    "CALIN_API_V1_MAINTENANCE_PASSWORD": "fix-secret",
}
V2 = {
    "CALIN_API_V2_URL": "http://127.0.0.1:9/v2",
    "CALIN_API_V2_COMPANY_NAME": "ACME",
    "CALIN_API_V2_CUSTOMER_ID": "C-7",
    "CALIN_API_V2_ADMIN_USERNAME": "admin",
    "CALIN_API_V2_ADMIN_PASSWORD": "admin-secret",
    "CALIN_API_V2_POS_PASSWORD": "pos-secret",
}
TRADITIONAL = {
    "CALIN_API_V1_URL": "CALIN_V1_API",
    "CALIN_API_V2_URL": "CALIN_V2_API",
    "CALIN_API_V2_ADMIN_PASSWORD": "CALIN_V2_PASSWORD",
}


def traditional(variables: Mapping[str, str]) -> dict[str, str]:
    return {TRADITIONAL.get(name, name.replace("CALIN_API_", "CALIN_")): value for name, value in variables.items()}


def made(adapters: list[Any], variables: Mapping[str, str], **metering: Any) -> tuple[Any, Any, CalinClouds]:
    settings = settings_of({"deviceAdapters": adapters, **metering}, **variables)
    services = clouds(settings)
    return plugins(settings, None, services), token_makers(settings, services), services


@pytest.mark.parametrize("names", ["calin-api-v{}", "calin-v{}"])
@pytest.mark.parametrize("variables", [V1 | V2, traditional(V1 | V2)], ids=["new names", "traditional names"])
async def test_both_are_enabled_by_their_ids(names: str, variables: Mapping[str, str]) -> None:
    """[DM-149, DM-165, DM-174] By either id and either name; deliveries and tokens share one client."""
    enabled, makers, services = made([{"provider": names.format(n)} for n in (1, 2)], variables)
    assert isinstance(enabled.pull[plugin_of(P.CALIN_V1)], CalinV1Meters)
    assert isinstance(enabled.pull[plugin_of(P.CALIN_V2)], CalinV2Meters)
    assert isinstance(makers[P.CALIN_V1], CalinV1TokenVendor)
    assert isinstance(makers[P.CALIN_V2], CalinV2TokenVendor)
    assert services.v1 is not None
    assert services.v2 is not None
    first, second = services.v1.settings, services.v2.settings
    assert (first.url, first.company) == ("http://127.0.0.1:9/v1", "ACME")
    assert [(user.name, user.password()) for user in (first.admin, first.pos, first.maintenance)] == [
        ("admin", "admin-secret"),
        ("pos", "pos-secret"),
        ("fix", "fix-secret"),
    ]
    assert (second.url, second.customer_id, second.username) == ("http://127.0.0.1:9/v2", "C-7", "admin")
    assert (second.password(), second.pos_password()) == ("admin-secret", "pos-secret")
    await services.close()
    await close_makers(makers)


async def test_only_what_is_listed_exists() -> None:
    """[DM-165] Whatever the environment holds."""
    enabled, makers, services = made([{"provider": "calin-api-v2"}], V1 | V2)
    assert set(enabled.couriers) == {"calin-api-v2"}
    assert P.CALIN_V1 not in makers
    assert services.v1 is None


async def test_tokens_alone() -> None:
    """[R29] A vendor may sell for meters that are reached otherwise."""
    vendors = {"CALIN_V1": "calin-v1"}
    enabled, makers, _ = made([{"provider": "calin-api-v2"}], V1 | V2, tokenVendors=vendors)
    assert "calin-api-v1" not in enabled.couriers
    assert isinstance(makers[P.CALIN_V1], CalinV1TokenVendor)


@pytest.mark.parametrize("missing", sorted(V1))
def test_an_incomplete_environment_stops_the_boot(missing: str) -> None:
    """The message says which name, by its traditional spelling."""
    with pytest.raises(ConfigInvalid, match=next(iter(traditional({missing: ""})))):
        settings_of({"deviceAdapters": [{"provider": "calin-api-v1"}]}, **{k: v for k, v in V1.items() if k != missing})


async def test_pace_and_patience() -> None:
    """[DM-27, DM-166, R28] The adapter's own limits hold unless the artifact gives others."""
    adapter = {"provider": "calin-v1", "tuning": {"maxInFlight": 2, "pollLadderMs": [50]}}
    enabled, _, services = made([adapter, {"provider": "calin-v2", "http": {"timeoutMs": 4000}}], V1 | V2)
    lanes = enabled.lanes
    assert lanes["calin-api-v1"].admission.max_in_flight == 2
    assert lanes["calin-api-v2"].admission.max_in_flight == 5
    assert services.v1 is not None
    assert services.v2 is not None
    assert services.v1._http.guard.policy == DEFAULT_POLICY
    assert services.v1._http.guard.policy.timeout_s <= 120
    assert services.v2._http.guard.policy.timeout_s == 4


async def test_the_container_hands_them_out() -> None:
    """[DM-174] The queue takes messages for them, the engine sends them, and top-ups get their tokens."""
    adapters = [{"provider": "calin-v1"}, {"provider": "calin-v2"}, {"provider": "calin-lorawan"}]
    container = Container(settings=settings_of({"deviceAdapters": adapters}, **V1, **V2))
    ids = {"calin-api-v1", "calin-api-v2", "calin-chirpstack"}
    assert set(container.plugins().couriers) == ids
    assert set(container.workshop().lanes) == ids
    makers = container.token_makers()
    assert {protocol: maker.vendor_id for protocol, maker in makers.items()} == {
        P.CALIN_LORAWAN: "native",
        P.CALIN_V1: "calin-api-v1",
        P.CALIN_V2: "calin-api-v2",
    }
    await container.calin_clouds().close()
    await container.engine().dispose()
    await container.enabled_chirpstack().close()


def test_commands_of_operators_know_every_plugin() -> None:
    """[DM-23] Also those that are not enabled where the command runs."""
    known = intakes()
    assert set(known) == {plugin_of(protocol) for protocol in P}
    assert known["calin-api-v1"].ready_queue(new()) == "queue:calin-api-v1:dcu:7"
    assert known["calin-api-v2"].ready_queue(new()) == "queue:calin-api-v2:dcu:7"
