"""Intents in memory."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.meters import MemoryStateEvents, MeterRow
from nxt_domain.meters.intents import Intent
from nxt_domain.meters.state_events import Actor, StateEvent, StateEventKind


@attrs.frozen(kw_only=True)
class DesiredRow:
    """The wanted half of a shadow."""

    intent: Intent
    revision: int


class MemoryIntents:
    """Implements ``Intents``.

    Args:
        database: Shared with the other fakes.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._inbox: dict[int, Intent] = database.table("intent_inbox")
        self._desired: dict[tuple[int, str], DesiredRow] = database.table("meter_desires")
        self._meters: dict[int, MeterRow] = database.table("meters")
        self._history = MemoryStateEvents(database)

    def write(self, intent: Intent) -> None:
        """Do what a client's write does."""
        self._inbox[self._database.next_id("intent_inbox")] = intent

    def desired(self, meter_id: int, attribute: str) -> DesiredRow | None:
        """Tell what is wanted."""
        return self._desired.get((meter_id, attribute))

    async def take(self, limit: int) -> Sequence[Intent]:
        """See ``Intents.take``."""
        return [self._inbox.pop(number) for number in sorted(self._inbox)[:limit]]

    async def register(self, intents: Sequence[Intent]) -> None:
        """See ``Intents.register``."""
        for intent in intents:
            key = (intent.meter_id, intent.attribute.value)
            before = self._desired.get(key)
            revision = 1 if before is None else before.revision + 1
            self._desired[key] = DesiredRow(intent=intent, revision=revision)
        await self._history.add(
            [
                StateEvent(
                    meter_id=intent.meter_id,
                    event=StateEventKind.DESIRED_SET,
                    actor=Actor.USER,
                    attribute=intent.attribute.value,
                    grid_id=self._meters[intent.meter_id].meter.grid_id,
                    data={"desired": intent.desired, "desired_at": intent.at.isoformat()},
                )
                for intent in intents
            ]
        )
