"""Decoder keys of the demo's meters: sealed in the database, and in the simulated meters as their makers put them."""

from __future__ import annotations

from pathlib import Path

import attrs
from sqlalchemy import select

from nxt_adapters.supabase.decoder_keys import PostgresDecoderKeys
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.secret_store import PostgresSecretStore
from nxt_adapters.supabase.session import TransactionSession
from nxt_adapters.supabase.tables import meters
from nxt_adapters.system.secret_box import AesGcmBox
from nxt_entrypoints.simulators.fleet import Fleet, FleetMeter


async def share_meter_keys(relational_url: str, data_key: str, fleet_path: Path) -> None:
    """Seal the keys that seeding wrote, and give each simulated meter its own; what is done already stays.

    Args:
        relational_url: Of the database that holds the meters.
        data_key: ``NXT_SECRETS_KEYS`` of the demo.
        fleet_path: The simulated fleet.
    """
    box = AesGcmBox(data_key)
    engine = create_engine(relational_url, pool_size=1)
    try:
        store = PostgresSecretStore(engine, box)
        while await store.empty_inbox():
            pass
        fleet = Fleet.load(fleet_path)
        if all(meter.decoder_key for village in fleet.villages for meter in village.meters):
            return
        async with engine.connect() as connection:
            rows = (await connection.execute(select(meters.c.id, meters.c.external_reference))).all()
            decoder_keys = PostgresDecoderKeys(TransactionSession(connection), lambda: box)
            keys = await decoder_keys.of_meters([row.id for row in rows])
    finally:
        await engine.dispose()
    by_number = {row.external_reference: keys[row.id].reveal() for row in rows if row.id in keys}
    villages = [
        attrs.evolve(village, meters=tuple(_with_key(meter, by_number) for meter in village.meters))
        for village in fleet.villages
    ]
    attrs.evolve(fleet, villages=tuple(villages)).save(fleet_path)


def _with_key(meter: FleetMeter, by_number: dict[str, str]) -> FleetMeter:
    return attrs.evolve(meter, decoder_key=meter.decoder_key or by_number.get(meter.number, ""))
