"""The token maker of demos and tests: readable tokens that only simulated meters take [R23]."""

from __future__ import annotations

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.tokens.model import TokenClass, TokenRequest

_CHECK_MODULUS = 9973


class TestTokenMaker:
    """Makes ``0``, kWh×10 (6 digits), issue minute mod 10⁹ (9), check (4).

    The check is (meter number + the first 16 digits as a number) mod 9973. Refused in production at boot.
    """

    __test__ = False  # not a pytest class, whatever its name

    vendor_id = "test"
    needs_decoder_key = False

    def make(self, request: TokenRequest) -> str:
        """Make the digits of a ``TOP_UP`` token.

        Raises:
            InvalidInput: Another class of token, a meter number that is none, or an energy that does not fit six
                digits of tenths.
        """
        if request.token_class is not TokenClass.TOP_UP or request.energy_kwh is None:
            raise InvalidInput(f"The test vendor makes no {request.token_class} tokens", code="UNSUPPORTED_TOKEN")
        number = request.meter_number
        if not (number.isascii() and number.isdigit()):
            raise InvalidInput("A meter number has digits only", code="UNSUPPORTED_TOKEN")
        tenths = request.energy_kwh * 10
        if tenths != tenths.to_integral_value() or not 0 < tenths < 1_000_000:
            raise InvalidInput("transactive_kwh must be a multiple of 0.1 below 100000", code="UNSUPPORTED_TOKEN")
        minute = int(request.issued_at.timestamp()) // 60
        head = f"0{int(tenths):06d}{minute % 10**9:09d}"
        check = (int(number) + int(head)) % _CHECK_MODULUS
        return f"{head}{check:04d}"
