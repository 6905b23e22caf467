"""What both generations share of minting: what is refused before any call, and what a failure means for the payer."""

from __future__ import annotations

from decimal import Decimal

import attrs

from nxt_adapters.calin_api.errors import CalinApiFailed
from nxt_adapters.calin_api.values import reason_of
from nxt_domain.shared.errors import DomainError
from nxt_domain.shared.json import Json
from nxt_domain.tokens.model import TokenClass, TokenRequest
from nxt_domain.tokens.native import field_of
from nxt_domain.tokens.ports import TokenBadAnswer, TokenOutcomeUnknown, TokenVendorUnavailable
from nxt_domain.tokens.rules import is_token


@attrs.frozen(kw_only=True)
class Sale:
    """What a vendor is asked for; date, random number and key of a token are its own affair [DM-120].

    Attributes:
        energy_kwh: For top-ups.
        power_limit_w: For power limits.

    Raises:
        InvalidInput: It says too little, or what no token can say: the vendor must not hear of it [DM-140].
    """

    token_class: TokenClass
    meter: str
    energy_kwh: Decimal | None = None
    power_limit_w: int | None = None

    def __attrs_post_init__(self) -> None:
        field_of(self.token_class, energy_kwh=self.energy_kwh, power_limit_w=self.power_limit_w)

    @classmethod
    def requested(cls, request: TokenRequest) -> Sale:
        """Take what matters of an order of the embedded mode.

        Raises:
            InvalidInput: As the class.
        """
        return cls(
            token_class=request.token_class,
            meter=request.meter_number,
            energy_kwh=request.energy_kwh,
            power_limit_w=request.power_limit_w,
        )


def untold(failed: CalinApiFailed, token_class: TokenClass) -> DomainError:
    """Say what a failed call means: a top-up that may have been booked is never asked for again [MET-75, R2].

    Tokens of the other kinds cost nothing, so those may be repeated.
    """
    if token_class is TokenClass.TOP_UP and failed.may_have_acted:
        return TokenOutcomeUnknown(failed.message)
    code = "TOKEN_VENDOR_TIMEOUT" if failed.error_code == "ETIMEDOUT" else None
    return TokenVendorUnavailable(failed.message, code=code)


def token_of(found: Json, token_class: TokenClass, *, service: str, reason: Json, is_success: bool) -> str:
    """Return the twenty digits of an answer; anything else in it is dropped [MET-75].

    Args:
        found: What stands where the token should be.
        token_class: What was ordered.
        service: How errors name the service.
        reason: What the vendor said.
        is_success: Whether it said that all is well.

    Raises:
        TokenBadAnswer: There is none; the order may be repeated.
        TokenOutcomeUnknown: The vendor says that it sold, and there is no token to show for it.
    """
    shown_token = found if isinstance(found, str) else ""
    digits = "".join(character for character in shown_token if character in "0123456789")
    if is_token(digits):
        return digits
    shown = reason_of(reason)
    because = f" because: {shown}" if shown else ""
    failure = f"[{service}] Got an empty response{because}"
    if digits:
        failure = f"[{service}] Got something else than a token of 20 digits{because}"
    is_booked = is_success and token_class is TokenClass.TOP_UP
    raise TokenOutcomeUnknown(failure) if is_booked else TokenBadAnswer(failure)
