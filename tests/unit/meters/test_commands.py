"""Which interaction is which command, who understands it, how urgent it is."""

from __future__ import annotations

import pytest
from tests.unit.meters.meters_samples import RADIO, V1, V2

from nxt_domain.grids.model import CommunicationProtocol, MeterPhase
from nxt_domain.messaging.model import CommandType, Phase
from nxt_domain.meters.commands import (
    CREDIT_CHANGES,
    command_of,
    interaction_type_of,
    is_supported,
    phases_of,
    plugin_of,
    priority_of,
)
from nxt_domain.meters.model import InteractionType, Origin

_T = InteractionType
SINGLE, THREE = MeterPhase.SINGLE_PHASE, MeterPhase.THREE_PHASE
ALL_PHASES = (Phase.A, Phase.B, Phase.C)
UNSUPPORTED = {(_T.READ_VERSION, RADIO)} | {(kind, api) for kind in (_T.READ_TIME, _T.SET_TIME) for api in (V1, V2)}
COMMANDS = sorted(set(_T) - {_T.READ_REPORT, _T.JOIN_NETWORK})


@pytest.mark.parametrize("protocol", CommunicationProtocol)
@pytest.mark.parametrize("kind", COMMANDS)
def test_met_46_what_each_protocol_can_do(kind: InteractionType, protocol: CommunicationProtocol) -> None:
    assert is_supported(kind, protocol) == ((kind, protocol) not in UNSUPPORTED)


@pytest.mark.parametrize(
    ("kind", "phase", "protocol", "expected"),
    [
        (_T.READ_VOLTAGE, THREE, RADIO, ALL_PHASES),
        (_T.READ_CURRENT, THREE, RADIO, ALL_PHASES),
        (_T.READ_POWER, THREE, RADIO, ALL_PHASES),
        (_T.READ_VOLTAGE, THREE, V1, ALL_PHASES),
        (_T.READ_CURRENT, THREE, V1, ALL_PHASES),
        (_T.READ_POWER, THREE, V1, (None,)),
        (_T.READ_VOLTAGE, THREE, V2, (None,)),
        (_T.READ_POWER, THREE, V2, (None,)),
        (_T.TOP_UP, THREE, RADIO, (None,)),
        (_T.READ_CREDIT, THREE, RADIO, (None,)),
        (_T.READ_VOLTAGE, SINGLE, RADIO, (None,)),
    ],
)
def test_met_47_messages_per_phase(
    kind: InteractionType, phase: MeterPhase, protocol: CommunicationProtocol, expected: tuple[Phase | None, ...]
) -> None:
    assert phases_of(kind, phase, protocol) == expected


@pytest.mark.parametrize(
    ("kind", "origin", "rank"),
    [
        (_T.CLEAR_TAMPER, Origin.COMMISSIONING, 100),
        (_T.CLEAR_CREDIT, Origin.COMMISSIONING, 90),
        (_T.SET_POWER_LIMIT, Origin.COMMISSIONING, 80),
        (_T.READ_VOLTAGE, Origin.COMMISSIONING, 70),
        (_T.READ_POWER, Origin.COMMISSIONING, 60),
        (_T.TOP_UP, Origin.COMMISSIONING, 50),
        (_T.TURN_ON, Origin.COMMISSIONING, 60),
        (_T.CLEAR_CREDIT, Origin.USER, 60),
        (_T.CLEAR_CREDIT, Origin.BATCH, 60),
        (_T.TOP_UP, Origin.ORDER, 50),
        (_T.TOP_UP, Origin.USER, 50),
        (_T.TURN_ON, Origin.USER, 40),
        (_T.SET_POWER_LIMIT, Origin.USER, 40),
        (_T.SET_TIME, Origin.USER, 40),
        (_T.DELIVER_PREEXISTING_TOKEN, Origin.USER, 40),
        (_T.READ_CREDIT, Origin.USER, 30),
        (_T.TURN_OFF, Origin.BATCH, 20),
        (_T.SET_DATE, Origin.BATCH, 20),
        (_T.SET_POWER_LIMIT, Origin.BATCH, 20),
        (_T.READ_CREDIT, Origin.BATCH, 10),
        (_T.READ_REPORT, Origin.UNSOLICITED, 10),
        pytest.param(_T.SET_POWER_LIMIT, Origin.RECONCILER, 15, id="MET-72"),
        pytest.param(_T.TURN_ON, Origin.RECONCILER, 15, id="MET-72 relay"),
    ],
)
def test_met_71_priorities(kind: InteractionType, origin: Origin, rank: int) -> None:
    """[DM-32] The same table."""
    assert priority_of(kind, origin) == rank


@pytest.mark.parametrize("kind", COMMANDS)
def test_dm_2_1_names_of_commands_round_trip(kind: InteractionType) -> None:
    assert interaction_type_of(command_of(kind)) is kind


def test_only_the_top_up_is_called_otherwise() -> None:
    renamed = {kind: command_of(kind) for kind in COMMANDS if command_of(kind).value != kind.value}
    assert renamed == {_T.TOP_UP: CommandType.TOP_UP_KWH}


def test_dm_174_plug_ins() -> None:
    """[DM-174] One for each protocol there is."""
    named = {protocol: plugin_of(protocol) for protocol in CommunicationProtocol}
    assert named == {RADIO: "calin-chirpstack", V1: "calin-api-v1", V2: "calin-api-v2"}


def test_met_84_what_changes_the_credit() -> None:
    assert {_T.TOP_UP, _T.CLEAR_CREDIT, _T.DELIVER_PREEXISTING_TOKEN} == CREDIT_CHANGES
