"""The numbers of device messaging: admission, back-off, polls, ages, stages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.messaging_worlds import MemoryWorld

from nxt_domain.messaging.admission import Admission, owner_of, queue_key
from nxt_domain.messaging.model import DeliveryStatus, FailureContext
from nxt_domain.messaging.plugins import PluginSet
from nxt_domain.messaging.retry import RetryPolicy
from nxt_domain.messaging.stages import Pipeline, Stage, accepted_stage, stage_of
from nxt_domain.messaging.tuning import POLL_LADDER_MS, DeliveryPolicy, Lane, Tuning, poll_wait

NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
TROUBLE = FailureContext(reason="no answer")


class TestRetry:
    def test_back_off_without_jitter(self) -> None:
        """[DM-54] 2, 4, … 2048 s; together 4094 s."""
        waits = [RetryPolicy().back_off(n, 0.0).total_seconds() for n in range(11)]
        assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]
        assert sum(waits) == 4094

    def test_jitter_example(self) -> None:
        """[DM-54] For n = 3 and U = 0.5: 16 000 + 4 000 ms."""
        assert RetryPolicy().back_off(3, 0.5) == timedelta(milliseconds=20_000)

    def test_full_jitter_stays_below_102_minutes(self) -> None:
        """[DM-54]"""
        waits = [RetryPolicy().back_off(n, 1 - 1e-9) for n in range(11)]
        assert sum(waits, timedelta()) < timedelta(minutes=102, seconds=21)

    @given(st.integers(0, 5_000), st.floats(0, 1, exclude_max=True))
    def test_back_off_is_capped(self, n: int, jitter: float) -> None:
        """[DM-54] However often it is repeated."""
        wait = RetryPolicy().back_off(n, jitter)
        assert timedelta(seconds=2) <= wait < timedelta(hours=1.5)

    @pytest.mark.parametrize(("n", "is_final"), [(0, False), (10, False), (11, True), (12, True)])
    def test_twelve_attempts_at_most(self, n: int, is_final: bool) -> None:
        """[DM-52]"""
        assert RetryPolicy().is_final(TROUBLE, n) is is_final

    def test_what_can_never_work_is_final_at_once(self) -> None:
        """[DM-52]"""
        assert RetryPolicy().is_final(FailureContext(reason="no such device", skip_retry=True), 0)


class TestAdmission:
    def test_dcu_7(self) -> None:
        """[DM-27] 8 queued, none in flight: 5 leave; one ends: exactly one more."""
        admission = Lane(pipeline=Pipeline.PULL).admission
        assert _allowance(admission, in_flight=0, limit=8) == 5
        assert _allowance(admission, in_flight=5, limit=3) == 0
        assert _allowance(admission, in_flight=4, limit=3) == 1

    @pytest.mark.parametrize(("since_ms", "allowed"), [(None, 1), (0, 0), (1_999, 0), (2_000, 1), (9_000, 1)])
    def test_network_42(self, since_ms: int | None, allowed: int) -> None:
        """[DM-26] Claims at t = 0, ≥ 2 s, ≥ 4 s."""
        last = None if since_ms is None else NOW - timedelta(milliseconds=since_ms)
        assert _allowance(Lane(pipeline=Pipeline.PUSH).admission, last=last, limit=3) == allowed

    def test_zero_is_unlimited(self) -> None:
        """[R9]"""
        lane = Lane(pipeline=Pipeline.PUSH, tuning=Tuning(min_interval_ms=0))
        assert _allowance(lane.admission, last=NOW, in_flight=1_000, limit=500) == 500
        lane = Lane(pipeline=Pipeline.PULL, tuning=Tuning(max_in_flight=0))
        assert _allowance(lane.admission, in_flight=1_000, limit=500) == 500
        assert not lane.admission.takes_slots

    @given(
        st.integers(0, 5_000),
        st.integers(0, 20),
        st.none() | st.integers(0, 9_000),
        st.integers(0, 30),
        st.integers(0, 99),
    )
    def test_the_allowance_never_exceeds_any_limit(
        self, interval: int, slots: int, since: int | None, in_flight: int, limit: int
    ) -> None:
        """[DM-26, DM-27]"""
        last = None if since is None else NOW - timedelta(milliseconds=since)
        admission = Admission(min_interval_ms=interval, max_in_flight=slots)
        allowed = _allowance(admission, last=last, in_flight=in_flight, limit=limit)
        assert 0 <= allowed <= limit
        if slots:
            assert allowed <= max(slots - in_flight, 0)
        if interval and since is not None and since < interval:
            assert allowed == 0

    @pytest.mark.parametrize("key", ["", "queue", "queue:a:b", "queue:a:b:c:d", "queue::b:c", "queue:a:b:"])
    def test_malformed_keys_have_no_owner(self, key: str) -> None:
        """[DM-23, DM-31]"""
        assert owner_of(key) is None

    def test_a_key_names_its_plugin(self) -> None:
        """[DM-23]"""
        assert queue_key("calin-chirpstack", "network", 42) == "queue:calin-chirpstack:network:42"
        assert owner_of("queue:calin-api-v1:dcu:7") == "calin-api-v1"
        with pytest.raises(ValueError, match="not a ready-queue key"):
            queue_key("calin-chirpstack", "network", "4:2")


class TestPolls:
    def test_the_ladder_example(self) -> None:
        """[DM-48] Accepted at t = 4 s: polls at 14, 24, 39, 54, 74, 94, 124, 154 s."""
        lane = Lane(pipeline=Pipeline.PULL)
        first = 4 + lane.entry_wait(Stage.AWAITING_TASK).total_seconds()
        polls = list(
            accumulate(
                range(7),
                lambda at, _: at + lane.wait_again(Stage.AWAITING_TASK, timedelta(seconds=at)).total_seconds(),
                initial=first,
            )
        )
        assert polls == [14, 24, 39, 54, 74, 94, 124, 154]

    @pytest.mark.parametrize(
        ("age_s", "wait_s"),
        [(0, 10), (19.999, 10), (20, 15), (49.999, 15), (50, 20), (89.999, 20), (90, 30), (172_000, 30)],
    )
    def test_waits_by_age(self, age_s: float, wait_s: int) -> None:
        """[DM-48]"""
        assert poll_wait(POLL_LADDER_MS, timedelta(seconds=age_s)) == timedelta(seconds=wait_s)

    def test_a_ladder_of_one_rung(self) -> None:
        """[R9]"""
        assert poll_wait([50], timedelta(days=1)) == timedelta(milliseconds=50)


class TestStages:
    @pytest.mark.parametrize(
        ("status", "push", "pull"),
        [
            (DeliveryStatus.QUEUED, None, None),
            (DeliveryStatus.SENT_TO_NS, Stage.NS, Stage.NS),
            (DeliveryStatus.DELIVERED_TO_NS, Stage.RELAY_NODE, Stage.AWAITING_TASK),
            (DeliveryStatus.SENT_TO_DEVICE, Stage.DEVICE, Stage.DEVICE),
            (DeliveryStatus.TO_RETRY, Stage.RETRY, Stage.RETRY),
            (DeliveryStatus.DELIVERY_SUCCESSFUL, None, None),
            (DeliveryStatus.DELIVERY_FAILED, None, None),
        ],
    )
    def test_the_stage_follows_from_status_and_plugin(
        self, status: DeliveryStatus, push: Stage | None, pull: Stage | None
    ) -> None:
        """[DM-35]"""
        assert (stage_of(status, Pipeline.PUSH), stage_of(status, Pipeline.PULL)) == (push, pull)

    def test_pipelines(self) -> None:
        """[DM-34]"""
        assert accepted_stage(Pipeline.PUSH) is Stage.RELAY_NODE
        assert accepted_stage(Pipeline.PULL) is Stage.AWAITING_TASK

    def test_default_waits(self) -> None:
        """[DM-33, DM-166]"""
        lane = Lane(pipeline=Pipeline.PUSH)
        waits = {stage: lane.entry_wait(stage).total_seconds() for stage in Stage if stage is not Stage.RETRY}
        assert waits == {Stage.NS: 20, Stage.RELAY_NODE: 900, Stage.DEVICE: 12, Stage.AWAITING_TASK: 10}

    @pytest.mark.parametrize(("ttl_s", "age_s"), [(604_800, 601_200), (7_200, 3_600), (7_199, 3_599.5), (100, 50)])
    def test_when_a_message_is_too_old(self, ttl_s: int, age_s: float) -> None:
        """[DM-40]"""
        assert DeliveryPolicy(message_ttl_s=ttl_s).max_age == timedelta(seconds=age_s)


class TestConfiguration:
    def test_tunings_must_belong_to_plugins(self) -> None:
        """[DM-165] Only listed plug-ins exist, each once."""
        world = MemoryWorld()
        with pytest.raises(ValueError, match="do not fit"):
            PluginSet.of(push=[world.push], tunings={"stub-pull": Tuning()})
        with pytest.raises(ValueError, match="do not fit"):
            PluginSet.of(push=[world.push, world.push])

    @pytest.mark.parametrize("values", [{"ns_in_flight_timeout_ms": 0}, {"poll_ladder_ms": ()}])
    def test_waits_are_positive(self, values: dict[str, int]) -> None:
        """[DM-166]"""
        with pytest.raises(ValueError, match="must be"):
            Tuning(**values)


def _allowance(admission: Admission, *, last: datetime | None = None, in_flight: int = 0, limit: int) -> int:
    return admission.allowance(now=NOW, last_claim_at=last, in_flight=in_flight, limit=limit)
