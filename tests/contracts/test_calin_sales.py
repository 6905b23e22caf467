"""Tokens of CALIN's two services: the meters behind them decode and verify what was sold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.support.calin import METER, with_token
from tests.support.calin_clouds import Cloud, cloud

from nxt_domain.messaging.model import CommandType
from nxt_domain.tokens.model import TokenClass, TokenRequest
from nxt_domain.tokens.ports import TokenBadAnswer, TokenOutcomeUnknown


def order(**changes: Any) -> TokenRequest:
    made = TokenRequest(
        token_class=TokenClass.TOP_UP,
        meter_number=METER,
        issued_at=datetime(2026, 8, 5, tzinfo=UTC),
        nonce=3,
        energy_kwh=Decimal("0.5"),
    )
    return attrs.evolve(made, **changes)


@pytest.fixture(params=["v1", "v2"])
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Cloud]:
    async with cloud(request.param) as made:
        yield made


async def deliver(service: Cloud, token: str) -> bool:
    sent = with_token(CommandType.DELIVER_PREEXISTING_TOKEN, token)
    number = await service.plugin.send(sent)
    event = await service.plugin.poll(attrs.evolve(sent, delivery_queue_id=number))
    return event is not None and event.failure is None


async def test_a_top_up_is_credited_once(service: Cloud) -> None:
    """[DM-120, DM-131]"""
    wanted = order(energy_kwh=Decimal("12.5"))
    token = await service.vendor.request(wanted)
    assert await deliver(service, token)
    assert service.meter()["credited_kwh_total"] == Decimal("12.5")
    assert service.meter()["tokens_accepted"] == 1


async def test_two_orders_of_one_minute_are_two_tokens(service: Cloud) -> None:
    """The vendor keeps its own minutes: both count."""
    wanted = order(energy_kwh=Decimal(1))
    first, second = [await service.vendor.request(wanted) for _ in range(2)]
    assert first != second
    assert await deliver(service, first)
    assert await deliver(service, second)
    assert service.meter()["credited_kwh_total"] == 2


@pytest.mark.parametrize(
    ("token_class", "changes", "seen"),
    [
        (TokenClass.SET_POWER_LIMIT, {"power_limit_w": 1500}, ("power_limit_w", 1500)),
        (TokenClass.CLEAR_CREDIT, {}, ("credit_kwh", 0)),
        (TokenClass.CLEAR_TAMPER, {}, ("last_verdict", "ACCEPTED")),
    ],
)
async def test_the_other_kinds(
    service: Cloud, token_class: TokenClass, changes: dict[str, Any], seen: tuple[str, Any]
) -> None:
    wanted = order(token_class=token_class, energy_kwh=None, **changes)
    assert await deliver(service, await service.vendor.request(wanted))
    assert service.meter()[seen[0]] == seen[1]


@pytest.mark.parametrize(
    ("tokens", "failure"),
    [
        ("empty", TokenBadAnswer),
        ("silent", TokenBadAnswer),
        ("short", TokenOutcomeUnknown),
        ("sold_without_token", TokenOutcomeUnknown),
    ],
)
async def test_wrong_answers(service: Cloud, tokens: str, failure: type[Exception]) -> None:
    """[DM-120, DM-131, MET-75] What may be a booked sale is never asked for again."""
    service.mood(tokens=tokens)
    with pytest.raises(failure):
        await service.vendor.request(order())


@pytest.mark.parametrize("answers", ["reset", "page"])
async def test_a_sale_whose_answer_was_lost(service: Cloud, answers: str) -> None:
    """[MET-75, R2] It was booked, and is not sold again."""
    service.mood(answers=answers)
    with pytest.raises(TokenOutcomeUnknown):
        await service.vendor.request(order())
    assert service.count("mint") == 1
    assert len(service.simulator.machine.made) == 1


async def test_a_repeated_attempt_is_one_sale() -> None:
    """[DM-131] Its serial number says so."""
    async with cloud("v2") as service:
        await service.plugin.check()
        service.simulator.accounts.revoke()
        await service.vendor.request(order())
        assert len(service.simulator.machine.made) == 1
        assert service.simulator.accounts.logins == 2
