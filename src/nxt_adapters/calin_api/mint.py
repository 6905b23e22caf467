"""Port ``TokenMint`` over either generation, for the stand-alone mode [DM-120, DM-131, DM-148]."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from nxt_adapters.calin_api.errors import CalinApiFailed
from nxt_adapters.calin_api.tokens import Sale
from nxt_domain.messaging.mint import MintFailed, MintTimedOut, TokenOrder
from nxt_domain.messaging.model import CommandType
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.tokens.model import TokenClass
from nxt_domain.tokens.ports import TokenOutcomeUnknown, TokenVendorUnavailable

_CLASSES: Mapping[CommandType, TokenClass] = {
    CommandType.TOP_UP_KWH: TokenClass.TOP_UP,
    CommandType.SET_POWER_LIMIT: TokenClass.SET_POWER_LIMIT,
    CommandType.CLEAR_TAMPER: TokenClass.CLEAR_TAMPER,
    CommandType.CLEAR_CREDIT: TokenClass.CLEAR_CREDIT,
}

_MOST_DIGITS = 12


class Seller(Protocol):
    """What sells: the token vendor of either generation."""

    async def sell(self, sale: Sale) -> str:
        """Have one token made."""


class CalinMint:
    """Has tokens made at once; issue date and decoder key of the order are not used [DM-120].

    Args:
        seller: The vendor.
    """

    def __init__(self, seller: Seller) -> None:
        self._seller = seller

    async def mint(self, order: TokenOrder) -> str:
        """See ``TokenMint.mint``."""
        sale = Sale(
            token_class=_CLASSES[order.kind],
            meter=order.meter,
            energy_kwh=order.energy_kwh,
            power_limit_w=_whole(order.power_limit_w),
        )
        try:
            return await self._seller.sell(sale)
        except (TokenOutcomeUnknown, TokenVendorUnavailable) as failed:
            cause = failed.__cause__
            is_late = isinstance(cause, CalinApiFailed) and cause.error_code == "ETIMEDOUT"
            raise (MintTimedOut if is_late else MintFailed)(failed.message) from failed


def _whole(power_limit_w: Decimal | None) -> int | None:
    if power_limit_w is None:
        return None
    is_sane = power_limit_w.is_finite() and power_limit_w.adjusted() < _MOST_DIGITS
    if not is_sane or power_limit_w != power_limit_w.to_integral_value():
        raise InvalidInput("powerLimit must be a whole number of W")
    return int(power_limit_w)
