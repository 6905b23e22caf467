"""Key change tokens: a set that carries a meter's new key under its old one [STS-36 to STS-39, STS-56]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import attrs

from nxt_domain.tokens.sts.catalogue import KeyChangePart
from nxt_domain.tokens.sts.codec import decode, encode
from nxt_domain.tokens.sts.errors import CannotEncode, Refusal, TokenFault, UnreadableToken
from nxt_domain.tokens.sts.keys import Algorithm, DecoderKey, KeyParameters, KeyType
from nxt_domain.tokens.sts.numbers import MeterNumber
from nxt_domain.tokens.sts.times import LARGEST_KEN, BaseDate, is_expired, tid_of

_WORD = 0xFFFFFFFF


@attrs.frozen(kw_only=True)
class MeterKey:
    """A key with everything that a meter knows of it.

    Attributes:
        expiry: KEN, 0…255.
        base: Base date that its tokens count from.

    Raises:
        CannotEncode: ``KEY_PARAMETERS_INVALID``.
    """

    key: DecoderKey
    parameters: KeyParameters
    expiry: int = LARGEST_KEN
    base: BaseDate = BaseDate.Y2014

    def __attrs_post_init__(self) -> None:
        if self.expiry not in range(LARGEST_KEN + 1):
            raise CannotEncode(Refusal.KEY_PARAMETERS_INVALID, "A key expiry number is 0 to 255")


@attrs.frozen(kw_only=True)
class KeyChange:
    """What a complete set of tokens says.

    Attributes:
        supply_group: None when the set does not carry it (EA 07, two tokens).
        rolls_over: Whether the meter forgets the token identifiers that it knows.
    """

    key: DecoderKey
    expiry: int
    key_revision: int
    key_type: int
    tariff_index: int
    supply_group: int | None
    rolls_over: bool


def key_change_tokens(
    old: MeterKey,
    new: MeterKey,
    *,
    with_supply_group: bool = False,
    number: MeterNumber | None = None,
    at: datetime | None = None,
) -> Sequence[str]:
    """Make the whole set: two tokens, three with the supply group (EA 07), or four (EA 11) [STS-37].

    Args:
        old: The key that the meter has now; it encrypts the tokens.
        new: The key that it is to have.
        with_supply_group: EA 07 only: teach the meter its supply group by a third token.
        number: The meter's; refused if its check digit is wrong.
        at: When the set is made, aware; then two expired keys are refused.

    Raises:
        CannotEncode: ``KEY_CHANGE_REFUSED``, with the reason [STS-39].
    """
    _refuse_senseless(old, new, number, at)
    parts = key_change_parts(old, new, with_supply_group=with_supply_group)
    return [encode(part, old.key) for part in parts]


def _refuse_senseless(old: MeterKey, new: MeterKey, number: MeterNumber | None, at: datetime | None) -> None:
    reasons = {
        "Old and new key and parameters are the same": old == new,
        "Old and new key belong to different algorithms": old.key.algorithm is not new.key.algorithm,
        "A meter in use can't go back to an initialisation key": (
            new.parameters.key_type is KeyType.INITIALISATION and old.parameters.key_type is not new.parameters.key_type
        ),
        "A new base date needs a new key, or old tokens could be replayed": (
            old.base is not new.base and old.key == new.key
        ),
        "The check digit of the meter number is wrong": number is not None and not number.is_valid,
        "Both keys have expired": at is not None and all(_is_expired(each, at) for each in (old, new)),
    }
    for reason, holds in reasons.items():
        if holds:
            raise CannotEncode(Refusal.KEY_CHANGE_REFUSED, reason)


def _is_expired(key: MeterKey, at: datetime) -> bool:
    return is_expired(tid_of(at, key.base), key.expiry)


def key_change_parts(old: MeterKey, new: MeterKey, *, with_supply_group: bool) -> Sequence[KeyChangePart]:
    """Lay out the sections [STS-36, STS-38]."""
    words = [int.from_bytes(new.key.octets[at : at + 4], "big") for at in range(0, len(new.key.octets), 4)]
    group = int(new.parameters.supply_group)
    is_short = new.key.algorithm is Algorithm.STA
    flags = (old.base is not new.base) << 3 | (is_short and with_supply_group) << 2 | new.parameters.key_type
    revision = new.parameters.key_revision << 4 | flags
    contents = [
        (new.expiry >> 4) << 40 | revision << 32 | words[0],
        (new.expiry & 15) << 40 | int(new.parameters.tariff_index) << 32 | words[-1],
    ]
    if not is_short:
        contents += [(group & 0xFFF) << 32 | words[1], (group >> 12) << 32 | words[2]]
    elif with_supply_group:
        contents.append(group << 20)
    return [KeyChangePart(section=place + 1, content=content) for place, content in enumerate(contents)]


def public_fields(part: KeyChangePart, algorithm: Algorithm) -> Mapping[str, int]:
    """Return what one section says beside its part of the key, by name."""
    head, octet = part.content >> 40, part.content >> 32 & 0xFF
    if part.section == 1:
        return {
            "key_expiry_high": head,
            "key_revision": octet >> 4,
            "rolls_over": octet >> 3 & 1,
            "three_tokens": octet >> 2 & 1,
            "key_type": octet & 3,
        }
    if part.section == 2:
        return {"key_expiry_low": head, "tariff_index": octet}
    if algorithm is Algorithm.STA:
        return {"supply_group": part.content >> 20}
    return {"supply_group_low" if part.section == 3 else "supply_group_high": part.content >> 32}


def decode_key_change(tokens: Iterable[str], key: DecoderKey) -> KeyChange:
    """Read a complete set, in any order.

    Args:
        tokens: All sections, each once.
        key: The meter's old key.

    Raises:
        UnreadableToken: One can't be read, or is no key change; a section is missing, doubled, or too many.
    """
    sections: dict[int, KeyChangePart] = {}
    for digits in tokens:
        part = decode(digits, key).token
        if not isinstance(part, KeyChangePart):
            raise UnreadableToken(TokenFault.UNSUPPORTED, "Not a key change token", token_class=part.kind.token_class)
        if part.section in sections:
            raise UnreadableToken(TokenFault.UNSUPPORTED, f"Section {part.section} occurs twice", token_class=2)
        sections[part.section] = part
    return assemble(sections, key.algorithm)


def needed_sections(sections: Mapping[int, KeyChangePart], algorithm: Algorithm) -> frozenset[int]:
    """Tell which sections a set has when it is complete, as far as those at hand tell [STS-37]."""
    if algorithm is Algorithm.MISTY1:
        return frozenset({1, 2, 3, 4})
    is_three = 1 in sections and public_fields(sections[1], algorithm)["three_tokens"]
    return frozenset({1, 2, 3}) if is_three else frozenset({1, 2})


def assemble(sections: Mapping[int, KeyChangePart], algorithm: Algorithm) -> KeyChange:
    """Put a complete set together.

    Raises:
        UnreadableToken: It is not complete, or has a section too many.
    """
    needed = needed_sections(sections, algorithm)
    if set(sections) != needed:
        text = f"The set needs sections {sorted(needed)} and has {sorted(sections)}"
        raise UnreadableToken(TokenFault.UNSUPPORTED, text, token_class=2)
    said: dict[str, int] = {}
    for part in sections.values():
        said.update(public_fields(part, algorithm))
    order = (1, 2) if algorithm is Algorithm.STA else (1, 3, 4, 2)
    octets = b"".join((sections[number].content & _WORD).to_bytes(4, "big") for number in order)
    group = said.get("supply_group")
    if algorithm is Algorithm.MISTY1:
        group = said["supply_group_high"] << 12 | said["supply_group_low"]
    return KeyChange(
        key=DecoderKey(octets),
        expiry=said["key_expiry_high"] << 4 | said["key_expiry_low"],
        key_revision=said["key_revision"],
        key_type=said["key_type"],
        tariff_index=said["tariff_index"],
        supply_group=group,
        rolls_over=bool(said["rolls_over"]),
    )
