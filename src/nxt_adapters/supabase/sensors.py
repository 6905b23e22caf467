"""Sensors of sites: ``devices``, their log, and the counters of the meters behind them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from nxt_adapters.supabase.engine import dump_json
from nxt_domain.grids.sensors import PulseOutcome
from nxt_domain.shared.json import Json

_FIND: Final = text("select id from public.devices where external_reference = :external_reference")
_LOG: Final = text("insert into public.device_logs (device_id, message) values (:device_id, :message)")
_KEEP: Final = text("""update public.devices set "values" = cast(:values as jsonb) where id = :device_id""")
# The largest counter that the column holds; a device that tells more is broken.
_COUNT: Final = text(
    """
    with behind as (
        select m.id, exists (
                select from public.connections c join public.wallets w on w.customer_id = c.customer_id
                where c.id = m.connection_id) as has_wallet
        from public.meters m where m.device_id = :device_id and m.deleted_at is null
    ), written as (
        update public.meters m set pulse_counter_kwh = :energy_kwh, pulse_counter_kwh_updated_at = now()
        from behind
        where m.id = behind.id and behind.has_wallet and abs(cast(:energy_kwh as numeric)) < 1e11
            and (m.pulse_counter_kwh_updated_at is null
                or m.pulse_counter_kwh_updated_at < now() - interval '30 minutes')
        returning m.id
    )
    select behind.has_wallet, exists (select from written) as is_written from behind
    """
)


class PostgresSensors:
    """``Sensors`` on the relational plane.

    Args:
        connection: The open transaction's.
    """

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, external_reference: str) -> int | None:
        """See ``Sensors.find``."""
        found = await self._connection.execute(_FIND, {"external_reference": external_reference})
        return found.scalar_one_or_none()

    async def log(self, device_id: int, message: Json) -> None:
        """See ``Sensors.log``."""
        await self._connection.execute(_LOG, {"device_id": device_id, "message": dump_json(message)})

    async def keep_values(self, device_id: int, values: Json) -> None:
        """See ``Sensors.keep_values``."""
        await self._connection.execute(_KEEP, {"device_id": device_id, "values": dump_json(values)})

    async def count(self, device_id: int, energy_kwh: Decimal) -> PulseOutcome:
        """See ``Sensors.count``."""
        values = {"device_id": device_id, "energy_kwh": energy_kwh}
        row = (await self._connection.execute(_COUNT, values)).one_or_none()
        if row is None:
            return PulseOutcome.NO_METER
        if not row.has_wallet:
            return PulseOutcome.NO_WALLET
        return PulseOutcome.WRITTEN if row.is_written else PulseOutcome.TOO_SOON
