"""Posts of sensors: what goes on after the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from nxt_adapters.internal.device_data_sink import DeviceDataSink
from nxt_adapters.memory.sensors import SensorState
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.resilience import CallPolicy, RetryPolicy
from nxt_domain.grids.sensors import SensorRow, TakeSensorEvent
from nxt_domain.shared.errors import NotFound, Unavailable, UpstreamFailed
from nxt_entrypoints.api.sensor_events import SensorEvents
from nxt_entrypoints.background import Background

EUI = "24e124136d000001"
POST = {
    "deviceInfo": {"devEui": EUI},
    "time": "2026-05-01T10:00:03.120Z",
    "object": {"data": {"EPa": Decimal("1532.4")}},
}


class Sink:
    def __init__(self) -> None:
        self.taken: list[SensorRow] = []
        self.is_away = False

    async def ingest(self, row: SensorRow) -> None:
        if self.is_away:
            raise Unavailable("The telemetry role can't be reached")
        self.taken.append(row)


@pytest.fixture
async def plane() -> MemoryPlane:
    made = MemoryPlane()
    async with made.begin() as tx:
        tx.sensors.know(EUI, SensorState(id=1))
        await tx.commit()
    return made


async def test_a_reading_goes_on_after_the_answer(plane: MemoryPlane) -> None:
    """[DM-187] [DM-188]"""
    sink, background = Sink(), Background()
    events = SensorEvents(TakeSensorEvent(plane.begin), sink, background)
    await events.acrel(POST)
    await events.milesight(POST)
    await background.finish()
    assert [row.data for row in sink.taken] == [{"EPa": Decimal("1532.4")}, POST["object"]]


async def test_a_telemetry_role_that_is_away_is_logged_only(plane: MemoryPlane) -> None:
    """[DM-187] [DM-189] What was posted is stored all the same."""
    sink, background = Sink(), Background()
    sink.is_away = True
    with capture_logs() as lines:
        await SensorEvents(TakeSensorEvent(plane.begin), sink, background).acrel(POST)
        await background.finish()
    assert "work after an answer failed" in [line["event"] for line in lines]
    assert "a sensor's counter belongs to nobody" in [line["event"] for line in lines]
    assert len(plane.database.table("devices")[EUI].log) == 1


async def test_an_unknown_device_is_told_at_once(plane: MemoryPlane) -> None:
    """[API-131]"""
    events = SensorEvents(TakeSensorEvent(plane.begin), Sink(), Background())
    with pytest.raises(NotFound, match="Could not find device"):
        await events.acrel({"deviceInfo": {"devEui": "0"}})


class Role:
    """A telemetry role."""

    def __init__(self) -> None:
        self.status = 201
        self.taken: list[tuple[str | None, Any]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((request.headers.get("X-API-KEY"), await request.json()))
        return web.json_response({"inserted": 1, "duplicates": 0}, status=self.status)


@pytest.fixture
async def role() -> AsyncIterator[tuple[Role, str]]:
    made = Role()
    app = web.Application()
    app.router.add_post("/device-data-sink/ingest", made.take)
    async with TestServer(app) as server:
        yield made, str(server.make_url("/"))


ROW = SensorRow(device_id=42, at=datetime(2026, 5, 1, 10, 0, 3, 120_000, tzinfo=UTC), data={"EPa": Decimal("1532.4")})


async def test_the_telemetry_role_is_told_in_its_words(role: tuple[Role, str]) -> None:
    """[DM-187] [API-155]"""
    told, url = role
    sink = DeviceDataSink(base_url=url, internal_key="inner")
    await sink.ingest(ROW)
    await sink.close()
    moment = "2026-05-01T10:00:03.120Z"
    assert told.taken == [
        ("inner", {"device_id": 42, "created_at": moment, "timestamp": moment, "data": {"EPa": 1532.4}, "meta": {}})
    ]


async def test_trouble_of_the_telemetry_role_is_told_apart(role: tuple[Role, str]) -> None:
    """[DM-189] Away, refusing, not there at all."""
    told, url = role
    told.status = 400
    once = CallPolicy(retry=RetryPolicy(attempts=1))
    for base_url, error in ((url, UpstreamFailed), ("http://127.0.0.1:9", Unavailable), (None, Unavailable)):
        sink = DeviceDataSink(base_url=base_url, internal_key=None, policy=once)
        with pytest.raises(error):
            await sink.ingest(ROW)
        await sink.close()
