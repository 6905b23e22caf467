"""How patiently an outside system is called; the ``http`` object of a provider's settings [R28]."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from nxt_domain.shared.errors import InvalidInput

_AT_LEAST_ONE = attrs.validators.ge(1)
_POSITIVE = attrs.validators.gt(0.0)
_NOT_NEGATIVE = attrs.validators.ge(0.0)


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """Repeats of a failed call: the first pause is ``wait_initial_s``, each next one twice that, plus jitter.

    Attributes:
        attempts: Calls in all, the first included.
        wait_initial_s: First pause, seconds.
        wait_max_s: Longest pause, seconds; also the most that a ``Retry-After`` is obeyed.
        jitter_s: Up to this many seconds are added at random, so that callers don't come back in step.
    """

    attempts: int = attrs.field(default=3, validator=_AT_LEAST_ONE)
    wait_initial_s: float = attrs.field(default=0.2, validator=_NOT_NEGATIVE)
    wait_max_s: float = attrs.field(default=5.0, validator=_NOT_NEGATIVE)
    jitter_s: float = attrs.field(default=0.5, validator=_NOT_NEGATIVE)


@attrs.frozen(kw_only=True)
class BreakerPolicy:
    """When to leave a failing system alone.

    Attributes:
        failures: Failures in a row that open the circuit.
        open_s: Seconds it stays open; then one call is let through as a probe.
    """

    failures: int = attrs.field(default=5, validator=_AT_LEAST_ONE)
    open_s: float = attrs.field(default=30.0, validator=_POSITIVE)


@attrs.frozen(kw_only=True)
class CallPolicy:
    """All limits for calls to one outside system.

    Attributes:
        timeout_s: One attempt, from its start to the last byte of its answer, seconds.
        connect_timeout_s: Opening the connection, seconds; part of ``timeout_s``.
        concurrency: Attempts under way at once (the bulkhead).
        queue_timeout_s: Longest wait for a place in the bulkhead, seconds.
        retry: Repeats.
        breaker: Circuit breaker.
    """

    timeout_s: float = attrs.field(default=20.0, validator=_POSITIVE)
    connect_timeout_s: float = attrs.field(default=5.0, validator=_POSITIVE)
    concurrency: int = attrs.field(default=8, validator=_AT_LEAST_ONE)
    queue_timeout_s: float = attrs.field(default=10.0, validator=_POSITIVE)
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    breaker: BreakerPolicy = attrs.field(factory=BreakerPolicy)


def policy_from_config(config: Mapping[str, object] | None, default: CallPolicy, *, path: str = "http") -> CallPolicy:
    """Read the ``http`` object of a provider: what it names replaces the adapter's default.

    Keys: ``timeoutMs``, ``connectTimeoutMs``, ``queueTimeoutMs``, ``concurrency``, ``attempts``, ``backoffMs``,
    ``maxBackoffMs``, ``jitterMs`` and ``breaker: {"failures", "openMs"}``.

    Args:
        config: The object as decoded from the artifact, or None.
        default: The adapter's own policy.
        path: Where the object stands, for error texts.

    Raises:
        InvalidInput: Naming every unknown key and every bad value at once.
    """
    problems: list[str] = []
    outer = _Section(config or {}, path, problems)
    inner = outer.section("breaker")
    retry = RetryPolicy(
        attempts=outer.whole("attempts", default.retry.attempts),
        wait_initial_s=outer.seconds("backoffMs", default.retry.wait_initial_s, least=0),
        wait_max_s=outer.seconds("maxBackoffMs", default.retry.wait_max_s, least=0),
        jitter_s=outer.seconds("jitterMs", default.retry.jitter_s, least=0),
    )
    breaker = BreakerPolicy(
        failures=inner.whole("failures", default.breaker.failures),
        open_s=inner.seconds("openMs", default.breaker.open_s),
    )
    policy = CallPolicy(
        timeout_s=outer.seconds("timeoutMs", default.timeout_s),
        connect_timeout_s=outer.seconds("connectTimeoutMs", default.connect_timeout_s),
        concurrency=outer.whole("concurrency", default.concurrency),
        queue_timeout_s=outer.seconds("queueTimeoutMs", default.queue_timeout_s),
        retry=retry,
        breaker=breaker,
    )
    outer.refuse_unknown_keys()
    inner.refuse_unknown_keys()
    if problems:
        raise InvalidInput(problems, code="CONFIGURATION")
    return policy


class _Section:
    """An object of the artifact; collects all its problems, so that an operator mends them in one go."""

    def __init__(self, config: Mapping[str, object], path: str, problems: list[str]) -> None:
        self._config = config
        self._path = path
        self._problems = problems
        self._known: set[str] = set()

    def whole(self, key: str, default: int) -> int:
        value = self._read(key, least=1)
        return default if value is None else value

    def seconds(self, key: str, default_s: float, least: int = 1) -> float:
        value_ms = self._read(key, least)
        return default_s if value_ms is None else value_ms / 1000

    def _read(self, key: str, least: int) -> int | None:
        self._known.add(key)
        if key not in self._config:
            return None
        value = self._config[key]
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        self._problems.append(f"{self._path}.{key} must be an integer of at least {least}")
        return None

    def section(self, key: str) -> _Section:
        self._known.add(key)
        value = self._config.get(key, {})
        path = f"{self._path}.{key}"
        if not isinstance(value, Mapping):
            self._problems.append(f"{path} must be an object")
            value = {}
        return _Section(value, path, self._problems)

    def refuse_unknown_keys(self) -> None:
        self._problems += [f"{self._path}.{key} is not a known key" for key in self._config if key not in self._known]
