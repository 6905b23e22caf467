"""The control plane that all simulators share: faults on demand, and a log of what came in [R33]."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

RATES = ("error_rate", "garbage_rate", "loss_rate", "duplicate_rate", "reorder_rate")
_KEYS = ("latency_ms", "down", *RATES, "seed")
_MAX_LATENCY_MS = 600_000.0
_LOG_SIZE = 20_000

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


class InvalidControlError(ValueError):
    """A control body names an unknown key, or gives a value of the wrong type or range."""


@attrs.frozen(kw_only=True)
class Faults:
    """What a simulator does wrong at present; all zero is a healthy vendor.

    Attributes:
        latency_ms: least and greatest added delay of an answer, in milliseconds.
        down: the vendor answers nothing but "unavailable" and sends nothing.
        error_rate: share of calls answered with the vendor's server error, without effect.
        garbage_rate: share of answers that can't be understood, although the call took effect.
        loss_rate: share of messages lost on their way to or from a device or a customer.
        duplicate_rate: share of outgoing posts that are sent twice.
        reorder_rate: share of outgoing posts that are delayed past later ones.
        seed: what the random source was last started with.
    """

    latency_ms: tuple[float, float] = (0.0, 0.0)
    down: bool = False
    error_rate: float = 0.0
    garbage_rate: float = 0.0
    loss_rate: float = 0.0
    duplicate_rate: float = 0.0
    reorder_rate: float = 0.0
    seed: int = 0

    def changed(self, body: object) -> "Faults":
        """Apply the body of ``PUT /control``; keys that are absent keep their value.

        Raises:
            InvalidControlError: naming the first thing that is wrong.
        """
        if not isinstance(body, Mapping):
            raise InvalidControlError("the body must be a JSON object")
        unknown = sorted(str(key) for key in body if key not in _KEYS)
        if unknown:
            raise InvalidControlError(f"unknown keys: {', '.join(unknown)}; known: {', '.join(_KEYS)}")
        changes: dict[str, Any] = {key: _checked(key, value) for key, value in body.items()}
        return attrs.evolve(self, **changes)

    def as_json(self) -> dict[str, object]:
        """Return the body of ``GET /control``."""
        return attrs.asdict(self) | {"latency_ms": list(self.latency_ms)}


def _checked(key: str, value: object) -> object:
    if key == "down":
        if not isinstance(value, bool):
            raise InvalidControlError("down must be true or false")
        return value
    if key == "seed":
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidControlError("seed must be an integer")
        return value
    if key == "latency_ms":
        return _latency(value)
    return _number(key, value, 1.0)


def _latency(value: object) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise InvalidControlError("latency_ms must be [min, max]")
    low, high = (_number("latency_ms", each, _MAX_LATENCY_MS) for each in value)
    if low > high:
        raise InvalidControlError("latency_ms must be [min, max] with min <= max")
    return low, high


def _number(key: str, value: object, top: float) -> float:
    try:
        number = float(value) if not isinstance(value, bool | str | bytes) else None  # type: ignore[arg-type]  # any JSON value
    except (TypeError, ValueError):
        number = None
    if number is None or not 0 <= number <= top:
        raise InvalidControlError(f"{key} must be a number between 0 and {top:g}")
    return number


class ReceivedLog:
    """A bounded ring of what was received; entries carry increasing numbers."""

    def __init__(self, clock: Clock = utc_now, size: int = _LOG_SIZE) -> None:
        self._clock = clock
        self._entries: deque[dict[str, object]] = deque(maxlen=size)
        self._last = 0

    def add(self, kind: str, **facts: object) -> None:
        """Note one thing with its time; ``facts`` must be JSON values and hold no credential."""
        self._last += 1
        self._entries.append({"n": self._last, "at": self._clock().isoformat(), "kind": kind, **facts})

    def after(self, number: int) -> list[dict[str, object]]:
        """Return the kept entries with a number above ``number``, oldest first."""
        skipped = len(self._entries) - min(len(self._entries), max(0, self._last - number))
        return [entry for index, entry in enumerate(self._entries) if index >= skipped]


class ControlPlane:
    """Faults, their one random source, and the log of one simulator."""

    def __init__(self, *, seed: int = 0, clock: Clock = utc_now) -> None:
        self.faults = Faults(seed=seed)
        self.random = random.Random(seed)  # noqa: S311 - faults must repeat for a seed
        self.log = ReceivedLog(clock)
        self._up = asyncio.Event()
        self._up.set()

    def update(self, body: object) -> Faults:
        """Apply a control body; a given seed restarts the random source.

        Raises:
            InvalidControlError: nothing has changed then.
        """
        self.faults = self.faults.changed(body)
        if isinstance(body, Mapping) and "seed" in body:
            self.random.seed(self.faults.seed)
        if self.faults.down:
            self._up.clear()
        else:
            self._up.set()
        return self.faults

    async def until_up(self) -> None:
        """Wait while the vendor is down."""
        await self._up.wait()

    def hits(self, rate: float) -> bool:
        """Throw the dice: true with probability ``rate``; a rate of 0 draws nothing."""
        return rate > 0 and self.random.random() < rate

    async def slow_down(self) -> None:
        """Wait for the added latency of one answer."""
        low, high = self.faults.latency_ms
        if high > 0:
            await asyncio.sleep(self.random.uniform(low, high) / 1000)
