"""Two crews in turn, so short that a machine's quiet seconds and busy ones fall to both of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Self

import attrs
from _harness import Figure
from _settlement_crew import Crew

_TURN_S = 0.4


@attrs.frozen(kw_only=True)
class Turn:
    """What a crew did in its turn."""

    orders: int
    took_s: float
    has_more: bool

    @classmethod
    async def of(cls, crew: Crew) -> Self:
        """Let it settle."""
        starts_at = time.time()
        done = await crew.settle(_TURN_S)
        return cls(
            orders=sum(work.orders for work in done),
            took_s=max(work.ended_at for work in done) - starts_at,
            has_more=all(work.has_more for work in done),
        )

    @property
    def orders_per_s(self) -> float:
        """How fast it was."""
        return self.orders / self.took_s


@attrs.frozen(kw_only=True)
class Comparison:
    """Turns with earlier orders in the tables beside turns without.

    Attributes:
        cases: Without, and with them.
    """

    cases: tuple[str, str]
    workers: int
    theirs: Sequence[Turn]
    ours: Sequence[Turn]

    @property
    def case(self) -> str:
        """Which comparison it is."""
        return f"{self.cases[1]}, {self.workers} worker(s), in turn"

    @property
    def ratios(self) -> Sequence[float]:
        """Of each pair of turns."""
        return [ours.orders_per_s / theirs.orders_per_s for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    def figure(self) -> Figure:
        """Hold the orders of all turns against each other."""
        return Figure(case=self.case, ours=_rate(self.ours), unit="/s", beside=self.cases[0], value=_rate(self.theirs))


def _rate(turns: Sequence[Turn]) -> float:
    return sum(turn.orders for turn in turns) / sum(turn.took_s for turn in turns)


async def take_turns(one: Crew, other: Crew, *, other_first: bool) -> Sequence[tuple[Turn, Turn]]:
    """Let two crews settle in turn until one of them runs out of orders; at least one turn each.

    Args:
        one: The one that the other is held against.
        other: The other.
        other_first: Who begins.
    """
    pairs: list[tuple[Turn, Turn]] = []
    has_more = True
    while has_more:
        if other_first:
            after, before = await Turn.of(other), await Turn.of(one)
        else:
            before, after = await Turn.of(one), await Turn.of(other)
        has_more = before.has_more and after.has_more
        if has_more or not pairs:
            pairs.append((before, after))
    await asyncio.gather(one.settle(), other.settle())  # what is left is nobody's turn
    return pairs
