"""Thousands of messages, several engines that are killed at random, vendors that lose answers; then the books."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.interleaving_town import Size, Town, meter_number, top_ups

from nxt_domain.messaging.model import DeliveryStatus

_CLOCK_STEP = timedelta(milliseconds=2)  # the network server's clock is read by another call than the database's
_WINDOW = timedelta(seconds=20)
_LONGEST_HAND_OVER = timedelta(seconds=20)  # from claim to network server, on a machine that has other things to do

SMALL = Size(
    networks=15, meters=1, messages=4, dcus=5, tasks=8, min_interval_ms=150, speed=15.0, engines=2,
    lease_s=2.0, answer_s=2.0, radio_s=4.0, poll_s=0.4, waiting=60, kills=2, within_s=120,
)  # fmt: skip
FULL = Size(
    networks=200, meters=2, messages=20, dcus=50, tasks=40, min_interval_ms=2_000, speed=4.0,
    lease_s=10.0, answer_s=30.0, radio_s=60.0, poll_s=1.5, waiting=250, kills=25, within_s=2_400,
)  # fmt: skip


async def test_a_hundred_messages(relational_url: str, tmp_path: Path) -> None:
    """[DM-3] [DM-17] [DM-19] [DM-26] [DM-27] [DM-28] What follows, in small."""
    await _deliver_all(SMALL, relational_url, tmp_path)


@pytest.mark.nightly
async def test_ten_thousand_messages(relational_url: str, tmp_path: Path) -> None:
    """[DM-3] [DM-17] [DM-19] [DM-26] [DM-27] [DM-28] Two hundred networks at their real spacing, fifty DCUs (R9)."""
    assert FULL.total == 10_000
    town = await _deliver_all(FULL, relational_url, tmp_path)
    assert town.kills == FULL.kills


async def _deliver_all(size: Size, url: str, folder: Path) -> Town:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - a failure must be repeatable
    town = Town(size, url, folder, seed)
    async with town.open():
        await town.run()
        statuses = await town.stop_engines()
    # One that was started last may be told to end before it listens.
    assert set(statuses) <= {0, -15}, (folder / "engines.log").read_text()[-2000:]
    _each_ended_once(town)
    _no_network_was_hurried(town)
    _no_dcu_was_overrun(town)
    _each_top_up_counted_once(town)
    assert town.dcus.lost > 0
    assert town.kills > 0
    return town


def _each_ended_once(town: Town) -> None:
    """One terminal event and one row of the archive for each message, and one word of its first hand-over."""
    told: Counter[tuple[str, str]] = Counter()
    for (text,) in town.rows("select payload::text from internal.outbox_tasks where kind = 'DELIVERY_EVENT'"):
        message = json.loads(text)["message"]
        if "id" in message:
            told[message["id"], "end" if DeliveryStatus(message["deliveryStatus"]).is_terminal else "begin"] += 1
    archived = dict(town.rows("select id, delivery_status from messaging.message_archive"))
    assert len(archived) == town.size.total
    assert {key: told[key, "end"] for key in archived} == dict.fromkeys(archived, 1)
    assert {key: told[key, "begin"] for key in archived} == dict.fromkeys(archived, 1)
    assert len(told) == 2 * town.size.total
    assert Counter(archived.values()) == {"DELIVERY_SUCCESSFUL": town.size.total}


def _no_network_was_hurried(town: Town) -> None:
    """Claims keep their distance, and the network server never saw more downlinks than there were claims."""
    interval, claims = timedelta(milliseconds=town.size.min_interval_ms), town.claims()
    assert set(town.sent) <= set(claims)
    assert len(town.sent) == town.size.networks
    for network, sent in town.sent.items():
        claimed = claims[network]
        gaps = [later - earlier for earlier, later in pairwise(claimed)]
        assert min(gaps) >= interval, f"network {network}: two claims within {min(gaps)}"
        assert len(sent) <= len(claimed)
        early = [
            number
            for number, (at, earliest) in enumerate(zip(sorted(sent), claimed, strict=False))
            if at < earliest - _CLOCK_STEP
        ]
        assert not early, f"network {network}: downlinks {early} came before their claims"
        assert _most_within(_WINDOW, sent) <= (_WINDOW + _LONGEST_HAND_OVER) / interval + 1, f"network {network}"


def _most_within(window: timedelta, instants: Sequence[datetime]) -> int:
    ordered = sorted(instants)
    return max(sum(first <= at < first + window for at in ordered) for first in ordered)


def _no_dcu_was_overrun(town: Town) -> None:
    """Neither the vendor nor the queue ever saw more than the slots allow; and they were used."""
    assert max(town.slots_taken.values()) <= town.size.max_in_flight
    at_once = town.dcus.most_at_once()
    assert len(at_once) == town.size.dcus
    assert max(at_once.values()) <= town.size.max_in_flight
    assert max(at_once.values()) > 1


def _each_top_up_counted_once(town: Town) -> None:
    """Whatever was sent again, the meter's credit holds each token once."""
    world = town.chirpstack.world
    for network in range(1, town.size.networks + 1):
        for place in range(town.size.meters):
            number = meter_number(network, place)
            device = world.by_number(number)
            assert device is not None
            tokens = top_ups(number)
            assert device.meter.state.credited_kwh_total == sum(tokens.values(), Decimal(0)), number
            assert device.meter.state.tokens_accepted == len(tokens), number
