"""The simulated ``nxt-sts`` service: its answers and errors, word by word [STS-67, STS-68]."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig
from nxt_entrypoints.simulators.sts.service import StsServiceConfig

ORDER: dict[str, Any] = {
    "decoderKey": "0123456789ABCDEF",
    "randomNumber": 3,
    "issueDate": "2024-03-15T10:30:00.000Z",
    "type": "TOP_UP_KWH",
    "kwh": 0.5,
}
TYPES = "type must be one of: TOP_UP_KWH, TOP_UP (deprecated alias), CLEAR_CREDIT, CLEAR_TAMPER, SET_POWER_LIMIT"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        Simulators(SimulatorsConfig(sts=StsServiceConfig())) as simulators,
        aiohttp.ClientSession(simulators.urls["sts"]) as opened,
    ):
        yield opened


async def ask(session: aiohttp.ClientSession, body: object) -> tuple[int, Any]:
    async with session.post("/token", json=body) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"type": "TOP_UP"},
        {"decoderKey": "0123456789abcdef"},
        {"issueDate": "2024-03-15T10:30:59"},
        {"issueDate": "2024-03-15T10:30:00+05:00"},
    ],
    ids=str,
)
async def test_sts_67_example(session: aiohttp.ClientSession, changes: dict[str, Any]) -> None:
    """The offset is ignored."""
    assert await ask(session, ORDER | changes) == (200, {"token": "58627975513348563046"})


async def test_sts_67_power_limit(session: aiohttp.ClientSession) -> None:
    order = {**ORDER, "type": "SET_POWER_LIMIT", "powerLimit": 5000}
    assert await ask(session, order) == (200, {"token": "28227747371740445170"})


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"decoderKey": "12"}, "decoderKey must be exactly 16 hex characters", "decoderKey"),
        ({"decoderKey": None}, "decoderKey must be exactly 16 hex characters", "decoderKey"),
        ({"issueDate": None}, "issueDate is required", "issueDate"),
        ({"issueDate": "2024-03-15"}, "issueDate must be an ISO 8601 datetime", None),
        ({"randomNumber": None}, "randomNumber is required", "randomNumber"),
        ({"randomNumber": 16}, "randomNumber must be an integer between 0 and 15", "randomNumber"),
        ({"randomNumber": 1.5}, "randomNumber must be an integer between 0 and 15", None),
        ({"type": "NONSENSE"}, TYPES, None),
        ({"kwh": -1}, "kwh must be zero or greater", "kwh"),
        ({"kwh": 1820162.5}, "kwh must not exceed 1820162.4", "kwh"),
        ({"kwh": None}, "kwh is required for TOP_UP_KWH", "kwh"),
        ({"type": "SET_POWER_LIMIT"}, "powerLimit is required for SET_POWER_LIMIT", "powerLimit"),
        (
            {"type": "SET_POWER_LIMIT", "powerLimit": 18201625},
            "powerLimit must not exceed 18201624",
            "powerLimit",
        ),
    ],
    ids=str,
)
async def test_sts_68_errors(
    session: aiohttp.ClientSession, changes: dict[str, Any], error: str, field: str | None
) -> None:
    status, body = await ask(session, ORDER | changes)
    assert status == 400
    assert body["error"].startswith(error)
    assert body["field"] == field


async def test_sts_68_other_routes(session: aiohttp.ClientSession) -> None:
    async with session.get("/actuator/health") as answer:
        assert await answer.json() == {"status": "UP"}
    async with session.get("/") as answer:
        assert (await answer.json())["name"] == "nxt-sts"
    async with session.get("/v3/api-docs") as answer:
        assert (await answer.json())["info"]["title"] == "NXT STS"
    async with session.get("/nowhere") as answer:
        assert (answer.status, await answer.json()) == (404, {"error": "Not found", "field": None})
    async with session.get("/token") as answer:
        assert (answer.status, (await answer.json())["error"]) == (405, "Method not allowed for this endpoint")
    async with session.post("/token", data=b"{") as answer:
        assert (answer.status, (await answer.json())["error"]) == (400, "Malformed JSON request")


async def test_sts_73_moods(session: aiohttp.ClientSession) -> None:
    """[STS-73]"""
    for mood, body in (("empty", b""), ("older", b""), ("other_amount", None)):
        async with session.put("/mood", json={"mood": mood}) as answer:
            assert answer.status == 200
        async with session.post("/token", json=ORDER) as answer:
            assert answer.status == 200
            content = await answer.read()
        assert content == body if body is not None else b"58627975513348563046" not in content
    async with session.put("/mood", json={"mood": "merry"}) as answer:
        assert answer.status == 400
