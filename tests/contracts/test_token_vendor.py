"""``LocalTokenMaker``: one suite over the makers ``test`` and ``native`` [STS-77]."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.secrets import SecretText
from nxt_domain.tokens.model import TokenClass, TokenRequest
from nxt_domain.tokens.native import NativeTokenMaker
from nxt_domain.tokens.ports import LocalTokenMaker, TokenVendor
from nxt_domain.tokens.rules import is_token
from nxt_domain.tokens.sts import (
    BaseDate,
    DecoderKey,
    TimedToken,
    TokenType,
    UnreadableToken,
    decode,
    encode_power_limit,
)
from nxt_domain.tokens.test_vendor import TestTokenMaker

KEY = "0123456789ABCDEF"
AT = datetime(2024, 3, 15, 10, 30, tzinfo=UTC)


def request(**changes: Any) -> TokenRequest:
    made = TokenRequest(
        token_class=TokenClass.TOP_UP,
        meter_number="47001891341",
        issued_at=AT,
        nonce=3,
        energy_kwh=Decimal("0.5"),
        decoder_key=SecretText(KEY),
    )
    return attrs.evolve(made, **changes)


@pytest.fixture(params=[TestTokenMaker, NativeTokenMaker], ids=["test", "native"])
def maker(request: pytest.FixtureRequest) -> LocalTokenMaker:
    made: LocalTokenMaker = request.param()
    return made


class TestEveryMaker:
    def test_r1_it_works_in_this_process(self, maker: LocalTokenMaker) -> None:
        assert isinstance(maker, LocalTokenMaker)
        assert not isinstance(maker, TokenVendor)

    def test_sts_5_the_same_order_gives_the_same_digits(self, maker: LocalTokenMaker) -> None:
        """[PAY-127] Twenty of them."""
        token = maker.make(request())
        assert is_token(token)
        assert maker.make(request()) == token == type(maker)().make(request())

    def test_another_minute_meter_or_energy_is_another_token(self, maker: LocalTokenMaker) -> None:
        others = [
            request(issued_at=AT + timedelta(minutes=1)),
            request(energy_kwh=Decimal("0.6")),
            request(meter_number="58000079523", decoder_key=SecretText(KEY[::-1])),
        ]
        assert len({maker.make(each) for each in [request(), *others]}) == 4

    @pytest.mark.parametrize("energy_kwh", [None, Decimal(0), Decimal(-1), Decimal("1E9")], ids=str)
    def test_sts_6_what_it_can_not_write_it_refuses(self, maker: LocalTokenMaker, energy_kwh: Decimal | None) -> None:
        with pytest.raises(InvalidInput):
            maker.make(request(energy_kwh=energy_kwh))

    def test_sts_7_a_request_hides_its_key(self, maker: LocalTokenMaker) -> None:
        assert KEY not in repr(request())
        assert maker.needs_decoder_key is (maker.vendor_id == "native")


class TestNative:
    maker = NativeTokenMaker()

    def test_example_a(self) -> None:
        assert self.maker.make(request()) == "58627975513348563046"

    def test_example_b(self) -> None:
        order = request(token_class=TokenClass.SET_POWER_LIMIT, energy_kwh=None, power_limit_w=5000)
        assert self.maker.make(order) == "28227747371740445170"

    @pytest.mark.parametrize(
        ("token_class", "kind", "field"),
        [
            (TokenClass.TOP_UP, TokenType.CREDIT_ELECTRICITY, 5),
            (TokenClass.SET_POWER_LIMIT, TokenType.POWER_LIMIT, encode_power_limit(16385)),
            (TokenClass.CLEAR_CREDIT, TokenType.CLEAR_CREDIT, 0),
            (TokenClass.CLEAR_TAMPER, TokenType.CLEAR_TAMPER, 0),
        ],
    )
    def test_sts_13_what_the_system_makes(self, token_class: TokenClass, kind: TokenType, field: int) -> None:
        """[STS-25, STS-26]"""
        digits = self.maker.make(request(token_class=token_class, power_limit_w=16385))
        read = decode(digits, DecoderKey.parse(KEY))
        assert read.token == TimedToken(kind=kind, nonce=3, tid=0x51E136, field=field)
        assert read.issued_at == AT

    def test_sts_30_a_long_key_means_ea_11(self) -> None:
        key = "929BD3A415C9420A05EC5EE9F3CE91C3"
        digits = self.maker.make(request(decoder_key=SecretText(key)))
        assert decode(digits, DecoderKey.parse(key))
        with pytest.raises(UnreadableToken):
            decode(digits, DecoderKey.parse(KEY))

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"decoder_key": None}, "TOKEN_DECODER_KEY_MISSING"),
            ({"decoder_key": SecretText("  ")}, "TOKEN_DECODER_KEY_MISSING"),
            ({"decoder_key": SecretText("12345")}, "TOKEN_DECODER_KEY_INVALID"),
            ({"energy_kwh": None}, "TOKEN_AMOUNT_INVALID"),
            ({"energy_kwh": Decimal("NaN")}, "TOKEN_AMOUNT_INVALID"),
            ({"energy_kwh": Decimal("1820162.5")}, "TOKEN_AMOUNT_TOO_LARGE"),
            ({"token_class": TokenClass.SET_POWER_LIMIT}, "TOKEN_POWER_LIMIT_INVALID"),
            ({"token_class": TokenClass.SET_POWER_LIMIT, "power_limit_w": -1}, "TOKEN_POWER_LIMIT_INVALID"),
            ({"nonce": 16}, "TOKEN_NONCE_INVALID"),
            ({"issued_at": AT.replace(tzinfo=None)}, "TOKEN_ISSUE_TIME_INVALID"),
            ({"issued_at": AT.replace(year=2046)}, "TOKEN_ISSUE_TIME_INVALID"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_sts_6_codes(self, changes: dict[str, Any], code: str) -> None:
        with pytest.raises(InvalidInput) as refusal:
            self.maker.make(request(**changes))
        assert refusal.value.code == code

    def test_sts_20_an_expired_key_makes_no_token(self) -> None:
        """[STS-18] Base date and key expiry are settings."""
        with pytest.raises(InvalidInput) as refusal:
            NativeTokenMaker(key_expiry=80).make(request())
        assert refusal.value.code == "TOKEN_KEY_EXPIRED"
        digits = NativeTokenMaker(base=BaseDate.Y1993).make(request())
        assert decode(digits, DecoderKey.parse(KEY), BaseDate.Y1993).issued_at == AT
