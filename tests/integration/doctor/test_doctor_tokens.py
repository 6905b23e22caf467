"""``nxt doctor`` and meters that can get no token [STS-6]."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import msgspec
import psycopg
from tests.integration.doctor.test_doctor import NOWHERE, SECRETS

from nxt_entrypoints.checkup.tokens import keyless_meters
from nxt_entrypoints.database.baseline_seed import Baseline
from nxt_entrypoints.demo.environment import DemoAddresses, artifact, role_environment
from nxt_entrypoints.demo.seed import seed_relational
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import ALL_ROLES
from nxt_entrypoints.settings.settings import Settings


def settings_of(vendor: str) -> Settings:
    document = msgspec.json.decode(msgspec.json.encode(artifact()))
    document["capabilities"]["metering"]["tokenGenerator"] = {"provider": vendor}
    addresses = {field.name: NOWHERE for field in attrs.fields(DemoAddresses)} | {
        "relational_url": "postgresql://nxt:unused@127.0.0.1:9/nxt",
        "series_url": "postgresql://nxt:unused@127.0.0.1:9/series",
        "valkey_url": "redis://127.0.0.1:9",
        "mqtt_url": "mqtt://127.0.0.1:9",
        "chirpstack_grpc": "127.0.0.1:9",
    }
    environment = {
        **role_environment(DemoAddresses(**addresses), SECRETS),
        "NXT_CONFIG_JSON": msgspec.json.encode(document).decode(),
        "NXT_PORT": "1",
        "NXT_PORT_PROVISIONING": "2",
        "NXT_PORT_JOBS": "3",
        "NXT_PORT_TELEMETRY": "4",
    }
    return load_settings(environment, ALL_ROLES)


async def test_sts_6_installed_meters_without_a_key_are_named(relational_url: str) -> None:
    """A key counts from the moment it is written; a deleted one is none; the vendor ``test`` needs none."""
    seed_relational(relational_url, Baseline(), datetime(2026, 3, 10, 9, 15, tzinfo=UTC))
    native = settings_of("native")
    (found,) = await keyless_meters(native, relational_url)
    assert (found.ok, found.detail) == (True, "every installed meter has one")
    with psycopg.connect(relational_url, autocommit=True) as owner:
        owner.execute("delete from internal.secret_inbox where owner_id in (select min(id) from meters)")
    (found,) = await keyless_meters(native, relational_url)
    assert not found.ok
    assert found.detail.startswith("1 installed meters have none (47")
    assert await keyless_meters(settings_of("test"), relational_url) == []
    assert await keyless_meters(native, "postgresql://nobody@127.0.0.1:9/none") == []
