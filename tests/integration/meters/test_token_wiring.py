"""Which maker serves which protocol, by the artifact [R29, STS-3]."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import msgspec
import pytest

from nxt_adapters.nxt_sts import NxtStsVendor
from nxt_domain.grids.model import CommunicationProtocol
from nxt_domain.meters.use_cases.top_ups import TokenMakers
from nxt_domain.tokens.native import NativeTokenMaker
from nxt_domain.tokens.test_vendor import TestTokenMaker
from nxt_entrypoints.demo.environment import DemoAddresses, artifact, new_secrets, role_environment
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.problems import ConfigInvalid
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.settings.settings import Settings
from nxt_entrypoints.wiring.calin import clouds
from nxt_entrypoints.wiring.metering import close_makers, token_makers

RADIO, V1 = CommunicationProtocol.CALIN_LORAWAN, CommunicationProtocol.CALIN_V1
_URLS = {"relational_url": "postgresql", "series_url": "postgresql", "valkey_url": "redis", "mqtt_url": "mqtt"}


def settings_of(metering: Mapping[str, object], **variables: str) -> Settings:
    document = msgspec.json.decode(msgspec.json.encode(artifact()))
    del document["capabilities"]["metering"]["tokenGenerator"]
    document["capabilities"]["metering"].update(metering)
    addresses = {
        field.name: f"{_URLS.get(field.name, 'http')}://127.0.0.1:9" for field in attrs.fields(DemoAddresses)
    } | {"chirpstack_grpc": "127.0.0.1:9"}
    addresses |= {name: f"postgresql://nxt:unused@127.0.0.1:9/{name}" for name in ("relational_url", "series_url")}
    environment = {
        **role_environment(DemoAddresses(**addresses), new_secrets()),
        "NXT_CONFIG_JSON": msgspec.json.encode(document).decode(),
        "NXT_PORT": "1",
        **variables,
    }
    return load_settings(environment, [Role.JOBS])


def makers_of(settings: Settings) -> TokenMakers:
    return token_makers(settings, clouds(settings))


async def test_r29_native_is_the_default() -> None:
    makers = makers_of(settings_of({}))
    assert isinstance(makers[RADIO], NativeTokenMaker)
    assert V1 not in makers


async def test_r29_the_artifact_chooses() -> None:
    """[STS-3] For any protocol."""
    vendors = {"CALIN_LORAWAN": "test", "CALIN_V1": "native"}
    makers = makers_of(settings_of({"tokenVendors": vendors}))
    assert isinstance(makers[RADIO], TestTokenMaker)
    assert isinstance(makers[V1], NativeTokenMaker)


@pytest.mark.parametrize("name", ["STS_GENERATOR_API", "NXT_STS_URL"])
async def test_sts_66_the_service_is_reached_at_its_address(name: str) -> None:
    """[R28] With the limits of its provider object."""
    provider = {"provider": "nxt-sts", "http": {"timeoutMs": 4000}}
    makers = makers_of(settings_of({"tokenGenerator": provider}, **{name: "http://127.0.0.1:9/"}))
    maker = makers[RADIO]
    assert isinstance(maker, NxtStsVendor)
    assert maker._url == "http://127.0.0.1:9/token"
    assert maker._http.guard.policy.timeout_s == 4
    await close_makers(makers)


async def test_sts_66_without_its_address_the_boot_stops() -> None:
    with pytest.raises(ConfigInvalid, match="STS_GENERATOR_API"):
        settings_of({"tokenGenerator": {"provider": "nxt-sts"}}, STS_GENERATOR_API="  ")


async def test_sts_3_an_unknown_vendor_stops_the_boot() -> None:
    """The message lists the known ones."""
    with pytest.raises(ConfigInvalid, match="nxt-sts") as stopped:
        settings_of({"tokenGenerator": {"provider": "natve"}})
    assert "native" in str(stopped.value)
