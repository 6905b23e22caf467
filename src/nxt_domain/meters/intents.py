"""What clients want of meters, written straight into their rows, becomes a registered intent [R16, MET-27, MET-105]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import attrs

from nxt_domain.meters.ports import Meters
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory

_BATCH = 500


class ShadowAttribute(StrEnum):
    """What of a meter can be wanted and proved."""

    RELAY = "relay"
    POWER_LIMIT = "power_limit"


@attrs.frozen(kw_only=True)
class Intent:
    """What somebody wants of a meter.

    Attributes:
        desired: Relay 1 or 0; power limit in W, 0 = none; None: nothing is wanted any more.
        at: When it was written.
        author_id: Their account; None: nobody's, such as a service's.
    """

    meter_id: int
    attribute: ShadowAttribute
    desired: int | None
    at: datetime
    author_id: int | None


class Intents(Protocol):
    """The inbox of intents, and the shadows that hold them; the caller holds the locks of the meters."""

    async def take(self, limit: int) -> Sequence[Intent]:
        """Take what was written, oldest first; what another transaction takes is skipped."""

    async def register(self, intents: Sequence[Intent]) -> None:
        """Let the shadows want it, in one statement, each with the event ``DESIRED_SET``.

        Every registration counts the revision up, also one of an equal value. Of several of one meter and attribute
        the last holds. Attempts and cool-off begin anew, and with them what was blocked [MET-132].
        """


class IntentsTransaction(UnitOfWork, Protocol):
    """One transaction over meters and what is wanted of them."""

    @property
    def meters(self) -> Meters:
        """Meters."""

    @property
    def intents(self) -> Intents:
        """Intents."""


class RegisterIntents:
    """Empties the inbox into the shadows.

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[IntentsTransaction]) -> None:
        self._begin = begin

    async def __call__(self) -> int:
        """Register one batch, and return how much was taken; intents for deleted meters come to nothing."""
        async with self._begin() as tx:
            written = await tx.intents.take(_BATCH)
            if written:
                meters = await tx.meters.lock({intent.meter_id for intent in written})
                await tx.intents.register([intent for intent in written if intent.meter_id in meters])
                await tx.commit()
        return len(written)
