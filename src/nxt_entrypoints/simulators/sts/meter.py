"""How an STS meter judges a token: thirteen kinds, nine checks, and a short memory [STS-59]."""

from collections.abc import Mapping
from decimal import Decimal

import attrs

from nxt_entrypoints.simulators.sts.cipher import unseal

_FIRST_OF_RANGE = (0, 16_384, 180_224, 1_818_624)
_TOP_CREDIT_KWH = Decimal("999999.9")
_ALL_REGISTERS = 0xFFFF
_INITIALISATION = 0
_CREDIT_REFUSING_TYPES = (1, 3)
_TIMED_WITHOUT_EFFECT = {(2, 2), (2, 6)}
_SECTIONS = {3: 1, 4: 2, 8: 3}


@attrs.frozen(kw_only=True)
class StsMemory:
    """What a meter knows of keys and tokens, and keeps over a power cut.

    Attributes:
        key: decoder key, 16 hexadecimal digits.
        key_type: 0 initialisation, 1 default, 2 unique, 3 common.
        key_revision: KRN.
        tariff_index: TI.
        supply_group: SGC; None until a third key change token tells it.
        key_expiry: KEN.
        tids: the last accepted token identifiers, at most ``size``.
        size: how many a full store holds; deployed meters differ.
        sections: bodies of a key change that is not complete yet, by section.
    """

    key: str = attrs.field(repr=False)
    key_type: int = 2
    key_revision: int = 1
    tariff_index: int = 1
    supply_group: int | None = None
    key_expiry: int = 255
    tids: tuple[int, ...] = ()
    size: int = 50
    sections: Mapping[str, int] = attrs.field(factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        if len(bytes.fromhex(self.key)) != 8:
            raise ValueError("a decoder key has 16 hexadecimal digits")

    def with_tid(self, tid: int) -> "StsMemory":
        """Store an identifier; the smallest one leaves a full store."""
        return attrs.evolve(self, tids=tuple(sorted({*self.tids, tid}))[-self.size :])


@attrs.frozen(kw_only=True)
class Judgement:
    """What a meter makes of a token.

    Attributes:
        result: ``ACCEPTED``, ``PENDING`` (a key change lacks sections), ``USED``, ``OLD``, or the reason of a refusal.
        memory: what the meter knows from now on.
        energy_kwh: added to the credit.
        power_limit_w: set, 0 is no limit; None: not touched.
        clears_credit: whether the credit is gone.
        clears_tamper: whether the tamper condition is over.
    """

    result: str
    memory: StsMemory
    energy_kwh: Decimal = Decimal(0)
    power_limit_w: int | None = None
    clears_credit: bool = False
    clears_tamper: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether the meter took the token."""
        return self.result in {"ACCEPTED", "PENDING"}


def judge(memory: StsMemory, digits: str, credit_kwh: Decimal) -> Judgement:
    """Check a token; the first check that fails is the result, and a refused token changes nothing."""
    opened = unseal(digits, int(memory.key, 16))
    if isinstance(opened, str):
        return Judgement(result=opened, memory=memory)
    token_class, body = opened
    kind = (token_class, body >> 44)
    if token_class == 1:
        return Judgement(result="ACCEPTED" if kind[1] < 2 else "UNSUPPORTED", memory=memory)
    if token_class == 2 and kind[1] in _SECTIONS:
        return _take_section(memory, _SECTIONS[kind[1]], body)
    return _take_timed(memory, kind, body, credit_kwh)


def _take_timed(memory: StsMemory, kind: tuple[int, int], body: int, credit_kwh: Decimal) -> Judgement:
    tid, value = body >> 16 & 0xFFFFFF, body & 0xFFFF
    effect = _effect(memory, kind, value)
    if effect is None:
        return Judgement(result="UNSUPPORTED", memory=memory)
    refusals = (
        ("DDTK", kind[0] == 0 and memory.key_type in _CREDIT_REFUSING_TYPES),
        ("KEY_EXPIRED", tid >> 16 > memory.key_expiry),
        ("USED", tid in memory.tids),
        ("OLD", len(memory.tids) >= memory.size and tid < min(memory.tids)),
        ("RANGE", (kind == (2, 1) and value not in {0, _ALL_REGISTERS}) or (kind == (2, 5) and value != 0)),
        ("OVERFLOW", credit_kwh + effect.energy_kwh > _TOP_CREDIT_KWH),
    )
    for reason, holds in refusals:
        if holds:
            return Judgement(result=reason, memory=memory)
    return attrs.evolve(effect, memory=memory.with_tid(tid))


def _effect(memory: StsMemory, kind: tuple[int, int], value: int) -> Judgement | None:
    """Return what a kind of token does when it is accepted, None for one that this meter doesn't know."""
    if kind == (0, 0):
        return Judgement(result="ACCEPTED", memory=memory, energy_kwh=Decimal(_units(value)).scaleb(-1))
    if kind == (2, 0):
        return Judgement(result="ACCEPTED", memory=memory, power_limit_w=_units(value))
    if kind == (2, 1):
        return Judgement(result="ACCEPTED", memory=memory, clears_credit=True)
    if kind == (2, 5):
        return Judgement(result="ACCEPTED", memory=memory, clears_tamper=True)
    return Judgement(result="ACCEPTED", memory=memory) if kind in _TIMED_WITHOUT_EFFECT else None


def _units(field: int) -> int:
    exponent, mantissa = divmod(field, 2**14)
    return int(10**exponent) * mantissa + _FIRST_OF_RANGE[exponent]


def _take_section(memory: StsMemory, section: int, body: int) -> Judgement:
    """Collect the sections of a key change; the last one that was missing puts the new key to work."""
    if section == 1 and body >> 32 & 3 == _INITIALISATION != memory.key_type:
        return Judgement(result="KEY_TYPE", memory=memory)
    sections = {**memory.sections, str(section): body}
    needed = {"1", "2", "3"} if "1" in sections and sections["1"] >> 34 & 1 else {"1", "2"}
    if not needed <= set(sections):
        return Judgement(result="PENDING", memory=attrs.evolve(memory, sections=sections))
    first, second = sections["1"], sections["2"]
    rolls_over = first >> 35 & 1
    return Judgement(
        result="ACCEPTED",
        memory=attrs.evolve(
            memory,
            key=f"{(first & 0xFFFFFFFF) << 32 | second & 0xFFFFFFFF:016X}",
            key_type=first >> 32 & 3,
            key_revision=first >> 36 & 15,
            tariff_index=second >> 32 & 255,
            supply_group=sections["3"] >> 20 & 0xFFFFFF if "3" in needed else memory.supply_group,
            key_expiry=(first >> 40 & 15) << 4 | second >> 40 & 15,
            tids=() if rolls_over else memory.tids,
            sections={},
        ),
    )
