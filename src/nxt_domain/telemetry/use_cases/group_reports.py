"""Reports that arrive one by one, committed in groups [TEL-216]."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import attrs

from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import DomainError, Unavailable
from nxt_domain.telemetry.model import HourlyReport, IgnoredReport, RecordedReports
from nxt_domain.telemetry.ports import MeterRegister, SeriesStore
from nxt_domain.telemetry.readings import PlausibleLimits
from nxt_domain.telemetry.use_cases.record_reports import RecordHourlyReports


@attrs.define(eq=False)
class _Submission:
    """Reports of one caller, and where it waits for their outcome."""

    reports: Sequence[HourlyReport]
    outcome: asyncio.Future[RecordedReports]

    def settle(self, recorded: RecordedReports) -> None:
        if not self.outcome.done():  # a caller that went away has cancelled it
            self.outcome.set_result(recorded)

    def fail(self, error: BaseException) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


class GroupedHourlyReports(RecordHourlyReports):
    """Records as its base does, but shares one transaction among the callers that wait at the same time.

    While one transaction is under way, reports gather for the next one; an idle recorder starts at once. So nobody
    waits longer than for the end of one commit before his own begins, and a fleet that reports at the full hour costs
    one commit for hundreds of reports.

    Args:
        store: Where readings and hours are kept.
        meters: Facts of meters, and their last consumption.
        clock: Tells the present.
        limits: Plausible power by phase.
        group_size: Reports in one transaction; a caller with as many gets one of its own.
        queue_limit: Reports that may wait [TEL-217].
    """

    def __init__(
        self,
        store: SeriesStore,
        meters: MeterRegister,
        clock: Clock,
        limits: PlausibleLimits | None = None,
        *,
        group_size: int = 500,
        queue_limit: int = 10_000,
    ) -> None:
        super().__init__(store, meters, clock, limits)
        self._group_size = group_size
        self._queue_limit = queue_limit
        self._queue: deque[_Submission] = deque()
        self._worker: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many reports wait for the next commit [TEL-210]."""
        return sum(len(submission.reports) for submission in self._queue)

    async def record(self, reports: Sequence[HourlyReport]) -> RecordedReports:
        """See ``RecordHourlyReports.record``.

        Raises:
            Unavailable: A store can't be reached, or too many reports wait already; nothing was stored.
        """
        if len(reports) >= self._group_size:
            return await super().record(reports)
        if self.waiting + len(reports) > self._queue_limit:
            raise Unavailable("Too many reports are waiting")
        submission = _Submission(reports, asyncio.get_running_loop().create_future())
        self._queue.append(submission)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name="hourly reports")
        return await submission.outcome

    async def _work(self) -> None:
        try:
            while self._queue:
                await self._commit(self._next_group())
        finally:
            while self._queue:  # cancelled: the senders repeat
                self._queue.popleft().fail(Unavailable("The recorder was stopped"))

    def _next_group(self) -> list[_Submission]:
        group = [self._queue.popleft()]
        size = len(group[0].reports)
        while self._queue and size + len(self._queue[0].reports) <= self._group_size:
            group.append(self._queue.popleft())
            size += len(group[-1].reports)
        return group

    async def _commit(self, group: Sequence[_Submission]) -> None:
        try:
            recorded = await super().record([report for submission in group for report in submission.reports])
        except DomainError as error:  # the store is away: true for everybody
            for submission in group:
                submission.fail(error)
        except Exception as error:  # noqa: BLE001 - whatever one report breaks, only its own sender may suffer [TEL-35]
            await self._commit_apart(group, error)
        except BaseException:
            for submission in group:
                submission.fail(Unavailable("The recorder was stopped"))
            raise
        else:
            _share(group, recorded)

    async def _commit_apart(self, group: Sequence[_Submission], error: Exception) -> None:
        """Halve a group that fails until the reports that break it are alone."""
        if len(group) == 1:
            group[0].fail(error)
            return
        half = len(group) // 2
        await self._commit(group[:half])
        await self._commit(group[half:])


def _share(group: Sequence[_Submission], recorded: RecordedReports) -> None:
    """Give each caller its part of the outcome, with places counted in its own reports."""
    start = 0
    for submission in group:
        end = start + len(submission.reports)
        ignored = [
            IgnoredReport(index=each.index - start, reason=each.reason)
            for each in recorded.ignored
            if start <= each.index < end
        ]
        submission.settle(RecordedReports(accepted=end - start - len(ignored), ignored=tuple(ignored)))
        start = end
