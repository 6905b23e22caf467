"""The guard in front of an outside system: bulkhead, circuit breaker, time-out, retries, metrics, in this order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Literal, TypeVar

import stamina
import structlog
from purgatory import AsyncCircuitBreakerFactory, ContextChanged, Event
from purgatory.domain.model import HALF_OPENED, OPENED, OpenedState

from nxt_adapters.resilience.errors import (
    CallFailed,
    CircuitOpen,
    FateUnknown,
    Faulty,
    HttpFailed,
    NotReached,
    Overloaded,
)
from nxt_adapters.resilience.metrics import OutboundMetrics, Outcome
from nxt_adapters.resilience.policy import CallPolicy, RetryPolicy
from nxt_domain.shared.errors import DomainError

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)

# Most specific first: the first class that fits names the outcome.
_OUTCOMES: tuple[tuple[type[BaseException], Outcome], ...] = (
    (CircuitOpen, Outcome.CIRCUIT_OPEN),
    (Overloaded, Outcome.OVERLOADED),
    (NotReached, Outcome.NOT_REACHED),
    (FateUnknown, Outcome.FATE_UNKNOWN),
    (Faulty, Outcome.FAULTY),
    (CallFailed, Outcome.FAULTY),
    (DomainError, Outcome.REFUSED),
    (asyncio.CancelledError, Outcome.CANCELLED),
)


class Guard:
    """Calls one outside system within its policy. Safe for many tasks of one event loop.

    An attempt tells how it went by what it raises: ``CallFailed`` and its kinds count against the circuit; any other
    ``DomainError`` is a refusal by a healthy system and closes it; a cancelled attempt says nothing.

    Args:
        system: Label of metrics and logs, e.g. ``chirpstack``.
        policy: Its limits.
        metrics: Where outcomes are counted; by default the process's own.
    """

    def __init__(self, system: str, policy: CallPolicy, *, metrics: OutboundMetrics | None = None) -> None:
        self.system = system
        self.policy = policy
        self._metrics = metrics or OutboundMetrics.shared()
        self._slots = asyncio.Semaphore(policy.concurrency)
        self._breakers = AsyncCircuitBreakerFactory(policy.breaker.failures, policy.breaker.open_s)
        self._breakers.add_listener(self._circuit_changed)
        self._is_open = False
        self._is_probing = False
        self._metrics.circuit_open.labels(system).set(0)

    async def call(
        self,
        operation: str,
        attempt: Callable[[], Awaitable[_T]],
        *,
        repeatable: bool = False,
        repeat_unreached: bool = False,
        timeout_s: float | None = None,
        retry: RetryPolicy | None = None,
    ) -> _T:
        """Run an attempt, and again where that is allowed and can help.

        Args:
            operation: Label of metrics, from a small fixed set.
            attempt: Makes one call; called anew for each attempt.
            repeatable: Whether a repeat is harmless, even if the first call had its effect. Then network errors and
                what the other side calls temporary are repeated [API-37].
            repeat_unreached: Whether at least a call that certainly did not arrive is repeated.
            timeout_s: Instead of the policy's.
            retry: Instead of the policy's.

        Raises:
            CallFailed: The last attempt's failure.
            DomainError: Whatever refusal the attempt raised.
        """
        rule = retry or self.policy.retry
        turns = stamina.retry_context(
            on=partial(_pause_before_repeat, repeatable, repeat_unreached, rule),
            attempts=rule.attempts,
            timeout=None,
            wait_initial=rule.wait_initial_s,
            wait_max=rule.wait_max_s,
            wait_jitter=rule.jitter_s,
        )
        async for turn in turns:
            with turn:
                if turn.num > 1:
                    self._metrics.retries.labels(self.system, operation).inc()
                return await self._counted(operation, attempt, timeout_s or self.policy.timeout_s)
        raise AssertionError("the retry loop ends by a result or an error")

    @property
    def is_open(self) -> bool:
        """Whether calls are refused just now, for health reports."""
        return self._is_open

    async def _counted(self, operation: str, attempt: Callable[[], Awaitable[_T]], timeout_s: float) -> _T:
        outcome = Outcome.OK
        try:
            async with self._slot(), self._circuit():
                return await self._timed(operation, attempt, timeout_s)
        except BaseException as error:
            outcome = next((name for kind, name in _OUTCOMES if isinstance(error, kind)), Outcome.DEFECT)
            raise
        finally:
            self._metrics.calls.labels(self.system, operation, outcome).inc()

    async def _timed(self, operation: str, attempt: Callable[[], Awaitable[_T]], timeout_s: float) -> _T:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                return await attempt()
        except TimeoutError as late:
            raise FateUnknown(f"{self.system} did not answer within {timeout_s:g} s") from late
        finally:
            self._metrics.seconds.labels(self.system, operation).observe(time.perf_counter() - started)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.policy.queue_timeout_s):
                await self._slots.acquire()
        except TimeoutError as full:
            raise Overloaded(f"too many calls to {self.system} are under way") from full
        in_flight = self._metrics.in_flight.labels(self.system)
        in_flight.inc()
        try:
            yield
        finally:
            in_flight.dec()
            self._slots.release()

    @asynccontextmanager
    async def _circuit(self) -> AsyncIterator[None]:
        breaker = await self._breakers.get_breaker(self.system)
        if self._is_probing:
            raise CircuitOpen(f"{self.system} is being probed after repeated failures")
        try:
            await breaker.__aenter__()
        except OpenedState as opened:
            raise CircuitOpen(f"{self.system} failed repeatedly and is left alone for a while") from opened
        self._is_probing = breaker.context.state == HALF_OPENED
        is_probe = self._is_probing
        try:
            yield
        except CallFailed as failed:
            await breaker.__aexit__(type(failed), failed, failed.__traceback__)
            raise
        except DomainError:
            await breaker.__aexit__(None, None, None)
            raise
        else:
            await breaker.__aexit__(None, None, None)
        finally:
            # A cancelled or defective attempt proves nothing: the circuit stays as it is.
            if is_probe:
                self._is_probing = False

    def _circuit_changed(
        self,
        circuit: str,
        change: Literal["circuit_breaker_created", "state_changed", "failed", "recovered"],
        event: Event,
    ) -> None:
        if change != "state_changed" or not isinstance(event, ContextChanged):
            return
        self._is_open = event.state == OPENED
        self._metrics.circuit_open.labels(self.system).set(1 if self._is_open else 0)
        _log.warning("outbound circuit changed", system=circuit, state=event.state)


def _pause_before_repeat(repeatable: bool, repeat_unreached: bool, rule: RetryPolicy, error: Exception) -> bool | float:
    """Decide whether another attempt may follow: no, yes, or yes after the pause the other side asked for."""
    if not isinstance(error, CallFailed):
        return False
    if not (error.is_transient or (rule.after_any_trouble and isinstance(error, HttpFailed))):
        return False
    if not (repeatable or (repeat_unreached and isinstance(error, NotReached))):
        return False
    return True if error.retry_after_s is None else min(error.retry_after_s, rule.wait_max_s)
