"""A token to be made, and the minute that is set aside for it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs

from nxt_domain.shared.secrets import SecretText


class TokenClass(StrEnum):
    """What a token does."""

    TOP_UP = "TOP_UP"
    CLEAR_CREDIT = "CLEAR_CREDIT"
    CLEAR_TAMPER = "CLEAR_TAMPER"
    SET_POWER_LIMIT = "SET_POWER_LIMIT"


@attrs.frozen(kw_only=True)
class TokenRequest:
    """Everything a token depends on: asked twice, a deterministic maker gives the same digits [PAY-127].

    Attributes:
        meter_number: Eleven digits.
        issued_at: The reserved issue time; the token carries its minute.
        nonce: The reserved random number, 0…15 [R22].
        energy_kwh: For ``TOP_UP``, a multiple of 0.1 above 0.
        power_limit_w: For ``SET_POWER_LIMIT``.
        decoder_key: The meter's, for makers that need it.
    """

    token_class: TokenClass
    meter_number: str
    issued_at: datetime
    nonce: int
    energy_kwh: Decimal | None = None
    power_limit_w: int | None = None
    decoder_key: SecretText | None = None


@attrs.frozen(kw_only=True)
class TokenReservation:
    """A minute and nonce set aside for one token of a meter, before it is made [R22].

    Attributes:
        interaction_id: The command that the token belongs to.
        issued_at: Aware UTC; no other token of the meter has its minute.
        token: The digits, once made.
    """

    meter_id: int
    interaction_id: int
    token_class: TokenClass
    issued_at: datetime
    nonce: int
    value: Decimal | None = None
    token: str | None = attrs.field(default=None, repr=lambda token: "None" if token is None else "'•••'")
