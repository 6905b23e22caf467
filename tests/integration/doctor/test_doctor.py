"""``nxt doctor`` before worlds that are well, and before worlds with one thing broken each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, LiteralString

import attrs
import psycopg
import pytest
import redis
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.support.mqtt import LoopbackBroker

from nxt_adapters.supabase.messages_rows import SET_ASIDE
from nxt_entrypoints.checkup import Subject, backlog, check_up, findings, stores, vendors
from nxt_entrypoints.checkup.findings import Finding, look
from nxt_entrypoints.demo import world
from nxt_entrypoints.demo.environment import DemoAddresses, new_secrets, role_environment, running_environment
from nxt_entrypoints.embedded.data_dir import DataDir
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import ALL_ROLES
from nxt_entrypoints.simulators.chirpstack.simulator import ChirpStackConfig
from nxt_entrypoints.simulators.flutterwave.simulator import FlutterwaveConfig
from nxt_entrypoints.simulators.flutterwave.webhook import Merchant
from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig
from nxt_entrypoints.simulators.sms.simulator import SmsConfig
from nxt_entrypoints.simulators.supabase.desk import SupabaseConfig
from nxt_entrypoints.simulators.supabase.sessions import project_key
from nxt_entrypoints.simulators.supabase.users import MemoryUserStore

SECRETS = new_secrets()
NOWHERE = "http://127.0.0.1:9"


@attrs.frozen
class Outside:
    """Vendors and roles that are well, and the environment that leads to them."""

    environment: Mapping[str, str]
    role: dict[str, Any]

    async def findings(self, **changes: str) -> Mapping[str, Finding]:
        settings = load_settings({**self.environment, **changes}, ALL_ROLES)
        found = await asyncio.gather(*vendors.live(settings, ""))
        return {one.what: one for group in found for one in group}


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    answer: dict[str, Any] = {"status": 200, "body": {"ok": True}}

    async def ready(_request: web.Request) -> web.Response:
        return web.json_response(answer["body"], status=answer["status"])

    app = web.Application()
    app.router.add_get("/readyz", ready)
    config = SimulatorsConfig(
        chirpstack=ChirpStackConfig(api_token=SECRETS.chirpstack_token, report_every_s=0),
        flutterwave=FlutterwaveConfig(merchants=[Merchant(secret_key=SECRETS.flutterwave_secret_key)]),
        sms=SmsConfig(api_key=SECRETS.sms_api_key, username="demo"),
        supabase=SupabaseConfig(
            jwt_secret=SECRETS.jwt_secret,
            anon_key=project_key(SECRETS.jwt_secret, "anon"),
            service_role_key=project_key(SECRETS.jwt_secret, "service_role"),
        ),
    )
    async with AsyncExitStack() as stack:
        sims = await stack.enter_async_context(Simulators(config, users=MemoryUserStore()))
        broker = await stack.enter_async_context(LoopbackBroker())
        roles = await stack.enter_async_context(TestServer(app))
        role = f"http://127.0.0.1:{roles.port}"
        addresses = DemoAddresses(
            relational_url="postgresql://nxt:unused@127.0.0.1:9/nxt",
            series_url="postgresql://nxt:unused@127.0.0.1:9/series",
            valkey_url="redis://127.0.0.1:9",
            mqtt_url=broker.url,
            supabase=sims.urls["supabase"],
            flutterwave=sims.urls["flutterwave"],
            chirpstack_grpc=sims.urls["chirpstack_grpc"],
            sms=sims.urls["sms"],
            vrm=NOWHERE,
            **dict.fromkeys(("api", "provisioning", "jobs", "telemetry"), role),
        )
        yield Outside({**role_environment(addresses, SECRETS), "NXT_PORT": "1"}, answer)


async def test_vendors_and_roles_that_are_well(outside: Outside) -> None:
    """Each enabled adapter is asked something harmless, the identity provider's clock is compared (R42)."""
    found = await outside.findings()
    assert {what for what, one in found.items() if not one.ok} == set(), found
    assert found.keys() == {
        "ChirpStack",
        "Flutterwave",
        "Africa's Talking",
        "Victron MQTT",
        "Victron VRM",
        "identity provider",
        "identity provider clock",
        "identity administration",
        "API role",
        "provisioning role",
        "jobs role",
        "telemetry role",
    }
    assert "1785" in found["Africa's Talking"].detail


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        pytest.param({"CHIRPSTACK_API_TOKEN": "wrong"}, {"ChirpStack"}, id="token of ChirpStack"),
        pytest.param({"CHIRPSTACK_API_URL": "127.0.0.1:9"}, {"ChirpStack"}, id="no ChirpStack"),
        pytest.param({"FLW_SECRET_KEY": "FLWSECK_TEST-wrong"}, {"Flutterwave"}, id="key of Flutterwave"),
        pytest.param({"FLW_API": f"{NOWHERE}/v3"}, {"Flutterwave"}, id="no Flutterwave"),
        pytest.param({"AFRICASTALKING_API_KEY": "wrong"}, {"Africa's Talking"}, id="key of the SMS gateway"),
        pytest.param({"AFRICASTALKING_API_URL": NOWHERE}, {"Africa's Talking"}, id="no SMS gateway"),
        pytest.param({"VICTRON_MQTT_URL": "mqtt://127.0.0.1:9"}, {"Victron MQTT"}, id="no broker"),
        pytest.param({"SUPABASE_SERVICE_ROLE_KEY": "wrong"}, {"identity administration"}, id="service role"),
        pytest.param(
            {"SUPABASE_API_URL": NOWHERE}, {"identity provider", "identity administration"}, id="no identity provider"
        ),
        pytest.param({"YETI_API": NOWHERE}, {"telemetry role"}, id="no telemetry role"),
    ],
)
async def test_one_thing_outside_that_is_broken(outside: Outside, changes: dict[str, str], broken: set[str]) -> None:
    """The finding names it and the variables to look at, never their values."""
    found = await outside.findings(**changes)
    assert {what for what, one in found.items() if not one.ok} == broken, found
    for what in broken:
        assert found[what].detail
        assert "\n" not in found[what].detail
        assert any(name in found[what].advice for name in changes)
        assert not any(value in found[what].detail for name, value in changes.items() if "KEY" in name)


async def test_the_portal_is_asked_for_a_site_that_a_grid_names(outside: Outside, relational_url: str) -> None:
    """Nobody knows a site before there is a grid; then a portal that is away is a finding."""
    assert (await outside.findings())["Victron VRM"].ok
    execute(
        relational_url,
        "insert into organizations (id, name) values (7, 'Sunny')",
        "insert into grids (name, organization_id, generation_external_site_id) values ('Umuoke', 7, '151734')",
    )
    settings = load_settings(outside.environment, ALL_ROLES)
    found = by_name([one for group in await asyncio.gather(*vendors.live(settings, relational_url)) for one in group])
    assert not found["Victron VRM"].ok
    assert "VICTRON_API_URL" in found["Victron VRM"].advice


async def test_a_role_that_is_not_ready_says_what_fails(outside: Outside) -> None:
    outside.role.update(status=503, body={"ok": False, "failing": ["timescale_db"]})
    found = await outside.findings()
    assert "timescale_db" in found["jobs role"].detail
    assert not found["jobs role"].ok


async def test_who_does_not_answer_holds_nobody_up() -> None:
    async def hang() -> str:
        await asyncio.sleep(60)
        return "never"

    found = await look("a vendor", hang, advice="wait", within_s=0.05)
    assert (found.ok, found.detail) == (False, "no answer within 0.05 s")


def by_name(found: Sequence[Finding]) -> dict[str, Finding]:
    return {one.what: one for one in found}


async def test_stores_that_are_well(relational_url: str, series_url: str, valkey_url: str) -> None:
    """Versions, clocks, durability, migrations at head on both planes, partitions (R17), queues, secrets (R59)."""
    subject = Subject(relational_url=relational_url, series_url=series_url, valkey_url=valkey_url)
    found = by_name(await check_up(subject))
    durability = {"relational durability", "series durability"}  # off on the tests' own server
    assert {what for what, one in found.items() if not one.ok} <= durability | {"valkey eviction"}, found
    for plane in ("relational", "series"):
        for what in ("database", "clock", "durability", "migrations", "schema"):
            assert f"{plane} {what}" in found
    assert found.keys() >= {"partitions", "stored secrets", "outbox", "device messages", "valkey clock", "valkey news"}


def execute(url: str, *statements: LiteralString) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("damage", "what", "told"),
    [
        pytest.param("update alembic_version set version_num = '0001'", "relational migrations", "at 0001", id="old"),
        pytest.param("update alembic_version set version_num = '9999'", "relational migrations", "at 9999", id="new"),
        pytest.param("delete from alembic_version", "relational migrations", "at none", id="never migrated"),
        pytest.param("alter table public.grids drop column kwp cascade", "relational schema", "kwp", id="by hand"),
        pytest.param("drop table internal.audit_log_default", "partitions", "audit_log", id="partition"),
    ],
)
async def test_a_database_that_is_not_as_it_should_be(
    relational_url: str, damage: LiteralString, what: str, told: str
) -> None:
    execute(relational_url, damage)
    found = by_name(await stores.database("relational", relational_url, "relational"))
    assert not found[what].ok
    assert told in found[what].detail
    assert found[what].advice


async def test_clocks_that_differ(
    relational_url: str, valkey_url: str, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """(R42) Nobody has leeway, so a few seconds are a finding, whoever is wrong."""

    def wrong() -> datetime:
        return findings_now() - timedelta(seconds=9)

    findings_now = findings.now
    for module in (stores, vendors):
        monkeypatch.setattr(module, "now", wrong)
    found = {
        **by_name(await stores.database("relational", relational_url, "relational")),
        **by_name(await stores.valkey(valkey_url)),
        **await outside.findings(),
    }
    for what in ("relational clock", "valkey clock", "identity provider clock"):
        assert not found[what].ok
        assert "NTP" in found[what].advice


@pytest.fixture
def policy(valkey_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey_url) as client:
        before = client.config_get("maxmemory-policy")["maxmemory-policy"]
        yield client
        client.config_set("maxmemory-policy", before)


async def test_a_valkey_that_throws_queues_away(valkey_url: str, policy: redis.Redis) -> None:
    policy.config_set("maxmemory-policy", "allkeys-lru")
    assert not by_name(await stores.valkey(valkey_url))["valkey eviction"].ok
    policy.config_set("maxmemory-policy", "noeviction")
    assert by_name(await stores.valkey(valkey_url))["valkey eviction"].ok


WAITING: dict[str, LiteralString] = {
    "outbox": """
        insert into internal.outbox_tasks (kind, dedupe_key, payload, next_attempt_at, last_error)
        values ('ALERT', 'a', '{}', now() - interval '5 minutes', 'nobody listens')
    """,
    "outbox, given up": """
        insert into internal.outbox_tasks (kind, dedupe_key, payload, dropped_at, last_error)
        values ('ALERT', 'a', '{}', now(), 'nobody listens')
    """,
    "settlement": """
        set session_replication_role = replica;
        insert into internal.settlement_failures (order_id, failures, last_error) values (7, 3, 'nobody listens')
    """,
    "secret inbox": """
        insert into internal.secret_inbox (created_at, purpose, owner_type, owner_id, plaintext)
        values (now() - interval '5 minutes', 'decoder_key', 'meter', 1, 'very secret')
    """,
}


@pytest.mark.parametrize("what", WAITING)
async def test_work_that_waits(relational_url: str, what: str) -> None:
    """Late tasks, given-up ones, unsettled orders, secrets that nobody seals; texts of errors, never secrets."""
    assert all(one.ok for one in await backlog.waiting(relational_url))
    execute(relational_url, WAITING[what])
    found = by_name(await backlog.waiting(relational_url))
    assert {name for name, one in found.items() if not one.ok} == {what}
    assert found[what].detail.startswith("1 ")
    assert "very secret" not in found[what].detail
    assert ("nobody listens" in found[what].detail) == ("last_error" in WAITING[what])


async def test_news_that_nobody_heard_and_work_of_the_moment_are_no_findings(relational_url: str) -> None:
    """(R49) Socket events are given up after 30 s by design."""
    execute(
        relational_url,
        "insert into internal.outbox_tasks (kind, dedupe_key, payload, dropped_at) "
        "values ('SOCKET_EVENT', 's', '{}', now())",
        "insert into internal.outbox_tasks (kind, dedupe_key, payload) values ('ALERT', 'a', '{}')",
    )
    assert all(one.ok for one in await backlog.waiting(relational_url))


async def test_device_messages_that_cant_be_read(relational_url: str) -> None:
    with psycopg.connect(relational_url, autocommit=True) as connection:
        connection.execute(
            """
            insert into messaging.device_messages
                (id, command_type, priority, plugin_id, device, ready_queue, delivery_status, expires_at)
            values ('01J', 'READ_CREDIT', 1, 'calin-chirpstack', '{}', %s, 'QUEUED', now() + interval '1 day')
            """,
            [f"{SET_ASIDE}queue:calin-chirpstack:network:7"],
        )
    found = by_name(await backlog.waiting(relational_url))
    assert not found["device messages"].ok
    assert "01J" in found["device messages"].detail


async def test_a_database_that_is_away_is_told_once(relational_url: str) -> None:
    gone = relational_url.rpartition("/")[0] + "/no_such_database"
    found = await check_up(Subject(relational_url=gone, series_url="", valkey_url="redis://127.0.0.1:9"))
    assert [(one.what, one.ok) for one in found] == [("relational database", False), ("valkey", False)]


def test_a_running_demo_is_described_from_what_it_keeps(tmp_path: Path) -> None:
    """(R7, R37) The doctor knows the vendors of a running ``nxt up``: its roles' own environment, in every variable."""
    with DataDir(tmp_path / "d") as data:
        kept = world.secrets_of(data)
        ports = world.choose_ports(data, {})
        stack = SimpleNamespace(
            relational_url="postgresql://nxt:unused@127.0.0.1:9/nxt",
            series_url="postgresql://nxt:unused@127.0.0.1:9/series",
            valkey_url="redis://127.0.0.1:9",
            mqtt_url="mqtt://127.0.0.1:9",
        )
        addresses = world.addresses(stack, ports)  # type: ignore[arg-type]  # its addresses are all that is read
        made = world.World(organization_id=7, email="a@example.org", meters=())
        told = world.describe(made, data.path, stack, addresses, ports, kept, "")  # type: ignore[arg-type]  # as above
        expected = {**role_environment(addresses, kept), "NXT_PORT": str(ports["api"])}
        found = dict(running_environment(json.loads(json.dumps(told))))
        assert found.pop("HERMES_URL").startswith(expected.pop("HERMES_URL"))
        assert found == expected
