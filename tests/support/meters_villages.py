"""A village with radio meters, in memory and in PostgreSQL alike: the same rows behind the same handles."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from sqlalchemy.ext.asyncio import AsyncEngine

from nxt_adapters.memory.database import MemoryClock
from nxt_adapters.memory.grids import GridRow
from nxt_adapters.memory.unit_of_work import MemoryPlane, MemoryUnitOfWork, stub_couriers
from nxt_adapters.memory.wakeups import MemoryWakeUps
from nxt_adapters.supabase.engine import create_engine, load_json
from nxt_adapters.supabase.messages import PostgresDeviceMessages
from nxt_adapters.supabase.outbox import PostgresOutboxQueue
from nxt_adapters.supabase.secret_store import PostgresSecretStore
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_adapters.system.secret_box import AesGcmBox
from nxt_domain.grids.model import CommunicationProtocol, Gateway, MeterPhase
from nxt_domain.messaging.model import (
    DeviceMessage,
)
from nxt_domain.messaging.tuning import DeliveryPolicy
from nxt_domain.meters.model import Interaction, Meter
from nxt_domain.shared.ids import UlidFactory
from tests.support import databases
from tests.support.meters_world import (
    DELETED_NUMBER,
    EUI,
    NUMBER_WITHOUT_GRID,
    NUMBERS,
    OTHER_EUI,
    RADIO,
    TARIFF,
    V1_NUMBER,
    MetersWorld,
    Task,
)


class MemoryVillage(MetersWorld):
    """The village in memory."""

    def __init__(self) -> None:
        self.plane = MemoryPlane()
        self.clock, self.wakeups, self.outbox_queue = self.plane.clock, self.plane.wakeups, self.plane.outbox_queue
        self.couriers = self.plane.couriers
        self.grid_id, self.gateway_ids, self.v1_gateway_id = 50, [1, 2], 3
        self.meter_ids, self.loose_meter_id, self.deleted_meter_id, self.v1_meter_id = [10, 11, 12], 13, 14, 15
        self._orders = 900
        tx = self.plane.begin()
        tx.grids.know_grid(GridRow(id=50))
        for number, eui in zip(self.gateway_ids, (EUI, OTHER_EUI), strict=True):
            tx.grids.know_gateway(_gateway(number, eui, RADIO), 50)
        tx.grids.know_gateway(_gateway(3, "862207005", CommunicationProtocol.CALIN_V1), 50)
        seen = self.clock.now() - timedelta(minutes=30)
        for meter_id, reference in zip(self.meter_ids, NUMBERS, strict=True):
            tx.meters.know(_meter(meter_id, reference, seen, dcu_id=1))
        bare = {"connection_id": None, "customer_account_id": None, "grid_id": None, "organization_id": None}
        tx.meters.know(attrs.evolve(_meter(13, NUMBER_WITHOUT_GRID, seen), tariff=None, **bare))
        tx.meters.know(_meter(14, DELETED_NUMBER, seen), is_deleted=True)
        v1 = _meter(15, V1_NUMBER, None, dcu_id=3)
        tx.meters.know(attrs.evolve(v1, communication_protocol=CommunicationProtocol.CALIN_V1))

    def begin(self) -> MemoryUnitOfWork:
        return self.plane.begin()

    async def new_order(self, meter_id: int) -> int:
        self._orders += 1
        return self._orders

    async def set_gateway(self, gateway_id: int, *, is_online: bool) -> None:
        tx = self.begin()
        row = self.plane.database.table("gateways")[gateway_id]
        tx.grids.know_gateway(attrs.evolve(row.gateway, is_online=is_online), row.grid_id)

    async def set_power(self, *, is_hps_on: bool, is_managed: bool = True) -> None:
        self.begin().grids.know_grid(GridRow(id=50, is_hps_on=is_hps_on, is_generation_managed=is_managed))

    async def set_meter(self, meter_id: int, **changes: Any) -> None:
        rows = self.plane.database.table("meters")
        is_deleted = changes.pop("is_deleted", rows[meter_id].is_deleted)
        meter = attrs.evolve(rows[meter_id].meter, **changes)
        rows[meter_id] = attrs.evolve(rows[meter_id], meter=meter, is_deleted=is_deleted)

    async def give_key(self, meter_id: int, key: str) -> None:
        self.begin().decoder_keys.know(meter_id, key)

    async def lose_key(self, meter_id: int) -> None:
        self.begin().decoder_keys.lose(meter_id)

    async def age(self, interaction_id: int, step: timedelta) -> None:
        rows = self.plane.database.table("meter_interactions")
        row = rows[interaction_id]
        rows[interaction_id] = attrs.evolve(row, created_at=row.created_at - step, updated_at=row.updated_at - step)

    async def reported(self, meter_id: int) -> dict[str, Any]:
        row = self.plane.database.table("meters")[meter_id]
        known, meter = row.reported, row.meter
        return {
            "is_on": known.is_on,
            "is_on_updated_at": known.is_on_at,
            "power_limit": meter.power_limit_w,
            "kwh_credit_available": known.credit_kwh,
            "kwh_credit_available_updated_at": known.credit_at,
            "balance": known.balance,
            "balance_updated_at": known.balance_at,
            "voltage": None if known.voltage_v is None else float(known.voltage_v),
            "power": None if known.power_kw is None else float(known.power_kw),
            "version": meter.version,
            "last_seen_at": meter.last_seen_at,
            "dcu_id": meter.dcu_id,
            "snr": known.snr,
            "rssi": known.rssi,
        }

    async def shadows(self, meter_id: int) -> dict[str, tuple[int, int | None]]:
        rows = self.plane.database.table("meter_shadows")
        return {name: (row.reported, row.reported_by_id) for (of, name), row in rows.items() if of == meter_id}

    async def history(self) -> list[tuple[str, str, int | None]]:
        events = self.begin().state_events.all()
        return [(event.event.value, event.actor.value, event.interaction_id) for event in events]

    async def requests(self) -> list[tuple[int, str, bool]]:
        rows = self.begin().interactions.requests()
        return [(row.interaction_id, row.origin.value, row.is_coalesced) for row in rows]

    async def tasks(self, kind: str | None = None) -> list[Task]:
        table = self.begin().outbox
        return [
            Task(
                kind=task.kind,
                dedupe_key=task.dedupe_key,
                payload=task.payload,
                stream_key=task.stream_key,
                is_open=table.state(task.dedupe_key).is_open,
            )
            for task in table.all(kind)
        ]

    async def messages(self) -> list[DeviceMessage]:
        rows = self.plane.database.table("device_messages")
        return [row.message for _, row in sorted(rows.items())]

    async def interactions(self) -> list[Interaction]:
        return list(self.begin().interactions.all())

    async def tokens(self) -> list[tuple[int, datetime, str | None]]:
        rows = self.plane.database.table("sts_tokens")
        return [(meter_id, minute, each.token) for (meter_id, minute), each in sorted(rows.items())]


def _new_box() -> AesGcmBox:
    return AesGcmBox(f"test:{base64.b64encode(os.urandom(32)).decode()}")


class PostgresVillage(MetersWorld):
    """The village in PostgreSQL, whose clock is near the database's own.

    Args:
        url: Of the migrated database, as its owner.
        engine: As the application.
    """

    def __init__(self, url: str, engine: AsyncEngine) -> None:
        self.clock = MemoryClock(datetime.now(UTC).replace(microsecond=0))
        self.wakeups = MemoryWakeUps()
        self.engine = engine
        self.box = _new_box()
        self.outbox_queue = PostgresOutboxQueue(engine)
        self.new_id = UlidFactory(self.clock)
        self.couriers = stub_couriers(self.new_id)
        self.owner = psycopg.connect(url, autocommit=True, row_factory=dict_row)
        set_json_loads(load_json, self.owner)
        self._build()

    def begin(self) -> SupabaseUnitOfWork:
        return SupabaseUnitOfWork(
            self.engine,
            lambda session: PostgresDeviceMessages(
                session, couriers=self.couriers, new_id=self.new_id, policy=DeliveryPolicy()
            ),
            lambda: self.box,
        )

    async def close(self) -> None:
        self.owner.close()
        await self.engine.dispose()

    def one(self, statement: str, *parameters: object) -> Any:
        """Run a statement as the owner and return the first value."""
        row = self.owner.execute(statement, parameters).fetchone()  # type: ignore[arg-type]  # a literal of the test
        return None if row is None else next(iter(row.values()))

    def all(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        """Run a query as the owner."""
        return self.owner.execute(statement, parameters).fetchall()  # type: ignore[arg-type]  # a literal of the test

    def run(self, statement: str, *parameters: object) -> None:
        """Run a statement without rows as the owner."""
        self.owner.execute(statement, parameters)  # type: ignore[arg-type]  # a literal of the test

    async def new_order(self, meter_id: int) -> int:
        return int(
            self.one(
                "insert into orders (amount, order_status, currency, sender_wallet_id, receiver_wallet_id)"
                " select 1000, 'INITIALISED', 'NGN', s.id, r.id from wallets s, wallets r"
                " where s.organization_id = %s and r.meter_id = %s returning id",
                self.organization_id,
                meter_id,
            )
        )

    async def set_gateway(self, gateway_id: int, *, is_online: bool) -> None:
        self.run("update dcus set is_online = %s where id = %s", is_online, gateway_id)

    async def set_power(self, *, is_hps_on: bool, is_managed: bool = True) -> None:
        self.run(
            "update grids set is_hps_on = %s, is_generation_managed_by_nxt_grid = %s where id = %s",
            is_hps_on,
            is_managed,
            self.grid_id,
        )

    async def set_meter(self, meter_id: int, **changes: Any) -> None:
        for name, value in changes.items():
            if name == "is_deleted":
                self.run("update meters set deleted_at = now() where id = %s", meter_id)
                continue
            column = _COLUMNS.get(name, name)
            self.run(f"update meters set {column} = %s where id = %s", value, meter_id)

    async def give_key(self, meter_id: int, key: str) -> None:
        self.run("update meters set decoder_key = %s where id = %s", key, meter_id)

    async def seal_keys(self) -> None:
        """Do what the jobs role does every few seconds."""
        await PostgresSecretStore(self.engine, self.box).empty_inbox()

    async def lose_key(self, meter_id: int) -> None:
        await self.give_key(meter_id, "0" * 16)
        await self.seal_keys()
        self.box = _new_box()

    async def age(self, interaction_id: int, step: timedelta) -> None:
        self.run(
            "update meter_interactions set created_at = created_at - %s, updated_at = updated_at - %s where id = %s",
            step,
            step,
            interaction_id,
        )

    async def reported(self, meter_id: int) -> dict[str, Any]:
        (row,) = self.all(
            "select is_on, is_on_updated_at, power_limit, kwh_credit_available, kwh_credit_available_updated_at,"
            " balance, balance_updated_at, voltage, power, version, last_seen_at, dcu_id,"
            " (connection_metrics ->> 'snr')::float as snr, (connection_metrics ->> 'rssi')::float as rssi"
            " from meters where id = %s",
            meter_id,
        )
        return row

    async def shadows(self, meter_id: int) -> dict[str, tuple[int, int | None]]:
        rows = self.all("select * from meter_shadows where meter_id = %s", meter_id)
        return {row["attribute"]: (row["reported"], row["reported_by_id"]) for row in rows}

    async def history(self) -> list[tuple[str, str, int | None]]:
        rows = self.all("select event, actor, meter_interaction_id as of from meter_state_events order by id")
        return [(row["event"], row["actor"], row["of"]) for row in rows]

    async def requests(self) -> list[tuple[int, str, bool]]:
        rows = self.all("select * from internal.interaction_requests order by id")
        return [(row["meter_interaction_id"], row["origin"], row["coalesced"]) for row in rows]

    async def tasks(self, kind: str | None = None) -> list[Task]:
        rows = self.all("select * from internal.outbox_tasks order by id")
        return [
            Task(
                kind=row["kind"],
                dedupe_key=row["dedupe_key"],
                payload=row["payload"],
                stream_key=row["stream_key"],
                is_open=row["done_at"] is None and row["dropped_at"] is None,
            )
            for row in rows
            if kind in {None, row["kind"]}
        ]

    async def messages(self) -> list[DeviceMessage]:
        numbers = [row["correlation_id"] for row in self.all("select * from messaging.device_messages order by id")]
        async with self.begin() as tx:
            found = [await tx.messages.get(number) for number in numbers]
        return [message for message in found if message is not None]

    async def interactions(self) -> list[Interaction]:
        numbers = [row["id"] for row in self.all("select id from meter_interactions order by id")]
        async with self.begin() as tx:
            return list((await tx.interactions.lock(numbers)).values())

    async def tokens(self) -> list[tuple[int, datetime, str | None]]:
        rows = self.all("select * from internal.sts_tokens order by meter_id, issue_minute")
        return [(row["meter_id"], row["issue_minute"], row["token"]) for row in rows]

    def _build(self) -> None:
        one = self.one
        self.organization_id = one("insert into organizations (name) values ('Lake Power') returning id")
        one("insert into wallets (organization_id) values (%s) returning id", self.organization_id)
        self.grid_id = one(
            "insert into grids (name, organization_id, is_hps_on, kwh_tariff_essential_service,"
            " kwh_tariff_full_service) values ('Mbari', %s, true, 250, 300) returning id",
            self.organization_id,
        )
        self.gateway_ids = [self._add_gateway(eui, "CALIN_LORAWAN") for eui in (EUI, OTHER_EUI)]
        self.v1_gateway_id = self._add_gateway("862207005", "CALIN_V1")
        self.meter_ids = [self._add_meter(number) for number in NUMBERS]
        self.loose_meter_id = one(
            "insert into meters (external_reference, external_system, communication_protocol, last_seen_at)"
            " values (%s, 'CALIN', 'CALIN_LORAWAN', %s) returning id",
            NUMBER_WITHOUT_GRID,
            self.clock.now() - timedelta(minutes=30),
        )
        self.deleted_meter_id = self._add_meter(DELETED_NUMBER)
        self.run("update meters set deleted_at = now() where id = %s", self.deleted_meter_id)
        self.v1_meter_id = self._add_meter(V1_NUMBER)
        self.run(
            "update meters set communication_protocol = 'CALIN_V1', dcu_id = %s, last_seen_at = null where id = %s",
            self.v1_gateway_id,
            self.v1_meter_id,
        )

    def _add_gateway(self, reference: str, protocol: str) -> int:
        return int(
            self.one(
                "insert into dcus (external_reference, external_system, communication_protocol, grid_id, is_online)"
                " values (%s, 'CALIN', %s, %s, true) returning id",
                reference,
                protocol,
                self.grid_id,
            )
        )

    def _add_meter(self, number: str) -> int:
        account = self.one("insert into accounts (full_name) values ('Baker of Mbari') returning id")
        customer = self.one(
            "insert into customers (grid_id, account_id) values (%s, %s) returning id", self.grid_id, account
        )
        connection = self.one(
            "insert into connections (customer_id, currency, women_impacted, is_public, is_commercial,"
            " is_residential) values (%s, 'NGN', 1, false, false, true) returning id",
            customer,
        )
        meter = self.one(
            "insert into meters (external_reference, external_system, communication_protocol, connection_id,"
            " rls_grid_id, dcu_id, last_seen_at) values (%s, 'CALIN', 'CALIN_LORAWAN', %s, %s, %s, %s) returning id",
            number,
            connection,
            self.grid_id,
            self.gateway_ids[0],
            self.clock.now() - timedelta(minutes=30),
        )
        self.one("insert into wallets (meter_id) values (%s) returning id", meter)
        return int(meter)


_COLUMNS = {"power_limit_w": "power_limit", "phase": "meter_phase"}


KINDS = ("memory", "embedded", "service")
"""Stores of contract suites [R57]."""
OWN_KINDS = ("memory", "embedded")
"""Stores of use cases: what a service would show beside, the contract suites show already, and in less time."""
"""Where a village may stand: in memory, on the run's own server, on that of NXT_TEST_POSTGRES_URL [R57]."""


@asynccontextmanager
async def village(request: pytest.FixtureRequest, kind: str) -> AsyncIterator[MetersWorld]:
    """Build the village for one test."""
    if kind == "memory":
        yield MemoryVillage()
    elif kind == "embedded":
        async with postgres_village(request.getfixturevalue("relational_url")) as built:
            yield built
    else:
        try:
            server = databases.server_from_environment("NXT_TEST_POSTGRES_URL")
        except databases.Unobtainable as reason:
            pytest.skip(str(reason))
        with databases.fresh_database(server, "relational") as url:
            async with postgres_village(url) as built:
                yield built


@asynccontextmanager
async def postgres_village(url: str) -> AsyncIterator[PostgresVillage]:
    """Build the village in a migrated database, and let go of it afterwards."""
    village = PostgresVillage(url, create_engine(url, pool_size=24))
    try:
        yield village
    finally:
        await village.close()


def _gateway(gateway_id: int, reference: str, protocol: CommunicationProtocol) -> Gateway:
    return Gateway(id=gateway_id, external_reference=reference, communication_protocol=protocol, is_online=True)


def _meter(meter_id: int, number: str, seen: datetime | None, dcu_id: int | None = None) -> Meter:
    return Meter(
        id=meter_id,
        external_reference=number,
        communication_protocol=RADIO,
        phase=MeterPhase.SINGLE_PHASE,
        connection_id=700 + meter_id,
        customer_account_id=800 + meter_id,
        grid_id=50,
        organization_id=9,
        dcu_id=dcu_id,
        tariff=TARIFF,
        last_seen_at=seen,
    )
