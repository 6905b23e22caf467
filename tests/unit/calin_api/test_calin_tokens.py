"""Tokens from either generation: what is ordered, what comes back, and what a failure means for the payer."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from prometheus_client import CollectorRegistry
from tests.support.calin import (
    METER,
    TOKEN,
    Vendor,
    bearer,
    garbage,
    page,
    policy,
    reset,
    slow,
    status,
    v1_settings,
    v2_settings,
)

from nxt_adapters.calin_api import CalinMint
from nxt_adapters.calin_api.v1 import CalinV1Client, CalinV1TokenVendor
from nxt_adapters.calin_api.v2 import CalinV2Client, CalinV2TokenVendor
from nxt_adapters.resilience import OutboundMetrics
from nxt_domain.messaging.mint import MintFailed, MintTimedOut, TokenOrder
from nxt_domain.messaging.model import CommandType
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.secrets import SecretText
from nxt_domain.tokens.model import TokenClass, TokenRequest
from nxt_domain.tokens.ports import TokenBadAnswer, TokenOutcomeUnknown, TokenVendor, TokenVendorUnavailable

K = TokenClass
V2_TOP_UP = "/API/Token/CreditToken/Generate"
TOP_UP_PATHS = {"v1": "/POS_Purchase", "v2": V2_TOP_UP}
CLEAR_PATHS = {"v1": "/Maintenance_ClearCredit", "v2": "/API/Token/ClearCreditToken/Generate"}
SOLD = {
    "v1": {"result_code": 0, "reason": "OK", "result": {"token": "1234 5678-9012.3456 7890"}},
    "v2": {"code": 0, "reason": "success", "result": {"token": "1234 5678-9012.3456 7890"}},
}
NAMES = {"v1": "CALIN API-V1 TOKEN SERVICE", "v2": "CALIN API-V2 TOKEN SERVICE"}


def order(kind: TokenClass = K.TOP_UP, **changes: Any) -> TokenRequest:
    made = TokenRequest(
        token_class=kind,
        meter_number=METER,
        issued_at=datetime(2026, 8, 5, tzinfo=UTC),
        nonce=3,
        energy_kwh=Decimal("12.5") if kind is K.TOP_UP else None,
        power_limit_w=5000 if kind is K.SET_POWER_LIMIT else None,
        decoder_key=SecretText("0123456789ABCDEF"),
    )
    return attrs.evolve(made, **changes)


@pytest.fixture(params=["v1", "v2"])
def generation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def maker(generation: str, v1: CalinV1Client, v2: CalinV2Client) -> TokenVendor:
    return CalinV1TokenVendor(v1) if generation == "v1" else CalinV2TokenVendor(v2)


class TestFirstGeneration:
    """[DM-120]"""

    async def test_a_top_up_is_sold_by_the_pos_user(self, v1: CalinV1Client, vendor: Vendor) -> None:
        """[DM-120, DM-149] By energy; the amount is exact on the wire, and neither date nor key goes out."""
        vendor.says("/POS_Purchase", SOLD["v1"])
        assert await CalinV1TokenVendor(v1).request(order(energy_kwh=Decimal("0.1"))) == TOKEN
        assert vendor.calls[-1][2] == {
            "company_name": "ACME",
            "user_name": "pos-user",
            "password": "pos-secret",
            "password_vend": "pos-secret",
            "is_vend_by_unit": True,
            "meter_number": METER,
            "amount": 0.1,
        }
        assert '"amount":0.1' in vendor.raw[-1]

    @pytest.mark.parametrize(
        ("kind", "path", "more"),
        [
            (K.SET_POWER_LIMIT, "/Maintenance_SetMaxPower", {"max_power": 5000}),
            (K.CLEAR_TAMPER, "/Maintenance_ClearTamper", {}),
            (K.CLEAR_CREDIT, "/Maintenance_ClearCredit", {}),
        ],
    )
    async def test_others_are_made_by_the_maintenance_user(
        self, v1: CalinV1Client, vendor: Vendor, kind: TokenClass, path: str, more: dict[str, int]
    ) -> None:
        vendor.says(path, {"result_code": 0, "reason": "OK", "result": TOKEN})
        assert await CalinV1TokenVendor(v1).request(order(kind)) == TOKEN
        user = {"company_name": "ACME", "user_name": "maintenance-user", "password": "maintenance-secret"}
        assert vendor.calls == [(path, vendor.calls[0][1], {**user, "meter_number": METER, **more})]


class TestSecondGeneration:
    """[DM-131]"""

    async def test_a_top_up_has_a_serial_number(self, v2: CalinV2Client, vendor: Vendor) -> None:
        """[DM-131, DM-149] A fresh UUID of version 4 for each order."""
        vendor.says(V2_TOP_UP, SOLD["v2"])
        assert await CalinV2TokenVendor(v2).request(order()) == TOKEN
        assert await CalinV2TokenVendor(v2).request(order()) == TOKEN
        first, second = vendor.bodies(V2_TOP_UP)
        serial = first.pop("serialNumber")
        assert uuid.UUID(serial).version == 4
        assert serial != second["serialNumber"]
        assert first == {
            "meterId": METER,
            "amount": 12.5,
            "company": "ACME",
            "authorizationPassword": "pos-secret",
            "isPreview": False,
            "isVendByTotalPaid": False,
        }

    async def test_a_repeated_attempt_has_the_same_one(self, v2: CalinV2Client, vendor: Vendor) -> None:
        """[DM-131] After a 401."""
        vendor.says(
            "/API/User/Login",
            *({"code": 0, "reason": "success", "result": {"token": bearer(number=n)}} for n in range(2)),
        )
        vendor.says(V2_TOP_UP, status(401), SOLD["v2"])
        assert await CalinV2TokenVendor(v2).request(order()) == TOKEN
        first, second = vendor.bodies(V2_TOP_UP)
        assert first == second
        assert first["serialNumber"]

    @pytest.mark.parametrize(
        ("kind", "path", "more"),
        [
            (K.SET_POWER_LIMIT, "/API/Token/SetMaximumPowerLimitToken/Generate", {"maximumPower": 5000}),
            (K.CLEAR_TAMPER, "/API/Token/ClearTamperToken/Generate", {}),
            (K.CLEAR_CREDIT, "/API/Token/ClearCreditToken/Generate", {}),
        ],
    )
    async def test_others(
        self, v2: CalinV2Client, vendor: Vendor, kind: TokenClass, path: str, more: dict[str, int]
    ) -> None:
        vendor.says(path, {"code": 0, "reason": "success", "result": {"token": TOKEN}})
        assert await CalinV2TokenVendor(v2).request(order(kind)) == TOKEN
        assert vendor.bodies(path) == [{"meterId": METER, "company": "ACME", **more}]


class TestBoth:
    @pytest.mark.parametrize(
        "incomplete",
        [
            order(energy_kwh=None),
            order(energy_kwh=Decimal(0)),
            order(energy_kwh=Decimal("NaN")),
            order(energy_kwh=Decimal("1E9")),
            order(K.SET_POWER_LIMIT, power_limit_w=None),
            order(K.SET_POWER_LIMIT, power_limit_w=-1),
        ],
        ids=str,
    )
    async def test_dm_140_an_incomplete_order_is_never_sent(
        self, maker: TokenVendor, vendor: Vendor, incomplete: TokenRequest
    ) -> None:
        with pytest.raises(InvalidInput):
            await maker.request(incomplete)
        assert vendor.calls == []

    @pytest.mark.parametrize("reason", ["Meter is not registered", ""])
    async def test_dm_120_no_token_and_nothing_sold(
        self, maker: TokenVendor, generation: str, vendor: Vendor, reason: str
    ) -> None:
        """[DM-120, DM-131] The order may be repeated; people are told."""
        code = {"v1": "result_code", "v2": "code"}[generation]
        vendor.says(TOP_UP_PATHS[generation], {code: 3, "reason": reason})
        with pytest.raises(TokenBadAnswer) as failed:
            await maker.request(order())
        because = f" because: {reason}" if reason else ""
        assert failed.value.message == f"[{NAMES[generation]}] Got an empty response{because}"

    @pytest.mark.parametrize("token", [None, "", "1234", "x", 12345678901234567890, {"a": 1}, "123456789012345678901"])
    async def test_met_75_a_sale_without_a_token_is_not_repeated(
        self, maker: TokenVendor, generation: str, vendor: Vendor, token: Any
    ) -> None:
        """[MET-75] The vendor says that all is well: it may have booked the sale."""
        sold = json.loads(json.dumps(SOLD[generation]))
        sold["result"]["token"] = token
        vendor.says(TOP_UP_PATHS[generation], sold)
        with pytest.raises(TokenOutcomeUnknown):
            await maker.request(order())
        assert len(vendor.bodies(TOP_UP_PATHS[generation])) == 1

    @pytest.mark.parametrize(
        ("trouble", "is_unknown"),
        [
            (reset, True),
            (page(200), True),
            (garbage(), True),
            (status(500, {}), True),
            (status(504, {}), True),
            (status(503, {}), False),
            (page(502), False),
            (status(404, {}), False),
        ],
        ids=range(8),
    )
    async def test_met_75_what_may_be_booked_is_not_asked_for_again(
        self, maker: TokenVendor, generation: str, vendor: Vendor, trouble: Any, *, is_unknown: bool
    ) -> None:
        """[MET-75, DM-124, R2] Once; a maintenance token, which costs nothing, may be asked for again."""
        vendor.says(TOP_UP_PATHS[generation], trouble)
        vendor.says(CLEAR_PATHS[generation], trouble)
        with pytest.raises(TokenOutcomeUnknown if is_unknown else TokenVendorUnavailable):
            await maker.request(order())
        assert len(vendor.bodies(TOP_UP_PATHS[generation])) == 1
        with pytest.raises(TokenVendorUnavailable):
            await maker.request(order(K.CLEAR_CREDIT))

    async def test_nothing_secret_in_a_failure(self, maker: TokenVendor, generation: str, vendor: Vendor) -> None:
        """[DM-171]"""
        vendor.says(TOP_UP_PATHS[generation], status(500, {"Message": "boom"}))
        with pytest.raises(TokenOutcomeUnknown) as failed:
            await maker.request(order())
        assert "secret" not in f"{failed.value!r} {failed.value.message}"


class TestMint:
    """The stand-alone mode's own words [DM-148, DM-149]."""

    def order(self, kind: CommandType = CommandType.TOP_UP_KWH, **changes: Any) -> TokenOrder:
        made = TokenOrder(kind=kind, meter=METER, issue_date="any", energy_kwh=Decimal("12.5"))
        return attrs.evolve(made, **changes)

    async def test_a_token_is_made(self, maker: Any, generation: str, vendor: Vendor) -> None:
        """[DM-120, DM-131]"""
        vendor.says(TOP_UP_PATHS[generation], SOLD[generation])
        assert await CalinMint(maker).mint(self.order()) == TOKEN
        limit = self.order(CommandType.SET_POWER_LIMIT, energy_kwh=None, power_limit_w=Decimal(1500))
        vendor.says("/Maintenance_SetMaxPower", {"result": TOKEN})
        vendor.says("/API/Token/SetMaximumPowerLimitToken/Generate", {"result": {"token": TOKEN}})
        assert await CalinMint(maker).mint(limit) == TOKEN
        assert 1500 in vendor.calls[-1][2].values()

    @pytest.mark.parametrize("limit", [None, Decimal("1.5"), Decimal("1E999999999"), Decimal("NaN"), Decimal(-1)])
    async def test_dm_140_what_is_missing_or_impossible_is_never_sent(
        self, maker: Any, vendor: Vendor, limit: Decimal | None
    ) -> None:
        wrong = self.order(CommandType.SET_POWER_LIMIT, energy_kwh=None, power_limit_w=limit)
        with pytest.raises(InvalidInput):
            await CalinMint(maker).mint(wrong)
        with pytest.raises(InvalidInput):
            await CalinMint(maker).mint(self.order(energy_kwh=None))
        assert vendor.calls == []

    async def test_a_failure_has_the_plugins_text(self, maker: Any, generation: str, vendor: Vendor) -> None:
        vendor.says(TOP_UP_PATHS[generation], {"reason": "no such meter"})
        with pytest.raises(MintFailed) as failed:
            await CalinMint(maker).mint(self.order())
        assert failed.value.message == f"[{NAMES[generation]}] Got an empty response because: no such meter"

    async def test_silence_is_told_apart(self, generation: str, vendor: Vendor) -> None:
        vendor.says(TOP_UP_PATHS[generation], slow(1.0))
        metrics = OutboundMetrics(CollectorRegistry())
        first = CalinV1Client(v1_settings(vendor.url), policy=policy(timeout_s=0.2), metrics=metrics)
        second = CalinV2Client(v2_settings(vendor.url), policy=policy(timeout_s=0.2), metrics=metrics)
        seller: Any = CalinV1TokenVendor(first) if generation == "v1" else CalinV2TokenVendor(second)
        with pytest.raises(MintTimedOut):
            await CalinMint(seller).mint(self.order())
        await first.close()
        await second.close()
