"""The vendor's list of tasks: made at once, carried out by a DCU some time later, asked about by number."""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

import attrs

from nxt_entrypoints.simulators.calin.moods import Moods
from nxt_entrypoints.simulators.chirpstack.meter import Meter
from nxt_entrypoints.simulators.control import Clock


class TaskState(StrEnum):
    """How far a task is."""

    WAITING = "WAITING"
    DONE = "DONE"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    FORGOTTEN = "FORGOTTEN"


@attrs.frozen(kw_only=True)
class Outcome:
    """What the DCU brought back: a value, or a failure."""

    state: TaskState
    value: str | None = None


Work = Callable[[], Outcome]


@attrs.define(kw_only=True)
class Task:
    """One command for one meter.

    Attributes:
        kind: which of the four lists it is in.
        item: the vendor's name of what it is about.
        due: when the DCU has carried it out; None: never.
        fate: what the mood of its making has in store for it.
        token: what it delivers, if anything.
    """

    number: int
    kind: str
    meter: Meter
    item: str
    work: Work
    due: datetime | None
    fate: str
    token: str = attrs.field(default="", repr=False)
    outcome: Outcome = Outcome(state=TaskState.WAITING)


class TaskBook:
    """All tasks of one service. What is due is carried out, in order, whenever somebody looks.

    Args:
        clock: the present instant.
        takes: how long a DCU needs for a task.
    """

    def __init__(self, clock: Clock, takes: timedelta) -> None:
        self._clock = clock
        self._takes = takes
        self._tasks: dict[int, Task] = {}
        self._open: list[Task] = []
        self._last = 0

    def add(self, kind: str, meter: Meter, item: str, work: Work, moods: Moods, *, token: str = "") -> Task:
        """Make a task, whose fate the present mood decides."""
        self._last += 1
        now = self._clock()
        due: datetime | None = now + self._takes
        if moods.tasks == "late":
            due = now + timedelta(seconds=moods.late_s)
        if moods.tasks in {"never", "forgotten"}:
            due = None
        task = Task(
            number=self._last, kind=kind, meter=meter, item=item, work=work, due=due, fate=moods.tasks, token=token
        )
        if task.fate == "forgotten":
            task.outcome = Outcome(state=TaskState.FORGOTTEN)
        self._tasks[task.number] = task
        self._open.append(task)
        return task

    def find(self, kind: str, number: object) -> Task | None:
        """Return a task of a list as it is now; None: there is none, or none any more."""
        self.settle()
        text = str(number)
        task = self._tasks.get(int(text)) if text.isdecimal() and len(text) < 18 else None
        if task is None or task.kind != kind or task.outcome.state is TaskState.FORGOTTEN:
            return None
        return task

    def has_delivered(self, meter: Meter, token: str) -> bool:
        """Whether a meter has taken a token by one of these tasks."""
        self.settle()
        done = (task for task in self._tasks.values() if task.outcome.state is TaskState.DONE)
        return any(task.token == token and task.meter is meter for task in done)

    def settle(self) -> None:
        """Carry out what is due."""
        now = self._clock()
        due = [task for task in self._open if task.due is not None and task.due <= now]
        self._open = [task for task in self._open if task.due is None or task.due > now]
        for task in due:
            task.outcome = _outcome(task)


def _outcome(task: Task) -> Outcome:
    if task.fate == "failed":
        return Outcome(state=TaskState.FAILED)
    if task.fate == "rejected":
        return Outcome(state=TaskState.REJECTED)
    outcome = task.work()
    return Outcome(state=TaskState.FORGOTTEN) if task.fate == "done_then_forgotten" else outcome
