"""Meters, interactions and events with everything in order, to be changed by tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from nxt_domain.grids.model import CommunicationProtocol, Gateway, GridTwin
from nxt_domain.meters.model import (
    Interaction,
    InteractionFailure,
    InteractionStatus,
    InteractionType,
    Meter,
    Origin,
)

NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
RADIO, V1, V2 = (
    CommunicationProtocol.CALIN_LORAWAN,
    CommunicationProtocol.CALIN_V1,
    CommunicationProtocol.CALIN_V2,
)


def a_meter(**changes: Any) -> Meter:
    """A radio meter that was heard half an hour ago."""
    meter = Meter(
        id=7,
        external_reference="47001000117",
        communication_protocol=RADIO,
        connection_id=70,
        customer_account_id=80,
        grid_id=50,
        organization_id=9,
        dcu_id=1,
        dcu_external_reference="a84041ffff210001",
        tariff=Decimal(250),
        last_seen_at=NOW - timedelta(minutes=30),
    )
    return attrs.evolve(meter, **changes)


def a_twin(*, is_energised: bool = True, online: tuple[bool, ...] = (True,), protocol: Any = RADIO) -> GridTwin:
    """A grid with gateways 1, 2, … of one protocol."""
    gateways = [
        Gateway(id=number, external_reference=f"gw{number}", communication_protocol=protocol, is_online=is_online)
        for number, is_online in enumerate(online, start=1)
    ]
    return GridTwin(grid_id=50, is_energised=is_energised, gateways=gateways)


def an_interaction(kind: InteractionType = InteractionType.TOP_UP, **changes: Any) -> Interaction:
    """A queued top-up of 10 kWh."""
    interaction = Interaction(
        id=300,
        created_at=NOW,
        updated_at=NOW,
        meter_id=7,
        type=kind,
        status=InteractionStatus.QUEUED,
        origin=Origin.ORDER if kind is InteractionType.TOP_UP else Origin.USER,
        energy_kwh=Decimal(10) if kind is InteractionType.TOP_UP else None,
    )
    return attrs.evolve(interaction, **changes)


def a_record(age_min: float = 0, **changes: Any) -> InteractionFailure:
    """A failure record some minutes ago."""
    record = InteractionFailure(timestamp=NOW - timedelta(minutes=age_min), status="SENT_TO_DEVICE", reason="timed out")
    return attrs.evolve(record, **changes)
