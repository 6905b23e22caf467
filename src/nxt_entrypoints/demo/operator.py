"""The demo's people and things, as rows: an operator, its staff, villages, customers, meters and wallets."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import attrs
from sqlalchemy import Connection, Table, insert, select, update

from nxt_adapters.supabase.tables import (
    agents,
    connection_requested_meters,
    connections,
    customers,
    dcus,
    grids,
    meter_commissionings,
    metering_hardware_imports,
    metering_hardware_install_sessions,
    meters,
    mppts,
    organizations,
    poles,
    wallets,
)
from nxt_entrypoints.demo.logins import Login, seed_member, seed_residents
from nxt_entrypoints.demo.villages import ChargerPlan, House, VillagePlan

OPERATOR = "Lakeside Mini-Grids"
OPERATOR_EMAIL = "admin@lakeside.example"
_INSTALLED_BEFORE = timedelta(days=90)
_POWER_LIMIT_W = 2000
_CONNECTION_FEE = Decimal(15_000)


@attrs.frozen(kw_only=True)
class SeededMeter:
    """A seeded meter with all that its history needs to know."""

    id: int
    house: House
    grid_id: int
    wallet_id: int
    customer_id: int
    connection_id: int
    account_id: int


@attrs.frozen(kw_only=True)
class SeededVillage:
    """A seeded grid."""

    plan: VillagePlan
    grid_id: int
    agent_id: int
    agent_account_id: int
    agent_name: str
    agent_wallet_id: int
    meters: Sequence[SeededMeter]


@attrs.frozen(kw_only=True)
class SeededOperator:
    """The operator organization and everything under it."""

    organization_id: int
    wallet_id: int
    admin: Login
    service: Login
    villages: Sequence[SeededVillage]


def existing_operator(connection: Connection) -> int | None:
    """Find the operator of an earlier seeding."""
    query = select(organizations.c.id).where(organizations.c.name == OPERATOR)
    return connection.execute(query).scalar_one_or_none()


def seed_operator(
    connection: Connection, plans: Sequence[VillagePlan], *, platform_organization_id: int, now: datetime
) -> SeededOperator:
    """Insert the operator and its villages; set-based, in the caller's transaction.

    Args:
        connection: As the owner of the tables.
        plans: The villages.
        platform_organization_id: Where the service account lives.
        now: Aware UTC.
    """
    organization_id = _one(connection, organizations, {"name": OPERATOR, "email": "office@lakeside.example"})
    wallet_id = _one(connection, wallets, {"organization_id": organization_id})
    admin = seed_member(connection, organization_id, OPERATOR_EMAIL, "Operations Desk", "FINANCE")
    service = seed_member(
        connection, platform_organization_id, "service@platform.example", "Service Account", "SERVICE"
    )
    villages = [
        _seed_village(connection, plan, organization_id, admin.account_id, now, ordinal)
        for ordinal, plan in enumerate(plans, start=1)
    ]
    return SeededOperator(
        organization_id=organization_id, wallet_id=wallet_id, admin=admin, service=service, villages=villages
    )


def _seed_village(
    connection: Connection, plan: VillagePlan, organization_id: int, author_id: int, now: datetime, ordinal: int
) -> SeededVillage:
    grid_id = _seed_grid(connection, plan, organization_id, now)
    pole_ids = _many(connection, poles, [_pole(plan, grid_id, ordinal, index) for index in range(plan.poles)])
    dcu_ids = _many(connection, dcus, [_gateway(plan, grid_id, eui, now) for eui in plan.gateways])
    agent_name = f"{plan.name} Sales Point"
    person = {"full_name": agent_name, "phone": f"23481{ordinal:02d}000001"}
    (agent_account,) = seed_residents(connection, "AGENT", organization_id, grid_id, [person])
    agent_id = _one(connection, agents, {"grid_id": grid_id, "account_id": agent_account})
    agent_wallet = _one(connection, wallets, {"agent_id": agent_id})
    seeded = _seed_meters(connection, plan, grid_id, organization_id, author_id, pole_ids, dcu_ids, now)
    return SeededVillage(
        plan=plan,
        grid_id=grid_id,
        agent_id=agent_id,
        agent_account_id=agent_account,
        agent_name=agent_name,
        agent_wallet_id=agent_wallet,
        meters=seeded,
    )


def _seed_grid(connection: Connection, plan: VillagePlan, organization_id: int, now: datetime) -> int:
    grid_id = _one(
        connection,
        grids,
        {
            "name": plan.name,
            "organization_id": organization_id,
            "timezone": plan.timezone,
            "kwh_tariff_essential_service": plan.tariff,
            "kwh_tariff_full_service": plan.tariff,
            "kwp": sum((charger.kw for charger in plan.chargers), Decimal(0)),
            "kwh": Decimal(60),
            "generation_external_site_id": plan.site_id,
            "generation_external_gateway_id": plan.portal_id,
            "is_hps_on": True,
            "is_hps_on_updated_at": now,
            "is_hps_on_threshold_kw": 0.2,
            "is_hidden_from_reporting": False,
            "are_all_dcus_online": True,
            "is_automatic_meter_energy_consumption_data_sync_enabled": True,
            "is_automatic_energy_generation_data_sync_enabled": True,
            "default_hps_connection_fee": _CONNECTION_FEE,
            "deployed_at": now - _INSTALLED_BEFORE,
            "commissioned_at": now - _INSTALLED_BEFORE,
            "location_geom": _point(plan.longitude, plan.latitude),
        },
    )
    _many(connection, mppts, [_charger(charger, grid_id, now) for charger in plan.chargers])
    return grid_id


def _seed_meters(
    connection: Connection,
    plan: VillagePlan,
    grid_id: int,
    organization_id: int,
    author_id: int,
    pole_ids: Sequence[int],
    dcu_ids: Sequence[int],
    now: datetime,
) -> Sequence[SeededMeter]:
    houses = plan.houses
    people = [{"full_name": house.name, "phone": house.phone} for house in houses]
    account_ids = seed_residents(connection, "CUSTOMER", organization_id, grid_id, people)
    customer_ids = _many(connection, customers, [_customer(grid_id, account_id) for account_id in account_ids])
    pairs = zip(houses, customer_ids, strict=True)
    connection_ids = _many(connection, connections, [_connection(house, customer_id) for house, customer_id in pairs])
    _many(connection, connection_requested_meters, [_requested(connection_id) for connection_id in connection_ids])
    _many(connection, wallets, [{"connection_id": c, "wallet_type": "VIRTUAL"} for c in connection_ids])
    meter_ids = _many(
        connection,
        meters,
        [
            _meter(
                house, connection_id, grid_id, pole_ids[house.pole % len(pole_ids)], dcu_ids[index % len(dcu_ids)], now
            )
            for index, (house, connection_id) in enumerate(zip(houses, connection_ids, strict=True))
        ],
    )
    wallet_ids = _many(connection, wallets, [{"meter_id": meter_id} for meter_id in meter_ids])
    _install(connection, meter_ids, author_id)
    return [
        SeededMeter(
            id=meter_ids[index],
            house=house,
            grid_id=grid_id,
            wallet_id=wallet_ids[index],
            customer_id=customer_ids[index],
            connection_id=connection_ids[index],
            account_id=account_ids[index],
        )
        for index, house in enumerate(houses)
    ]


def _install(connection: Connection, meter_ids: Sequence[int], author_id: int) -> None:
    """Write each meter's finished installation, which makes it ready to be topped up [PAY-54]."""
    session_ids = _many(
        connection,
        metering_hardware_install_sessions,
        [{"meter_id": meter_id, "author_id": author_id} for meter_id in meter_ids],
    )
    link = "metering_hardware_install_session_id"
    import_ids = _many(
        connection,
        metering_hardware_imports,
        [{link: session, "metering_hardware_import_status": "SUCCESSFUL"} for session in session_ids],
    )
    commissioning_ids = _many(
        connection,
        meter_commissionings,
        [
            {link: session, "meter_commissioning_status": "SUCCESSFUL", "total_steps": 6, "successful_steps": 6}
            for session in session_ids
        ],
    )
    for index, session in enumerate(session_ids):
        connection.execute(
            update(metering_hardware_install_sessions)
            .where(metering_hardware_install_sessions.c.id == session)
            .values(
                last_metering_hardware_import_id=import_ids[index],
                last_meter_commissioning_id=commissioning_ids[index],
            )
        )
        connection.execute(
            update(meters)
            .where(meters.c.id == meter_ids[index])
            .values(last_metering_hardware_install_session_id=session)
        )


def _pole(plan: VillagePlan, grid_id: int, ordinal: int, index: int) -> dict[str, object]:
    return {
        "external_reference": f"{ordinal:02d}{index + 1:04d}",
        "grid_id": grid_id,
        "location_accuracy": 3.0,
        "location_geom": _point(plan.longitude + 0.0006 * index, plan.latitude + 0.0004 * (index % 5)),
    }


def _gateway(plan: VillagePlan, grid_id: int, eui: str, now: datetime) -> dict[str, object]:
    return {
        "external_reference": eui,
        "external_system": "CALIN",
        "communication_protocol": "CALIN_LORAWAN",
        "grid_id": grid_id,
        "is_online": True,
        "is_online_updated_at": now,
        "last_online_at": now,
        "location_geom": _point(plan.longitude, plan.latitude),
    }


def _charger(charger: ChargerPlan, grid_id: int, now: datetime) -> dict[str, object]:
    return {
        "external_reference": charger.reference,
        "external_id": str(charger.instance),
        "kw": charger.kw,
        "azimuth": float(charger.azimuth),
        "tilt": float(charger.tilt),
        "installed_at": now - _INSTALLED_BEFORE,
        "grid_id": grid_id,
    }


def _customer(grid_id: int, account_id: int) -> dict[str, object]:
    return {"grid_id": grid_id, "account_id": account_id, "total_connection_fee": _CONNECTION_FEE}


def _connection(house: House, customer_id: int) -> dict[str, object]:
    return {
        "customer_id": customer_id,
        "upload_uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, house.meter_number)),
        "currency": "NGN",
        "women_impacted": house.women_impacted,
        "is_public": False,
        "is_commercial": house.is_commercial,
        "is_residential": not house.is_commercial,
    }


def _requested(connection_id: int) -> dict[str, object]:
    return {
        "connection_id": connection_id,
        "meter_type": "HPS",
        "meter_phase": "SINGLE_PHASE",
        "fee": _CONNECTION_FEE,
    }


def _meter(
    house: House, connection_id: int, grid_id: int, pole_id: int, dcu_id: int, now: datetime
) -> dict[str, object]:
    return {
        "external_reference": house.meter_number,
        "external_system": "CALIN",
        "communication_protocol": "CALIN_LORAWAN",
        "meter_type": "HPS",
        "connection_id": connection_id,
        "rls_grid_id": grid_id,
        "pole_id": pole_id,
        "dcu_id": dcu_id,
        "is_on": True,
        "is_on_updated_at": now,
        "should_be_on": True,
        "should_be_on_updated_at": now,
        "power_limit": _POWER_LIMIT_W,
        "power_limit_updated_at": now,
        "power_limit_should_be": _POWER_LIMIT_W,
        "power_limit_should_be_updated_at": now,
        "last_seen_at": now,
        # A write-only column: the jobs role seals it [REL-141].
        "decoder_key": secrets.token_hex(8).upper(),
    }


def _point(longitude: float, latitude: float) -> dict[str, object]:
    return {"type": "Point", "coordinates": [round(longitude, 6), round(latitude, 6)]}


def _one(connection: Connection, table: Table, row: Mapping[str, object]) -> int:
    return _many(connection, table, [row])[0]


def _many(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> Sequence[int]:
    """Insert rows in one statement and return their ids in the same order."""
    statement = insert(table).values([dict(row) for row in rows]).returning(table.c.id)
    return sorted(connection.execute(statement).scalars())
