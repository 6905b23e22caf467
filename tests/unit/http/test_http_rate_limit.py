"""How often one address may call."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.http.conftest import Serve

from nxt_domain.shared.errors import TooManyRequests
from nxt_entrypoints.http import rate_limit
from nxt_entrypoints.http.app import HttpSettings
from nxt_entrypoints.http.client import bucket_of, client_address, networks
from nxt_entrypoints.http.rate_limit import PUBLIC_ORDERS, LocalRateLimiter, Window
from nxt_entrypoints.http.routes import Guard, route

LIMIT = 30


class Time:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0 - 1_800_000_000.0 % 60

    def __call__(self) -> float:
        return self.now


async def take(limiter: LocalRateLimiter, times: int, address: str = "203.0.113.9") -> int:
    """Return how many of some calls pass."""
    passed = 0
    for _ in range(times):
        try:
            await limiter.take("b", address)
            passed += 1
        except TooManyRequests:
            pass
    return passed


async def test_the_limit_is_per_address_and_minute() -> None:
    """[PAY-58] [R8]"""
    time = Time()
    limiter = LocalRateLimiter({"b": LIMIT}, now=time)
    assert await take(limiter, 40) == LIMIT
    assert await take(limiter, 40, "203.0.113.10") == LIMIT
    with pytest.raises(TooManyRequests) as refused:
        await limiter.take("b", "203.0.113.9")
    time.now += refused.value.retry_after_s
    assert await take(limiter, 1) == 1
    time.now += 120
    assert await take(limiter, 40) == LIMIT


@given(st.lists(st.floats(0, 40), min_size=1, max_size=200), st.integers(1, 40))
async def test_a_sliding_minute_never_holds_many_more_than_the_limit(pauses: list[float], limit: int) -> None:
    """[PAY-58] Whatever the rhythm: twice the limit can't slip through around the turn of a minute."""
    time = Time()
    limiter = LocalRateLimiter({"b": limit}, now=time)
    passed: list[float] = []
    for pause in pauses:
        time.now += pause
        if await take(limiter, 1):
            passed.append(time.now)
    for start in passed:
        within = [at for at in passed if start <= at < start + 60]
        assert len(within) < 1.5 * limit + 2
    # A quiet time opens again what it closed.
    time.now += 180
    assert await take(limiter, limit + 1) == limit


@given(st.integers(0, 100), st.integers(0, 100), st.floats(0, 0.999), st.integers(1, 60))
def test_waiting_as_told_is_enough(previous: int, current: int, elapsed: float, limit: int) -> None:
    """[API-17] ``Retry-After`` is neither too short nor longer than two windows."""
    window = Window(10, previous, current)
    wait_s = window.wait_s(limit, elapsed)
    assert 0 <= wait_s <= 120
    index, later = divmod(10 + elapsed + wait_s / 60 + 1e-9, 1)
    assert window.at(int(index)).wait_s(limit, later) < 1e-3


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """[R8] An attacker with many addresses costs no memory."""
    monkeypatch.setattr(rate_limit, "_MAX_ADDRESSES", 100)
    limiter = LocalRateLimiter({"b": 1})
    for number in range(1000):
        await limiter.take("b", str(number))
    assert len(limiter._windows) == 100


@route("POST", "/a", guard=Guard.PUBLIC, summary="", tags=(), limit=PUBLIC_ORDERS)
async def a() -> None: ...


@route("POST", "/b", guard=Guard.PUBLIC, summary="", tags=(), limit=PUBLIC_ORDERS)
async def b() -> None: ...


@route("POST", "/free", guard=Guard.PUBLIC, summary="", tags=())
async def free() -> None: ...


async def test_a_bare_client_gets_429_after_30_calls(serve: Serve) -> None:
    """[API-17] [PAY-58] [R8] The public order routes share one count; the others have none."""
    settings = HttpSettings(trusted_proxies=["127.0.0.0/8"])
    client = await serve([a, b, free], settings=settings)
    statuses = [(await client.post("/a" if number % 2 else "/b")).status for number in range(LIMIT)]
    assert set(statuses) == {201}
    refused: Any = await client.post("/a")
    body = await refused.json()
    assert (refused.status, body["message"], body["code"]) == (429, "Too many requests", "TOO_MANY_REQUESTS")
    assert 1 <= int(refused.headers["Retry-After"]) <= 120
    assert (await client.post("/free")).status == 201
    other = await client.post("/a", headers={"X-Forwarded-For": "203.0.113.9"})
    assert other.status == 201


async def test_the_limit_is_a_setting(serve: Serve) -> None:
    """[R8]"""
    client = await serve([a], settings=HttpSettings(public_requests_per_minute=2))
    assert [(await client.post("/a")).status for _ in range(3)] == [201, 201, 429]


async def test_a_forged_header_does_not_help(serve: Serve) -> None:
    """[R8] From peers that nobody trusts it is not read."""
    client = await serve([a], settings=HttpSettings(public_requests_per_minute=2))
    answers = [await client.post("/a", headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(4)]
    assert [answer.status for answer in answers] == [201, 201, 429, 429]


TRUSTED = networks(["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", ["1.1.1.1"], "203.0.113.9"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["6.6.6.6", "203.0.113.9, 10.0.0.5"], "203.0.113.9"),
        ("127.0.0.1", ["10.0.0.4, 10.0.0.5"], "10.0.0.4"),
        ("127.0.0.1", ["203.0.113.9, garbage"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9, garbage, 10.0.0.5"], "10.0.0.5"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("::ffff:127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        (None, ["203.0.113.9"], "unknown"),
        ("", ["203.0.113.9"], "unknown"),
    ],
)
def test_the_last_untrusted_hop_is_the_client(peer: str | None, forwarded: list[str], address: str) -> None:
    """[R8] [API-193]"""
    assert client_address(peer, forwarded, TRUSTED) == address


@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_header_yields_an_address(forwarded: list[str]) -> None:
    """[API-38]"""
    ipaddress.ip_address(client_address("127.0.0.1", forwarded, TRUSTED))


def test_one_subscriber_is_one_bucket() -> None:
    """[R8] An IPv6 subscriber has a /64 to choose from."""
    assert bucket_of("2001:db8:1:2::7") == bucket_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert bucket_of("2001:db8:1:3::7") != bucket_of("2001:db8:1:2::7")
    assert bucket_of("203.0.113.9") == "203.0.113.9"
    assert bucket_of("unknown") == "unknown"
