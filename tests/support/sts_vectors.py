"""The test vectors of the token specification, section 19, from the files beside the tests."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import attrs

from nxt_adapters.system.des import des_encrypt
from nxt_domain.tokens.sts import (
    Algorithm,
    BaseDate,
    DecoderKey,
    Derivation,
    KeyParameters,
    KeyRequest,
    KeyType,
    MeterKey,
    MeterNumber,
    TimedToken,
    TokenType,
    VendingKey,
    derive_key,
    encode_kwh,
    encode_power_limit,
    tid_of,
)
from nxt_domain.tokens.sts.catalogue import LIMITS, UNIT_CREDITS

_FOLDER = Path(__file__).parents[1] / "unit" / "tokens" / "sts" / "vectors"
VENDING_KEYS = {
    "V1": "ABABABABABABABAB",
    "V2": "9494949494949494",
    "V3": "0ABC12DEF3456789",
    "V4": "ABABABABABABABAB949494949494949401234567",
}


@cache
def rows(name: str) -> Sequence[Mapping[str, str]]:
    """Read one of the tables."""
    with (_FOLDER / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@attrs.frozen(kw_only=True)
class KeyVector:
    """A row of STS-78."""

    row: Mapping[str, str]

    @property
    def key(self) -> DecoderKey:
        """The decoder key as printed."""
        return DecoderKey.parse(self.row["decoder_key"], Algorithm(self.row["ea"]))

    @property
    def is_derived(self) -> bool:
        """Whether it is made from a vending key."""
        return self.row["dkga"] != "given"

    @property
    def base(self) -> BaseDate:
        """The key's base date; keys of DKGA 02 know none."""
        return BaseDate(int(self.row["key_base"])) if self.row["key_base"] != "-" else BaseDate.Y1993

    @property
    def parameters(self) -> KeyParameters:
        """What the key stands for."""
        return KeyParameters(
            supply_group=self.row["sgc"],
            tariff_index=self.row["ti"],
            key_revision=int(self.row["krn"]),
            key_type=KeyType(int(self.row["kt"])),
        )

    def derive(self) -> DecoderKey:
        """Make it again."""
        request = KeyRequest(
            derivation=Derivation(self.row["dkga"]),
            algorithm=Algorithm(self.row["ea"]),
            number=MeterNumber.of_pan(self.row["pan"]),
            parameters=self.parameters,
            base=self.base,
        )
        return derive_key(VendingKey.parse(VENDING_KEYS[self.row["vending_key"]]), request, des=des_encrypt)

    def with_expiry(self, expiry: int) -> MeterKey:
        """The key as a meter holds it."""
        return MeterKey(key=self.key, parameters=self.parameters, expiry=expiry, base=self.base)


@cache
def keys() -> Mapping[str, KeyVector]:
    """All keys by id."""
    return {row["id"]: KeyVector(row=row) for row in rows("keys")}


def timed_token(row: Mapping[str, str]) -> TimedToken:
    """Make the fields of a row of STS-79."""
    kind, issued = TokenType(row["type"]), row["issued"]
    base = BaseDate(int(row["base"]))
    is_tid = issued.startswith("#")
    tid = int(issued[1:]) if is_tid else tid_of(datetime.fromisoformat(issued).replace(tzinfo=UTC), base)
    return TimedToken(kind=kind, nonce=int(row["rnd"]), tid=tid, field=_field(kind, row["value"]))


def _field(kind: TokenType, value: str) -> int:
    if kind in UNIT_CREDITS:
        return encode_kwh(Decimal(value))
    return encode_power_limit(int(value)) if kind in LIMITS else int(value, 0)
