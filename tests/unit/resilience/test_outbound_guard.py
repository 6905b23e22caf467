"""The guard: what is repeated, when the circuit opens, how many calls run at once."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from nxt_adapters.resilience import (
    BreakerPolicy,
    CallFailed,
    CallPolicy,
    CircuitOpen,
    FateUnknown,
    Faulty,
    Guard,
    HttpFailed,
    NotReached,
    OutboundMetrics,
    Overloaded,
    RetryPolicy,
)
from nxt_domain.shared.errors import Conflict

QUICK = RetryPolicy(attempts=3, wait_initial_s=0.0, wait_max_s=0.0, jitter_s=0.0)


class Peer:
    """Answers with the scripted results in turn, then always with the last."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.calls = 0

    async def __call__(self) -> object:
        result = self.script[min(self.calls, len(self.script) - 1)]
        self.calls += 1
        if isinstance(result, BaseException):
            raise result
        return result


def make_guard(**changes: object) -> tuple[Guard, CollectorRegistry]:
    registry = CollectorRegistry()
    policy = CallPolicy(**{"timeout_s": 1.0, "retry": QUICK, **changes})
    return Guard("peer", policy, metrics=OutboundMetrics(registry)), registry


def count(registry: CollectorRegistry, outcome: str) -> float:
    labels = {"system": "peer", "operation": "op", "outcome": outcome}
    return registry.get_sample_value("nxt_outbound_calls_total", labels) or 0.0


async def test_a_harmless_call_is_repeated_until_it_succeeds() -> None:
    """[API-37]"""
    guard, registry = make_guard()
    peer = Peer(NotReached("refused"), FateUnknown("cut"), "done")
    assert await guard.call("op", peer, repeatable=True) == "done"
    assert peer.calls == 3
    assert [count(registry, name) for name in ("not_reached", "fate_unknown", "ok")] == [1, 1, 1]
    retried = registry.get_sample_value("nxt_outbound_retries_total", {"system": "peer", "operation": "op"})
    assert retried == 2


@pytest.mark.parametrize("failure", [NotReached("refused"), FateUnknown("cut"), Faulty("nonsense")])
async def test_other_calls_are_made_once(failure: CallFailed) -> None:
    """[API-37]"""
    guard, _ = make_guard()
    peer = Peer(failure)
    with pytest.raises(type(failure)):
        await guard.call("op", peer)
    assert peer.calls == 1


async def test_a_call_that_must_not_run_twice_may_be_repeated_when_it_did_not_arrive() -> None:
    guard, _ = make_guard()
    unreached, unclear = Peer(NotReached("refused"), "done"), Peer(FateUnknown("cut"), "done")
    assert await guard.call("op", unreached, repeat_unreached=True) == "done"
    with pytest.raises(FateUnknown):
        await guard.call("op", unclear, repeat_unreached=True)
    assert (unreached.calls, unclear.calls) == (2, 1)


@pytest.mark.parametrize(("status", "calls"), [(429, 1), (500, 1), (501, 1), (502, 3), (503, 3), (504, 3)])
async def test_of_all_http_failures_only_temporary_ones_are_repeated(status: int, calls: int) -> None:
    """[API-37]"""
    guard, _ = make_guard()
    peer = Peer(HttpFailed("trouble", status=status))
    with pytest.raises(HttpFailed):
        await guard.call("op", peer, repeatable=True)
    assert peer.calls == calls


def test_the_defaults_are_those_of_outgoing_http() -> None:
    """[API-37]"""
    policy = CallPolicy()
    assert (policy.connect_timeout_s, policy.timeout_s, policy.retry.attempts) == (5.0, 30.0, 3)
    assert (policy.retry.wait_initial_s, policy.retry.wait_max_s >= 2.0) == (1.0, True)


async def test_a_refusal_is_neither_repeated_nor_held_against_the_circuit() -> None:
    guard, registry = make_guard(breaker=BreakerPolicy(failures=2, open_s=60))
    peer = Peer(Conflict("exists"))
    for _ in range(5):
        with pytest.raises(Conflict):
            await guard.call("op", peer, repeatable=True)
    assert peer.calls == 5
    assert count(registry, "refused") == 5
    assert not guard.is_open


async def test_silence_becomes_an_unknown_fate_after_the_time_limit() -> None:
    guard, _ = make_guard(timeout_s=0.05)
    with pytest.raises(FateUnknown, match=r"within 0\.05 s"):
        await guard.call("op", lambda: asyncio.sleep(5))


async def test_the_circuit_opens_after_failures_in_a_row_and_a_probe_closes_it() -> None:
    guard, registry = make_guard(breaker=BreakerPolicy(failures=3, open_s=0.1))
    peer = Peer(Faulty("500"), Faulty("500"), Faulty("500"), "well again")
    for _ in range(3):
        with pytest.raises(Faulty):
            await guard.call("op", peer)
    assert guard.is_open
    assert registry.get_sample_value("nxt_outbound_circuit_open", {"system": "peer"}) == 1
    with pytest.raises(CircuitOpen):
        await guard.call("op", peer)
    assert peer.calls == 3, "an open circuit asks nobody"
    await asyncio.sleep(0.12)
    assert await guard.call("op", peer) == "well again"
    assert not guard.is_open
    assert registry.get_sample_value("nxt_outbound_circuit_open", {"system": "peer"}) == 0


async def test_only_one_probe_at_a_time_goes_through_a_half_open_circuit() -> None:
    guard, _ = make_guard(breaker=BreakerPolicy(failures=1, open_s=0.05))
    with pytest.raises(Faulty):
        await guard.call("op", Peer(Faulty("500")))
    await asyncio.sleep(0.06)
    release = asyncio.Event()
    probe = asyncio.create_task(guard.call("op", release.wait))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(CircuitOpen):
        await guard.call("op", Peer("second"))
    release.set()
    assert await probe is True
    assert await guard.call("op", Peer("third")) == "third"


async def test_a_cancelled_probe_leaves_the_circuit_half_open_for_the_next() -> None:
    guard, registry = make_guard(breaker=BreakerPolicy(failures=1, open_s=0.05))
    with pytest.raises(Faulty):
        await guard.call("op", Peer(Faulty("500")))
    await asyncio.sleep(0.06)
    probe = asyncio.create_task(guard.call("op", asyncio.Event().wait))
    await asyncio.sleep(0.01)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert count(registry, "cancelled") == 1
    assert await guard.call("op", Peer("fine")) == "fine"


async def test_the_bulkhead_bounds_calls_under_way_and_the_wait_for_a_place() -> None:
    guard, registry = make_guard(concurrency=2, queue_timeout_s=0.05)
    release = asyncio.Event()
    running = [asyncio.create_task(guard.call("op", release.wait)) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert registry.get_sample_value("nxt_outbound_in_flight", {"system": "peer"}) == 2
    with pytest.raises(Overloaded):
        await guard.call("op", Peer("no place"))
    release.set()
    await asyncio.gather(*running)
    assert await guard.call("op", Peer("place")) == "place"
    assert registry.get_sample_value("nxt_outbound_in_flight", {"system": "peer"}) == 0


async def test_the_wait_that_a_peer_asks_for_is_kept_but_bounded() -> None:
    guard, _ = make_guard(retry=RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0.1, jitter_s=0))
    peer = Peer(HttpFailed("busy", status=503, retry_after_s=3600), "done")
    started = asyncio.get_running_loop().time()
    assert await guard.call("op", peer, repeatable=True) == "done"
    assert 0.08 <= asyncio.get_running_loop().time() - started < 10


async def test_a_defect_of_ours_passes_unchanged_and_says_nothing_about_the_peer() -> None:
    guard, registry = make_guard(breaker=BreakerPolicy(failures=1, open_s=60))
    peer = Peer(KeyError("ours"))
    with pytest.raises(KeyError):
        await guard.call("op", peer, repeatable=True)
    assert peer.calls == 1
    assert count(registry, "defect") == 1
    assert not guard.is_open
