"""Posts of sensors, stored before the answer and passed on after it [DM-187, DM-188]."""

from __future__ import annotations

from typing import Protocol

import structlog

from nxt_domain.grids.sensors import PulseOutcome, SensorRow, Taken, TakeSensorEvent
from nxt_domain.shared.json import Json
from nxt_entrypoints.background import Background

_log = structlog.get_logger("nxt.api")


class ReadingReceiver(Protocol):
    """Takes readings of sensors: the telemetry role."""

    async def ingest(self, row: SensorRow) -> None:
        """Return when the reading was taken."""


class SensorEvents:
    """Takes posts.

    Args:
        take: Stores them.
        sink: Where readings go.
        background: Where that runs; what it raises is logged only.
    """

    def __init__(self, take: TakeSensorEvent, sink: ReadingReceiver, background: Background) -> None:
        self._take = take
        self._sink = sink
        self._background = background

    async def acrel(self, body: Json) -> None:
        """Take an energy meter's post.

        Raises:
            NotFound: No such sensor.
        """
        self._pass_on(await self._take.acrel(body))

    async def milesight(self, body: Json) -> None:
        """Take a probe's post.

        Raises:
            NotFound: No such sensor.
        """
        self._pass_on(await self._take.milesight(body))

    def _pass_on(self, taken: Taken) -> None:
        if taken.pulses in {PulseOutcome.NO_METER, PulseOutcome.NO_WALLET}:
            _log.warning("a sensor's counter belongs to nobody", device_id=taken.device_id, reason=taken.pulses.value)
        if taken.row is None:
            _log.info("a sensor's post has no reading", device_id=taken.device_id)
            return
        self._background.start("sensor reading", self._sink.ingest(taken.row))
