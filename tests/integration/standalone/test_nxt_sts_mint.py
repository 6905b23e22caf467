"""Tokens of the ``nxt-sts`` service for the stand-alone contract, over a real socket [DM 13.2]."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from nxt_adapters.nxt_sts import DEFAULT_POLICY, NxtStsMint, NxtStsSettings
from nxt_domain.messaging.mint import MintFailed, MintTimedOut, TokenOrder
from nxt_domain.messaging.model import CommandType
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.secrets import SecretText
from nxt_entrypoints.messaging.dialect import refuse

FAILED = "[NXT STS TOKEN SERVICE] Failed to generate token"


class Service:
    """Answers as told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.status, self.body = 200, '{"token":"12345678901234567890"}'
        self.wait_s = 0.0

    async def take(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        await asyncio.sleep(self.wait_s)
        return web.Response(status=self.status, text=self.body, content_type="application/json")


@pytest.fixture
def sts() -> Service:
    return Service()


@pytest.fixture
async def mint(sts: Service) -> AsyncIterator[NxtStsMint]:
    app = web.Application()
    app.router.add_post("/token", sts.take)
    async with TestServer(app) as server:
        policy = attrs.evolve(DEFAULT_POLICY, timeout_s=0.3)
        made = NxtStsMint(NxtStsSettings(url=f"{server.make_url('/')}"), policy=policy)
        yield made
        await made.close()


def order(**changes: Any) -> TokenOrder:
    whole = TokenOrder(
        kind=CommandType.TOP_UP_KWH,
        meter="47003333771",
        issue_date="2026-08-05T10:30:00",
        decoder_key=SecretText(" 0123456789ABCDEF "),
        energy_kwh=Decimal(10),
    )
    return attrs.evolve(whole, **changes)


async def test_the_worked_example(mint: NxtStsMint, sts: Service) -> None:
    """[DM-134] [DM-135] Key trimmed, date as given, a random number from 0 to 15, amounts by kind."""
    assert await mint.mint(order()) == "12345678901234567890"
    (asked,) = sts.asked
    assert asked.pop("randomNumber") in range(16)
    assert asked == {
        "decoderKey": "0123456789ABCDEF",
        "issueDate": "2026-08-05T10:30:00",
        "type": "TOP_UP_KWH",
        "kwh": 10,
    }
    limit = order(kind=CommandType.SET_POWER_LIMIT, energy_kwh=None, power_limit_w=Decimal(5000))
    await mint.mint(limit)
    assert {name: sts.asked[1].get(name) for name in ("type", "powerLimit", "kwh")} == {
        "type": "SET_POWER_LIMIT",
        "powerLimit": 5000,
        "kwh": None,
    }
    await mint.mint(order(kind=CommandType.CLEAR_CREDIT, energy_kwh=None))
    assert not {"kwh", "powerLimit"} & set(sts.asked[2])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"decoder_key": None}, "device.decoderKey is required"),
        ({"decoder_key": SecretText("  ")}, "device.decoderKey is required"),
        ({"decoder_key": SecretText("0123456789ABCDE")}, "device.decoderKey must be exactly 16 hex characters"),
        ({"decoder_key": SecretText("0123456789ABCDEG")}, "device.decoderKey must be exactly 16 hex characters"),
        (
            {"issue_date": "2026-08-05"},
            'issueDateString must be an ISO 8601 datetime (e.g. "2024-03-15T10:30:00"), not a date-only string',
        ),
        (
            {"issue_date": "TODAY"},
            'issueDateString must be an ISO 8601 datetime (e.g. "2024-03-15T10:30:00"), not a date-only string',
        ),
    ],
)
async def test_what_cannot_be_ordered_is_not_asked_for(
    mint: NxtStsMint, sts: Service, changes: dict[str, Any], text: str
) -> None:
    """[DM-135]"""
    with pytest.raises(InvalidInput) as refusal:
        await mint.mint(order(**changes))
    assert refusal.value.message == f"[NXT STS TOKEN SERVICE] {text}"
    assert "0123456789" not in refusal.value.message
    assert sts.asked == []


@pytest.mark.parametrize("date", ["2026-08-05T10:30:00.123Z", "2026-08-05T10:30:00+01:00", "2026-08-05T10:30"])
async def test_dates_are_passed_on_as_they_are(mint: NxtStsMint, sts: Service, date: str) -> None:
    """[DM-135]"""
    await mint.mint(order(issue_date=date))
    assert sts.asked[0]["issueDate"] == date


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, "{}"), (404, '{"token":"1"}'), (200, "{}"), (200, '{"token":""}'), (200, '{"token":1}'), (200, "no json")],
)
async def test_any_other_answer_is_a_failure(mint: NxtStsMint, sts: Service, status: int, body: str) -> None:
    """[DM-136] [DM-148] 502 with the plug-in's text."""
    sts.status, sts.body = status, body
    with pytest.raises(MintFailed) as failure:
        await mint.mint(order())
    assert refuse(failure.value, 500) == (502, {"error": FAILED})


async def test_silence_is_a_time_out(mint: NxtStsMint, sts: Service) -> None:
    """[DM-136] [DM-148] 504."""
    sts.wait_s = 1.0
    with pytest.raises(MintTimedOut) as silence:
        await mint.mint(order())
    assert refuse(silence.value, 500) == (504, {"error": FAILED})
