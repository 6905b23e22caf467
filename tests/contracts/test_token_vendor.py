"""Makers of tokens: one suite over ``test``, ``native``, memory, ``nxt-sts`` and CALIN's two services [STS-77]."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from prometheus_client import CollectorRegistry
from tests.support.calin_clouds import cloud

from nxt_adapters.memory.token_vendor import MemoryTokenVendor
from nxt_adapters.nxt_sts import NxtStsSettings, NxtStsVendor
from nxt_adapters.resilience import CallPolicy, OutboundMetrics, RetryPolicy
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.secrets import SecretText
from nxt_domain.tokens.model import TokenClass, TokenRequest
from nxt_domain.tokens.native import NativeTokenMaker
from nxt_domain.tokens.ports import (
    LocalTokenMaker,
    TokenBadAnswer,
    TokenVendor,
    TokenVendorUnavailable,
)
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
from nxt_entrypoints.simulators.calin_v1.simulator import CalinV1
from nxt_entrypoints.simulators.calin_v2.simulator import CalinV2
from nxt_entrypoints.simulators.sts.service import StsService, StsServiceConfig

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


class Local:
    """A maker in this process, called as one elsewhere."""

    sells = False

    def __init__(self, maker: LocalTokenMaker) -> None:
        self.maker = maker

    async def make(self, order: TokenRequest) -> str:
        return self.maker.make(order)


class Elsewhere:
    """A vendor, with the handles to break it; one that sells makes another token for each order."""

    def __init__(
        self, maker: TokenVendor, service: StsService | CalinV1 | CalinV2 | None = None, *, sells: bool = False
    ) -> None:
        self.maker = maker
        self.service = service
        self.sells = sells

    async def make(self, order: TokenRequest) -> str:
        return await self.maker.request(order)

    def fail(self) -> None:
        """Let the vendor be away for one call."""
        if isinstance(self.maker, MemoryTokenVendor):
            self.maker.fail_next(TokenVendorUnavailable("away"))
        elif self.service is not None:
            self.service.control.update({"down": True})


@asynccontextmanager
async def sts_service(mood: str = "right", **policy: Any) -> AsyncIterator[tuple[NxtStsVendor, StsService]]:
    service = StsService(StsServiceConfig())
    await service.start()
    service.mood = mood
    rules = CallPolicy(**({"timeout_s": 5.0, "retry": RetryPolicy(attempts=1)} | policy))
    metrics = OutboundMetrics(CollectorRegistry())
    vendor = NxtStsVendor(NxtStsSettings(url=f" {service.http.url}/ "), policy=rules, metrics=metrics)
    try:
        yield vendor, service
    finally:
        await vendor.close()
        await service.stop()


@pytest.fixture(params=["test", "native", "memory", "nxt-sts", "calin-v1", "calin-v2"])
async def vendor(request: pytest.FixtureRequest) -> AsyncIterator[Local | Elsewhere]:
    if request.param.startswith("calin"):
        async with cloud(request.param.removeprefix("calin-"), "47001891341", "58000079523") as service:
            yield Elsewhere(service.vendor, service.simulator, sells=True)
    elif request.param == "nxt-sts":
        async with sts_service() as (made, service):
            yield Elsewhere(made, service)
    elif request.param == "memory":
        yield Elsewhere(MemoryTokenVendor())
    else:
        yield Local({"test": TestTokenMaker, "native": NativeTokenMaker}[request.param]())


class TestEveryMaker:
    async def test_r1_one_kind_or_the_other(self, vendor: Local | Elsewhere) -> None:
        """In this process, or elsewhere: the caller tells them apart."""
        is_local = isinstance(vendor, Local)
        assert isinstance(vendor.maker, LocalTokenMaker) is is_local
        assert isinstance(vendor.maker, TokenVendor) is not is_local

    async def test_sts_5_the_same_order_gives_the_same_digits(self, vendor: Local | Elsewhere) -> None:
        """[STS-5, PAY-127] Twenty of them; each order to one that sells is a sale of its own [MET-75]."""
        token = await vendor.make(request())
        assert is_token(token)
        assert (await vendor.make(request()) == token) is not vendor.sells

    async def test_another_minute_meter_or_energy_is_another_token(self, vendor: Local | Elsewhere) -> None:
        others = [
            request(issued_at=AT + timedelta(minutes=1)),
            request(energy_kwh=Decimal("0.6")),
            request(meter_number="58000079523", decoder_key=SecretText(KEY[::-1])),
        ]
        assert len({await vendor.make(each) for each in [request(), *others]}) == 4

    @pytest.mark.parametrize("energy_kwh", [None, Decimal(0), Decimal(-1), Decimal("1E9")], ids=str)
    async def test_sts_6_what_it_can_not_write_it_refuses(
        self, vendor: Local | Elsewhere, energy_kwh: Decimal | None
    ) -> None:
        with pytest.raises(InvalidInput):
            await vendor.make(request(energy_kwh=energy_kwh))

    async def test_sts_6_without_a_key_those_that_need_one_refuse(self, vendor: Local | Elsewhere) -> None:
        """[STS-72]"""
        if vendor.maker.needs_decoder_key:
            with pytest.raises(InvalidInput) as refusal:
                await vendor.make(request(decoder_key=None))
            assert refusal.value.code == "TOKEN_DECODER_KEY_MISSING"
        else:
            assert is_token(await vendor.make(request(decoder_key=None)))

    async def test_sts_2_real_tokens_are_the_same_everywhere(self, vendor: Local | Elsewhere) -> None:
        """Whoever makes them; those of the vendor ``test`` are none."""
        token = await vendor.make(request())
        assert (token == "58627975513348563046") is vendor.maker.needs_decoder_key

    async def test_sts_6_an_absent_vendor_is_worth_another_try(self, vendor: Local | Elsewhere) -> None:
        if isinstance(vendor, Elsewhere):
            vendor.fail()
            with pytest.raises(TokenVendorUnavailable) as failure:
                await vendor.make(request())
            assert failure.value.code == "TOKEN_VENDOR_UNAVAILABLE"

    async def test_sts_7_a_request_hides_its_key(self) -> None:
        assert KEY not in repr(request())


class TestNxtSts:
    @pytest.mark.parametrize(
        ("token_class", "changes"),
        [
            (TokenClass.TOP_UP, {"energy_kwh": Decimal("1638.5")}),
            (TokenClass.TOP_UP, {"energy_kwh": Decimal("0.01")}),
            (TokenClass.SET_POWER_LIMIT, {"power_limit_w": 16385}),
            (TokenClass.CLEAR_CREDIT, {}),
            (TokenClass.CLEAR_TAMPER, {}),
            (TokenClass.TOP_UP, {"issued_at": datetime(2026, 7, 29, 0, 1, tzinfo=UTC)}),
        ],
    )
    async def test_sts_67_two_implementations_make_the_same_token(
        self, token_class: TokenClass, changes: dict[str, Any]
    ) -> None:
        order = request(token_class=token_class, **changes)
        async with sts_service() as (vendor, _):
            assert await vendor.request(order) == NativeTokenMaker().make(order)

    async def test_sts_69_an_older_deployment_is_asked_by_the_older_name(self) -> None:
        """[STS-69]"""
        async with sts_service("older") as (vendor, service):
            assert await vendor.request(request()) == "58627975513348563046"
            assert await vendor.request(request()) == "58627975513348563046"
            asked = [entry["type"] for entry in service.control.log.after(0)]
        assert asked == ["TOP_UP_KWH", "TOP_UP", "TOP_UP"]

    @pytest.mark.parametrize("mood", ["empty", "other_amount"])
    async def test_sts_70_a_wrong_answer_is_no_token(self, mood: str) -> None:
        """[STS-57, STS-70, STS-71] The digits are dropped, and the name that works is not forgotten."""
        async with sts_service(mood) as (vendor, service):
            with pytest.raises(TokenBadAnswer) as failure:
                await vendor.request(request())
            assert failure.value.code == "TOKEN_VENDOR_BAD_ANSWER"
            assert KEY not in failure.value.message
            service.mood = "right"
            assert await vendor.request(request()) == "58627975513348563046"
            assert [entry["type"] for entry in service.control.log.after(0)][-1] == "TOP_UP_KWH"

    @pytest.mark.parametrize(
        ("faults", "code"),
        [
            ({"error_rate": 1}, "TOKEN_VENDOR_UNAVAILABLE"),
            ({"down": True}, "TOKEN_VENDOR_UNAVAILABLE"),
            ({"garbage_rate": 1}, "TOKEN_VENDOR_BAD_ANSWER"),
            ({"latency_ms": [3000, 3000]}, "TOKEN_VENDOR_TIMEOUT"),
        ],
        ids=str,
    )
    async def test_sts_71_trouble_has_a_code(self, faults: dict[str, object], code: str) -> None:
        async with sts_service(timeout_s=0.5) as (vendor, service):
            service.control.update(faults)
            with pytest.raises(TokenVendorUnavailable) as failure:
                await vendor.request(request())
        assert failure.value.code == code

    async def test_sts_71_nobody_there(self) -> None:
        async with sts_service() as (vendor, service):
            await service.stop()
            with pytest.raises(TokenVendorUnavailable) as failure:
                await vendor.request(request())
        assert failure.value.code == "TOKEN_VENDOR_UNAVAILABLE"

    async def test_sts_72_what_is_wrong_costs_no_request(self) -> None:
        """A key of EA 11 is not for this service."""
        async with sts_service() as (vendor, service):
            for changes in (
                {"decoder_key": SecretText("0" * 32)},
                {"energy_kwh": Decimal("1820162.5")},
                {"nonce": 16},
                {"issued_at": AT.replace(year=2013)},
            ):
                with pytest.raises(InvalidInput):
                    await vendor.request(request(**changes))
            assert service.control.log.after(0) == []

    @pytest.mark.parametrize("url", ["", "  ", "nxt-sts:8080", "ftp://x"])
    async def test_sts_66_an_address_is_needed(self, url: str) -> None:
        """[STS-66]"""
        with pytest.raises(InvalidInput):
            NxtStsSettings(url=url)


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
        """[STS-14, STS-25, STS-26] These four kinds and no others."""
        assert len(TokenClass) == 4
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
