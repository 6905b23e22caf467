"""The demo's surroundings: secrets, seeded rows, ports, simulators, and how they are told to others (R7)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import attrs
from sqlalchemy import Connection, insert, select

from nxt_adapters.supabase.tables import accounts, api_keys, members
from nxt_domain.identity.rules import key_hash
from nxt_entrypoints.database.baseline_seed import Baseline
from nxt_entrypoints.database.migrate import connected
from nxt_entrypoints.demo.environment import DemoAddresses, DemoSecrets, new_secrets
from nxt_entrypoints.demo.history import MeterHistory
from nxt_entrypoints.demo.meter_keys import share_meter_keys
from nxt_entrypoints.demo.operator import SeededOperator, existing_operator
from nxt_entrypoints.demo.past_series import seed_meter_series, seed_plant_series
from nxt_entrypoints.demo.seed import DemoMeter, SeededDemo, demo_meters, seed_relational
from nxt_entrypoints.demo.villages import VillagePlan
from nxt_entrypoints.embedded.data_dir import DataDir
from nxt_entrypoints.embedded.errors import EmbeddedError
from nxt_entrypoints.embedded.ports import is_free
from nxt_entrypoints.embedded.stack import EmbeddedStack
from nxt_entrypoints.simulators.chirpstack.simulator import ChirpStackConfig
from nxt_entrypoints.simulators.fleet import Fleet, FleetMeter, Plant, PlantDevice, Village
from nxt_entrypoints.simulators.flutterwave.simulator import FlutterwaveConfig
from nxt_entrypoints.simulators.flutterwave.webhook import Merchant
from nxt_entrypoints.simulators.process import SimulatorsConfig
from nxt_entrypoints.simulators.sms.simulator import SmsConfig
from nxt_entrypoints.simulators.supabase.passwords import hash_password
from nxt_entrypoints.simulators.supabase.sessions import project_key
from nxt_entrypoints.simulators.supabase.simulator import SupabaseConfig
from nxt_entrypoints.simulators.supabase.users import AuthUser, PostgresUserStore
from nxt_entrypoints.simulators.victron.simulator import VictronConfig

_BASELINE = Baseline()
_SIMULATORS = ("chirpstack", "chirpstack-grpc", "flutterwave", "victron", "sms", "supabase")
_VALKEY_DATABASE = 2  # that of NXT_ENV=development [API-203]
_CONTROLLED = ("chirpstack", "flutterwave", "victron", "sms")
_ROLES = ("api", "provisioning", "jobs", "telemetry")
_FLEET = "fleet.json"


@attrs.frozen(kw_only=True)
class World:
    """What stands in the databases.

    Attributes:
        email: Of the operator's login.
    """

    organization_id: int
    email: str
    meters: Sequence[DemoMeter]

    @property
    def grid_ids(self) -> Sequence[int]:
        """The villages."""
        return sorted({meter.grid_id for meter in self.meters})


def secrets_of(data: DataDir) -> DemoSecrets:
    """Load the demo's secrets, made on the first start and private to their owner."""
    fresh = attrs.asdict(new_secrets())
    return DemoSecrets(**{name: data.secret(name, partial(str, value)) for name, value in fresh.items()})


async def prepare(
    relational_url: str, series_url: str, demo_secrets: DemoSecrets, folder: Path, now: datetime
) -> World:
    """Seed both planes if they are empty.

    Args:
        relational_url: As owner.
        series_url: As owner.
        demo_secrets: Password and keys of the demo's people.
        folder: Where the simulated fleet is written.
        now: Aware UTC.

    Raises:
        EmbeddedError: An earlier first start was cut off in the middle of seeding.
    """
    made = await asyncio.to_thread(seed_relational, relational_url, _BASELINE, now)
    if made is None and not (folder / _FLEET).exists():
        raise EmbeddedError(f"the first start on {folder} was cut off while seeding; remove it and start again")
    if made is not None:
        await _seed_logins(relational_url, made.operator, demo_secrets)
        await seed_meter_series(relational_url, series_url, made.histories)
        await asyncio.to_thread(seed_plant_series, series_url, made.operator, now)
        _fleet(made).save(folder / _FLEET)
    await share_meter_keys(relational_url, demo_secrets.data_key, folder / _FLEET)
    with connected(relational_url) as connection:
        return _world(connection)


def choose_ports(data: DataDir, wanted: Mapping[str, int | None]) -> Mapping[str, int]:
    """Choose a port for everything that listens: what it had before, where that is still free (R37).

    Args:
        data: Remembers ports.
        wanted: Ports that were asked for, by name.

    Raises:
        EmbeddedError: A port that was asked for is taken.
    """
    ports = {name: port for name, port in wanted.items() if port is not None}
    for port in ports.values():
        if not is_free(port):
            raise EmbeddedError(f"port {port} is taken; choose another with --port, or none for a free one")
    for name in (*_ROLES, *_SIMULATORS):
        if name not in ports:
            ports[name] = data.port(name, avoid=ports.values())
    return ports


def addresses(embedded: EmbeddedStack, ports: Mapping[str, int]) -> DemoAddresses:
    """Write ports as addresses."""
    here = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    return DemoAddresses(
        relational_url=embedded.relational_url,
        series_url=embedded.series_url,
        valkey_url=embedded.valkey_url,
        mqtt_url=embedded.mqtt_url,
        supabase=here["supabase"],
        flutterwave=here["flutterwave"],
        chirpstack_grpc=f"127.0.0.1:{ports['chirpstack-grpc']}",
        sms=here["sms"],
        vrm=f"{here['victron']}/v2",
        api=here["api"],
        provisioning=here["provisioning"],
        jobs=here["jobs"],
        telemetry=here["telemetry"],
    )


def write_simulators(
    data: DataDir,
    where: DemoAddresses,
    demo_secrets: DemoSecrets,
    ports: Mapping[str, int],
    *,
    report_every_s: float,
    speed: float,
) -> Path:
    """Write the simulators' configuration, readable by its owner alone, and return its path."""
    config = SimulatorsConfig(
        fleet_path=str(data.path / _FLEET),
        data_dir=str(data.folder("simulators")),
        speed=speed,
        chirpstack=ChirpStackConfig(
            grpc_port=ports["chirpstack-grpc"],
            http_port=ports["chirpstack"],
            api_token=demo_secrets.chirpstack_token,
            event_url=f"{where.api}/chirpstack/calin",
            event_key=demo_secrets.chirpstack_ingress_key,
            report_every_s=report_every_s,
        ),
        flutterwave=FlutterwaveConfig(
            port=ports["flutterwave"],
            merchants=(
                Merchant(
                    secret_key=demo_secrets.flutterwave_secret_key,
                    webhook_url=f"{where.api}/flutterwave/webhook",
                    webhook_secret=demo_secrets.flutterwave_webhook_secret,
                ),
            ),
        ),
        victron=VictronConfig(http_port=ports["victron"], broker_url=where.mqtt_url),
        sms=SmsConfig(port=ports["sms"], username="demo", api_key=demo_secrets.sms_api_key),
        supabase=SupabaseConfig(
            port=ports["supabase"],
            jwt_secret=demo_secrets.jwt_secret,
            anon_key=project_key(demo_secrets.jwt_secret, "anon"),
            service_role_key=project_key(demo_secrets.jwt_secret, "service_role"),
            relational_url=where.relational_url,
        ),
    )
    path = data.path / "simulators.json"
    config.save(path)
    return path


def describe(
    made: World,
    folder: Path,
    embedded: EmbeddedStack,
    where: DemoAddresses,
    ports: Mapping[str, int],
    demo_secrets: DemoSecrets,
    access_token: str,
) -> dict[str, object]:
    """Write what ``nxt up --json`` prints (R7)."""
    return {
        "data": str(folder),
        "urls": {
            "api": where.api,
            "provisioning": where.provisioning,
            "jobs": where.jobs,
            "telemetry": where.telemetry,
            "supabase": where.supabase,
        },
        "simulators": {
            name: f"http://127.0.0.1:{ports[name]}" for name in ("chirpstack", "flutterwave", "victron", "sms")
        },
        "relational_url": embedded.relational_url,
        "series_url": embedded.series_url,
        "valkey_url": f"{embedded.valkey_url}/{_VALKEY_DATABASE}",
        "mqtt_url": embedded.mqtt_url,
        "credentials": {
            "email": made.email,
            "password": demo_secrets.password,
            "access_token": access_token,
            "api_key": demo_secrets.api_key,
            "internal_api_key": demo_secrets.internal_api_key,
        },
        "demo": {
            "organization_id": made.organization_id,
            "grid_ids": list(made.grid_ids),
            "meters": [attrs.asdict(meter) for meter in made.meters],
        },
    }


async def _seed_logins(relational_url: str, operator: SeededOperator, demo_secrets: DemoSecrets) -> None:
    store = PostgresUserStore(relational_url)
    try:
        login = operator.admin
        await store.put(
            AuthUser(
                id=login.user_id,
                email=login.email,
                encrypted_password=hash_password(demo_secrets.password),
                user_metadata={"full_name": login.full_name},
                app_metadata={
                    "account_id": login.account_id,
                    "account_type": "MEMBER",
                    "member_type": login.member_type,
                    "organization_id": login.organization_id,
                },
            )
        )
    finally:
        await store.close()
    with connected(relational_url) as connection, connection.begin():
        for login, key, name in (
            (operator.admin, demo_secrets.api_key, "demo"),
            (operator.service, demo_secrets.service_api_key, "between roles"),
        ):
            connection.execute(
                insert(api_keys).values(
                    account_id=login.account_id, key_hash=key_hash(key), key_prefix=key[:8], name=name
                )
            )


def _fleet(made: SeededDemo) -> Fleet:
    return Fleet(
        villages=tuple(
            Village(
                grid_id=village.grid_id,
                timezone=village.plan.timezone,
                gateways=village.plan.gateways,
                meters=tuple(_fleet_meter(made.histories[meter.id]) for meter in village.meters),
                plant=_plant(village.plan),
            )
            for village in made.operator.villages
        )
    )


def _plant(plan: VillagePlan) -> Plant:
    devices = (
        PlantDevice(name="Solar Charger", custom_name=charger.custom_name, instance=charger.instance)
        for charger in plan.chargers
    )
    return Plant(portal_id=plan.portal_id, site_id=plan.site_id, devices=tuple(devices))


def _fleet_meter(history: MeterHistory) -> FleetMeter:
    return FleetMeter(
        number=history.house.meter_number,
        scale=history.house.scale,
        credit_kwh=history.credit_kwh,
        counter_kwh=history.counter_kwh,
        as_of=history.ended_at,
    )


def _world(connection: Connection) -> World:
    organization_id = existing_operator(connection)
    if organization_id is None:
        raise RuntimeError("the demo operator is missing right after seeding")
    query = (
        select(accounts.c.email)
        .join(members, members.c.account_id == accounts.c.id)
        .where(accounts.c.organization_id == organization_id)
        .order_by(accounts.c.id)
        .limit(1)
    )
    return World(
        organization_id=organization_id,
        email=str(connection.execute(query).scalar_one()),
        meters=demo_meters(connection, organization_id),
    )
