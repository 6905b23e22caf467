"""Which interaction is which command, who understands it, and how urgent it is [MET 4.2-4.3, 5.5]."""

from __future__ import annotations

from nxt_domain.grids.model import CommunicationProtocol, MeterPhase
from nxt_domain.messaging.model import CommandType, Phase
from nxt_domain.meters.model import InteractionType, Origin

_T = InteractionType

PHASE_SPECIFIC_READS = frozenset({_T.READ_VOLTAGE, _T.READ_CURRENT})
READS = PHASE_SPECIFIC_READS | {
    _T.READ_POWER,
    _T.READ_POWER_LIMIT,
    _T.READ_CREDIT,
    _T.READ_VERSION,
    _T.READ_DATE,
    _T.READ_TIME,
}
RELAY_CONTROLS = frozenset({_T.TURN_ON, _T.TURN_OFF})
CLOCK_WRITES = frozenset({_T.SET_DATE, _T.SET_TIME})
GENERATED_TOKENS = frozenset({_T.CLEAR_CREDIT, _T.CLEAR_TAMPER, _T.SET_POWER_LIMIT, _T.TOP_UP})
TOKENS = GENERATED_TOKENS | {_T.DELIVER_PREEXISTING_TOKEN}
VALUE_TOKENS = frozenset({_T.TOP_UP, _T.DELIVER_PREEXISTING_TOKEN})
CREDIT_CHANGES = VALUE_TOKENS | {_T.CLEAR_CREDIT}
"""Followed by a read of the credit, because only the meter knows its total [MET-84]."""

_COMMISSIONING_SEQUENCE = (
    _T.CLEAR_TAMPER,
    _T.CLEAR_CREDIT,
    _T.SET_POWER_LIMIT,
    _T.READ_VOLTAGE,
    _T.READ_POWER,
    _T.TOP_UP,
)

_UNSUPPORTED: dict[CommunicationProtocol, frozenset[InteractionType]] = {
    CommunicationProtocol.CALIN_LORAWAN: frozenset({_T.READ_VERSION}),
    CommunicationProtocol.CALIN_V1: frozenset({_T.READ_TIME, _T.SET_TIME}),
    CommunicationProtocol.CALIN_V2: frozenset({_T.READ_TIME, _T.SET_TIME}),
}

_PLUGINS = {
    CommunicationProtocol.CALIN_LORAWAN: "calin-chirpstack",
    CommunicationProtocol.CALIN_V1: "calin-api-v1",
    CommunicationProtocol.CALIN_V2: "calin-api-v2",
}


def is_supported(kind: InteractionType, protocol: CommunicationProtocol) -> bool:
    """Whether meters of a protocol understand an interaction [MET-46]."""
    return kind not in _UNSUPPORTED[protocol]


def plugin_of(protocol: CommunicationProtocol) -> str:
    """Name the delivery plug-in of a protocol [DM-174]."""
    return _PLUGINS[protocol]


def command_of(kind: InteractionType) -> CommandType:
    """Translate to the delivery layer's word: ``TOP_UP`` is ``TOP_UP_KWH`` there [DM 2.1]."""
    return CommandType.TOP_UP_KWH if kind is _T.TOP_UP else CommandType(kind.value)


def interaction_type_of(command: CommandType) -> InteractionType:
    """Translate from the delivery layer's word."""
    return _T.TOP_UP if command is CommandType.TOP_UP_KWH else InteractionType(command.value)


def phases_of(kind: InteractionType, phase: MeterPhase, protocol: CommunicationProtocol) -> tuple[Phase | None, ...]:
    """Tell which messages an interaction becomes: one without phase, or one for each of A, B and C [MET-47]."""
    if phase is MeterPhase.SINGLE_PHASE or protocol is CommunicationProtocol.CALIN_V2:
        return (None,)
    per_phase = set(PHASE_SPECIFIC_READS)
    if protocol is CommunicationProtocol.CALIN_LORAWAN:
        per_phase.add(_T.READ_POWER)
    return tuple(Phase) if kind in per_phase else (None,)


def priority_of(kind: InteractionType, origin: Origin) -> int:
    """Rank an interaction; higher is sooner [MET-71].

    A follow-up or verification takes the rank that its own type would have if the followed one's origin asked for
    it: call with that origin.
    """
    if origin is Origin.COMMISSIONING:
        return _commissioning_priority(kind)
    if kind is _T.CLEAR_CREDIT:
        return 60
    if kind is _T.TOP_UP:
        return 50
    is_read = kind in READS
    if origin is Origin.USER:
        return 30 if is_read else 40
    if origin is Origin.RECONCILER and not is_read:
        return 15
    return 10 if is_read or kind not in TOKENS | RELAY_CONTROLS | CLOCK_WRITES else 20


def _commissioning_priority(kind: InteractionType) -> int:
    if kind not in _COMMISSIONING_SEQUENCE:
        return 60
    return 50 + 10 * (5 - _COMMISSIONING_SEQUENCE.index(kind))
