"""Meters: what is needed to command them, and what they proved of themselves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sqlalchemy import ARRAY, Integer, String, any_, bindparam, select

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.order_rows import tariffs_of
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import connections, customers, dcus, grids, meters
from nxt_adapters.supabase.written import Read, Record, Written
from nxt_domain.grids.model import CommunicationProtocol, MeterPhase
from nxt_domain.grids.tariffs import tariff_of_meter
from nxt_domain.meters.model import Meter, MeterObservation

_FACTS: Final = (
    select(
        meters.c.id,
        meters.c.external_reference,
        meters.c.communication_protocol,
        meters.c.meter_phase,
        meters.c.meter_type,
        meters.c.version,
        meters.c.is_test_mode_on,
        meters.c.connection_id,
        meters.c.dcu_id,
        meters.c.power_limit,
        meters.c.kwh_tariff,
        meters.c.last_seen_at,
        meters.c.last_sts_token_issued_at,
        dcus.c.external_reference.label("dcu_external_reference"),
        customers.c.account_id.label("customer_account_id"),
        grids.c.id.label("grid_id"),
        grids.c.organization_id,
        grids.c.kwh_tariff_essential_service,
        grids.c.kwh_tariff_full_service,
        grids.c.uses_dual_meter_setup,
    )
    .select_from(
        meters.outerjoin(dcus, dcus.c.id == meters.c.dcu_id)
        .outerjoin(connections, connections.c.id == meters.c.connection_id)
        .outerjoin(customers, customers.c.id == connections.c.customer_id)
        .outerjoin(grids, grids.c.id == customers.c.grid_id)
    )
    .where(meters.c.deleted_at.is_(None))
)

# Parameters are arrays: one plan for any number of meters. Key-share locks of foreign keys are not in the way.
_LOCK: Final = Written(
    _FACTS.where(meters.c.id == any_(bindparam("ids", type_=ARRAY(Integer))))
    .order_by(meters.c.id)
    .with_for_update(of=meters, key_share=True)
)

_IDS_OF: Final = Read(
    select(meters.c.external_reference, meters.c.id).where(
        meters.c.external_reference == any_(bindparam("numbers", type_=ARRAY(String))),
        meters.c.external_system == "CALIN",
        meters.c.deleted_at.is_(None),
    )
)

# One statement for any number of observations: each value is taken from the newest observation that has it, and only
# if the stored one is not newer [MET-83]. Shadows hold the truth; the columns of `meters` are their projection, whose
# times have milliseconds, so that is how all times are compared. The caller holds the rows of the meters.
_OBSERVE: Final = Written(
    """
    with news as (
        select * from jsonb_to_recordset(cast(:observations as jsonb)) as o(
            ordinal int, meter_id int, observed_at timestamptz(3), interaction_id bigint, seen boolean,
            relay_on boolean, credit_kwh numeric, balance numeric, power_limit_w int, voltage_v numeric,
            power_kw numeric, version text, snr double precision, rssi double precision, gateway_id int)
    ),
    reported as (
        select distinct on (r.meter_id, r.attribute) r.*, m.rls_grid_id as grid_id
        from (
            select meter_id, 'relay' as attribute, cast(relay_on as int) as value, observed_at, interaction_id, ordinal
            from news where relay_on is not null
            union all
            select meter_id, 'power_limit', power_limit_w, observed_at, interaction_id, ordinal
            from news where power_limit_w is not null
        ) r
        join meters m on m.id = r.meter_id and r.observed_at >= coalesce(
            case r.attribute when 'relay' then m.is_on_updated_at else m.power_limit_updated_at end, r.observed_at)
        order by r.meter_id, r.attribute, r.observed_at desc, r.ordinal desc
    ),
    relay as (select * from reported where attribute = 'relay'),
    power_limit as (select * from reported where attribute = 'power_limit'),
    shadows as (
        insert into meter_shadows as s (meter_id, attribute, reported, reported_at, reported_by_id, last_event_at)
        select meter_id, cast(attribute as shadow_attribute_enum), value, observed_at, interaction_id, observed_at
        from reported order by meter_id, attribute
        on conflict (meter_id, attribute) do update set
            reported = excluded.reported, reported_at = excluded.reported_at,
            reported_by_id = excluded.reported_by_id, last_event_at = excluded.last_event_at
        where s.reported_at is null or s.reported_at <= excluded.reported_at
        returning s.meter_id, s.attribute
    ),
    history as (
        insert into meter_state_events (meter_id, attribute, event, actor, meter_interaction_id, grid_id, data)
        select r.meter_id, r.attribute, 'REPORTED_SET', 'DEVICE', r.interaction_id, r.grid_id,
            jsonb_build_object('reported', r.value, 'previous', before.reported, 'observed_at', r.observed_at)
        from reported r
            join shadows on shadows.meter_id = r.meter_id and cast(shadows.attribute as text) = r.attribute
            left join meter_shadows before
                on before.meter_id = r.meter_id and cast(before.attribute as text) = r.attribute
        where before.reported is distinct from r.value
    ),
    credit as (
        select distinct on (n.meter_id) n.meter_id, n.credit_kwh, n.balance, n.observed_at
        from news n join meters m on m.id = n.meter_id
            and n.observed_at >= coalesce(m.kwh_credit_available_updated_at, n.observed_at)
        where n.credit_kwh is not null order by n.meter_id, n.observed_at desc, n.ordinal desc
    ),
    voltage as (
        select distinct on (n.meter_id) n.meter_id, n.voltage_v, n.observed_at
        from news n join meters m on m.id = n.meter_id
            and n.observed_at >= coalesce(m.voltage_updated_at, n.observed_at)
        where n.voltage_v is not null order by n.meter_id, n.observed_at desc, n.ordinal desc
    ),
    power as (
        select distinct on (n.meter_id) n.meter_id, n.power_kw, n.observed_at
        from news n join meters m on m.id = n.meter_id
            and n.observed_at >= coalesce(m.power_updated_at, n.observed_at)
        where n.power_kw is not null order by n.meter_id, n.observed_at desc, n.ordinal desc
    ),
    firmware as (
        select distinct on (meter_id) meter_id, version from news
        where version is not null order by meter_id, observed_at desc, ordinal desc
    ),
    radio as (
        select distinct on (n.meter_id) n.meter_id, n.snr, n.rssi, n.gateway_id, n.observed_at
        from news n join meters m on m.id = n.meter_id and n.observed_at >= coalesce(
            cast(m.connection_metrics ->> 'updated_at' as timestamptz), n.observed_at)
        where n.snr is not null order by n.meter_id, n.observed_at desc, n.ordinal desc
    ),
    seen as (select meter_id, max(observed_at) filter (where seen) as at from news group by meter_id)
    update meters m set
        last_seen_at = greatest(m.last_seen_at, seen.at),
        is_on = coalesce(r.value <> 0, m.is_on),
        is_on_updated_at = coalesce(r.observed_at, m.is_on_updated_at),
        power_limit = coalesce(l.value, m.power_limit),
        power_limit_updated_at = coalesce(l.observed_at, m.power_limit_updated_at),
        kwh_credit_available = coalesce(c.credit_kwh, m.kwh_credit_available),
        kwh_credit_available_updated_at = coalesce(c.observed_at, m.kwh_credit_available_updated_at),
        balance = coalesce(c.balance, m.balance),
        balance_updated_at = case when c.balance is null then m.balance_updated_at else c.observed_at end,
        voltage = coalesce(v.voltage_v, m.voltage),
        voltage_updated_at = coalesce(v.observed_at, m.voltage_updated_at),
        power = coalesce(p.power_kw, m.power),
        power_updated_at = coalesce(p.observed_at, m.power_updated_at),
        version = coalesce(f.version, m.version),
        connection_metrics = case when q.meter_id is null then m.connection_metrics else jsonb_build_object(
            'snr', q.snr, 'rssi', q.rssi,
            'updated_at', to_char(q.observed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) end,
        dcu_id = coalesce(q.gateway_id, m.dcu_id)
    from seen
        left join relay r on r.meter_id = seen.meter_id
        left join power_limit l on l.meter_id = seen.meter_id
        left join credit c on c.meter_id = seen.meter_id
        left join voltage v on v.meter_id = seen.meter_id
        left join power p on p.meter_id = seen.meter_id
        left join firmware f on f.meter_id = seen.meter_id
        left join radio q on q.meter_id = seen.meter_id
    where m.id = seen.meter_id
    """
)


class PostgresMeters:
    """``Meters`` on the relational plane.

    Args:
        session: Of the unit of work.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def lock(self, meter_ids: Collection[int]) -> Mapping[int, Meter]:
        """See ``Meters.lock``."""
        if not meter_ids:
            return {}
        rows = await self._session.objects(_LOCK, {"ids": list(meter_ids)})
        return {row.id: _meter(row) for row in rows}

    async def ids_of(self, numbers: Collection[str]) -> Mapping[str, int]:
        """See ``Meters.ids_of``."""
        if not numbers:
            return {}
        rows = await self._session.objects(_IDS_OF, {"numbers": list(numbers)})
        return {row.external_reference: row.id for row in rows}

    async def observe(self, observations: Sequence[MeterObservation]) -> None:
        """See ``Meters.observe``."""
        if observations:
            rows = [_observation(ordinal, observation) for ordinal, observation in enumerate(observations)]
            await self._session.run(_OBSERVE, {"observations": dump_json(rows)})


def _meter(row: Record) -> Meter:
    protocol = row.communication_protocol
    return Meter(
        id=row.id,
        external_reference=row.external_reference,
        communication_protocol=None if protocol is None else CommunicationProtocol(protocol),
        phase=MeterPhase(row.meter_phase),
        version=row.version,
        is_test_mode_on=row.is_test_mode_on,
        connection_id=row.connection_id,
        customer_account_id=row.customer_account_id,
        grid_id=row.grid_id,
        organization_id=row.organization_id,
        dcu_id=row.dcu_id,
        dcu_external_reference=row.dcu_external_reference,
        tariff=tariff_of_meter(tariffs_of(row)),
        power_limit_w=row.power_limit,
        last_seen_at=row.last_seen_at,
        last_sts_token_issued_at=row.last_sts_token_issued_at,
    )


def _observation(ordinal: int, observation: MeterObservation) -> dict[str, object]:
    return {
        "ordinal": ordinal,
        "meter_id": observation.meter_id,
        "observed_at": observation.observed_at,
        "interaction_id": observation.interaction_id,
        "seen": observation.seen,
        "relay_on": observation.relay_on,
        "credit_kwh": observation.credit_kwh,
        "balance": observation.balance,
        "power_limit_w": observation.power_limit_w,
        "voltage_v": observation.voltage_v,
        "power_kw": observation.power_kw,
        "version": observation.version,
        "snr": observation.snr,
        "rssi": observation.rssi,
        "gateway_id": observation.gateway_id,
    }
