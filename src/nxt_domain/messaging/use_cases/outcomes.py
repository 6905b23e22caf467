"""Recording what came of sends, questions and polls, many in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import attrs

from nxt_domain.messaging.machine import Decision
from nxt_domain.messaging.model import DeviceMessage
from nxt_domain.messaging.stages import stage_of
from nxt_domain.messaging.use_cases.changes import Changes, Workshop
from nxt_domain.messaging.use_cases.parked import apply_parked, look_again
from nxt_domain.shared.errors import Unavailable
from nxt_domain.shared.group_commit import GroupCommit

_log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Verdict:
    """A decision to take about a message.

    Attributes:
        message: The row as it was when the work on it began.
        decide: The decision, to be taken on the row as it is by then.
        needs_same_stage: Whether it lapses when the message has left its stage or attempt meanwhile [DM-16].
    """

    message: DeviceMessage
    decide: Decision
    needs_same_stage: bool = True

    def still_fits(self, current: DeviceMessage) -> bool:
        """Whether the message is where this verdict was made for."""
        if not self.needs_same_stage:
            return True
        seen = self.message
        return seen.delivery_status is current.delivery_status and seen.retry_count == current.retry_count


class Outcomes:
    """Takes verdicts and makes them durable together.

    Args:
        workshop: The store and the rules.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._commits: GroupCommit[Verdict] = GroupCommit(self.write)

    async def record(self, verdict: Verdict) -> None:
        """Return when the verdict is durable, or has lost against an earlier one.

        Raises:
            Unavailable: The store can't be reached.
        """
        await self._commits.submit(verdict)

    async def write(self, verdicts: Sequence[Verdict]) -> None:
        """Take decisions on the locked rows and store them in one transaction.

        Raises:
            Unavailable: The store can't be reached.
        """
        async with self._workshop.begin() as store:
            batch = await store.rows.lock({verdict.message.id for verdict in verdicts})
            changes = Changes(self._workshop, batch.now, batch.messages)
            missed = [verdict for verdict in verdicts if not self._judge(changes, verdict)]
            await apply_parked(store, changes)
            await changes.write(store)
            await store.commit()
        changes.committed()
        for verdict in missed:
            self._count_miss(verdict.message)
        await self._look_again(changes)

    async def _look_again(self, changes: Changes) -> None:
        """Look for events that were kept between this transaction's look and its commit."""
        for plugin_id, owners in changes.learned_ids().items():
            try:
                await look_again(self._workshop, plugin_id, owners.keys())
            except Unavailable as absence:
                # What was decided is durable all the same; an answer that stays kept is asked for again in time.
                _log.warning("events kept for new remote ids were not looked for: %s", absence.message)

    def _judge(self, changes: Changes, verdict: Verdict) -> bool:
        current = changes.current(verdict.message.id)
        if current is None or not verdict.still_fits(current):
            return False
        changes.apply(current.id, verdict.decide)
        return True

    def _count_miss(self, message: DeviceMessage) -> None:
        lane = self._workshop.lanes.get(message.plugin_id)
        stage = None if lane is None else stage_of(message.delivery_status, lane.pipeline)
        _log.warning("a message left stage %s before its outcome was known", stage, extra=message.names)
        if stage is not None:
            self._workshop.metrics.stage_missed(stage)
