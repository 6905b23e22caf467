"""What an answer proves of its meter [MET-83], its worth [MET-91], and who hears of it [MET-93]."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from tests.unit.meters.meters_samples import NOW, RADIO, V2, a_meter, an_interaction

from nxt_domain.grids.model import MeterPhase
from nxt_domain.messaging.model import SetDate, SetTime
from nxt_domain.meters.effects import balance_of, number_of, observed
from nxt_domain.meters.model import InteractionStatus, InteractionType, MeterObservation
from nxt_domain.meters.news import Operation, hourly_report, socket_event, top_up_command
from nxt_domain.meters.use_cases.hand_over import messages_of
from nxt_domain.shared.clock import iso_millis
from nxt_domain.shared.errors import Unprocessable

T = InteractionType
TOKEN = "00000100000000001234"


@pytest.mark.parametrize(
    ("kind", "facts", "proved"),
    [
        pytest.param(T.TURN_ON, {}, {"relay_on": True}, id="on"),
        pytest.param(T.TURN_OFF, {}, {"relay_on": False}, id="off"),
        pytest.param(T.SET_POWER_LIMIT, {"target_power_limit_w": 200}, {"power_limit_w": 200}, id="limit set"),
        pytest.param(T.READ_POWER_LIMIT, {"result": {"power_limit": 0}}, {"power_limit_w": 0}, id="limit read"),
        pytest.param(T.READ_VERSION, {"result": {"version": "2F6B4584"}}, {"version": "2F6B4584"}, id="version"),
        pytest.param(
            T.READ_CREDIT,
            {"result": {"kwh_credit_available": Decimal("12.345"), "is_on": False}},
            {"credit_kwh": Decimal("12.345"), "balance": Decimal("3086.25"), "relay_on": False},
            id="credit",
        ),
        pytest.param(
            T.READ_CREDIT,
            {"result": {"kwh_credit_available": 4}},
            {"credit_kwh": Decimal(4), "balance": Decimal("1000.00")},
            id="credit of V2, without relay",
        ),
        pytest.param(
            T.READ_REPORT,
            {"result": {"purchase_remain_source_1": Decimal("1.5"), "meter_status": {"relay_open": True}}},
            {"credit_kwh": Decimal("1.5"), "balance": Decimal("375.00"), "relay_on": False},
            id="report",
        ),
        pytest.param(T.READ_VOLTAGE, {"result": {"voltage": 229.5}}, {"voltage_v": Decimal("229.5")}, id="voltage"),
        pytest.param(T.READ_POWER, {"result": {"power": 145}}, {"power_kw": Decimal("0.145")}, id="power in kW"),
        pytest.param(T.TOP_UP, {"result": {"token_accepted": True}}, {}, id="top-up proves only life"),
        pytest.param(T.READ_CREDIT, {"result": None}, {}, id="no answer"),
        pytest.param(T.READ_CREDIT, {"result": {"kwh_credit_available": "4", "is_on": 1}}, {}, id="odd answer"),
        pytest.param(T.READ_REPORT, {"result": {"meter_status": {"relay_open": "no"}}}, {}, id="odd report"),
    ],
)
def test_met_83_what_an_answer_proves(kind: InteractionType, facts: dict[str, Any], proved: dict[str, Any]) -> None:
    interaction = an_interaction(kind, **facts)
    seen = MeterObservation(meter_id=7, observed_at=NOW, interaction_id=300, seen=True)
    assert observed(interaction, a_meter(), NOW) == attrs.evolve(seen, **proved)


@pytest.mark.parametrize(
    ("credit", "changes", "worth"),
    [
        ("12.345", {}, "3086.25"),
        ("0", {}, "0"),
        ("0.0001", {"tariff": Decimal(50)}, "0.01"),  # half a cent goes up
        ("12.345", {"tariff": None}, None),
        ("12.345", {"tariff": Decimal(0)}, None),
        ("12.345", {"connection_id": None}, None),
    ],
)
def test_met_91_the_worth_of_a_credit(credit: str, changes: dict[str, Any], worth: str | None) -> None:
    expected = None if worth is None else Decimal(worth)
    assert balance_of(Decimal(credit), a_meter(**changes)) == expected
    assert balance_of(None, a_meter()) is None


@pytest.mark.parametrize("value", [True, "5", None, float("nan"), float("inf"), [1], {"a": 1}])
def test_numbers_of_devices_are_numbers(value: Any) -> None:
    assert number_of(value) is None


class TestNews:
    def test_met_93_the_payload_of_a_socket_event(self) -> None:
        """[R49] Its stream, its end of life, its room; nothing else about the command."""
        at = NOW + timedelta(microseconds=123_456)
        interaction = an_interaction(status=InteractionStatus.PROCESSING, updated_at=at, token=TOKEN)
        task = socket_event(Operation.UPDATE, interaction, a_meter())
        assert task is not None
        assert (task.kind, task.stream_key, task.grid_id) == ("SOCKET_EVENT", "interaction:300", 50)
        assert task.give_up_after == timedelta(seconds=30)
        assert task.payload == {
            "room": "50",
            "event": "meter-interaction",
            "message": {
                "operation": "UPDATE",
                "data": {
                    "id": 300,
                    "updated_at": "2026-03-10T09:15:00.123Z",
                    "meter_interaction_type": "TOP_UP",
                    "meter_interaction_status": "PROCESSING",
                    "meter_external_reference": "47001000117",
                    "dcu_external_reference": "a84041ffff210001",
                },
            },
        }

    def test_met_93_meters_without_grid_tell_nobody(self) -> None:
        assert socket_event(Operation.CREATE, an_interaction(), a_meter(grid_id=None)) is None

    def test_two_changes_are_two_events_and_one_change_is_one(self) -> None:
        first = an_interaction(status=InteractionStatus.PROCESSING)
        second = attrs.evolve(first, status=InteractionStatus.SUCCESSFUL)
        keys = {
            task.dedupe_key
            for change in (first, second, first)
            if (task := socket_event(Operation.UPDATE, change, a_meter())) is not None
        }
        assert len(keys) == 2

    def test_met_85_the_hourly_report(self) -> None:
        """[R36] With the meter's own freeze time, tried for a day."""
        result = {
            "consumption_source_1": Decimal("100.5"),
            "purchase_remain_source_1": 2,
            "freeze_time": "2026-03-10 10:00",
        }
        task = hourly_report(an_interaction(T.READ_REPORT), a_meter(), result, NOW)
        assert (task.kind, task.dedupe_key, task.give_up_after) == ("HOURLY_REPORT", "report:300", timedelta(hours=24))
        assert task.payload == {
            "meter_id": 7,
            "created_at": iso_millis(NOW),
            "counter_kwh": Decimal("100.5"),
            "kwh_credit_available": 2,
            "freeze_time": "2026-03-10 10:00",
        }

    def test_pay_121_the_top_up_command_is_never_given_up(self) -> None:
        task = top_up_command(50)
        assert (task.kind, task.dedupe_key, task.order_id) == ("TOP_UP_COMMAND", "order:50:topup", 50)
        assert task.give_up_after is None


class TestMessages:
    def test_dm_175_a_top_up(self) -> None:
        (message,) = messages_of(an_interaction(token=TOKEN, priority=50), a_meter())
        assert (message.plugin_id, message.command_type, message.priority) == ("calin-chirpstack", "TOP_UP_KWH", 50.0)
        assert (message.correlation_id, message.network_id, message.phase) == ("300", 50, None)
        assert message.request_data is not None
        assert message.request_data.token == TOKEN
        relay_node = message.device.relay_node
        assert relay_node is not None
        assert (relay_node.id, relay_node.external_reference) == (1, "a84041ffff210001")

    def test_met_47_three_phases_are_three_messages_of_one_interaction(self) -> None:
        meter = a_meter(phase=MeterPhase.THREE_PHASE)
        messages = messages_of(an_interaction(T.READ_VOLTAGE), meter)
        assert [message.phase for message in messages] == ["A", "B", "C"]
        assert {message.correlation_id for message in messages} == {"300"}

    @pytest.mark.parametrize(
        ("kind", "payload", "expected"),
        [
            (T.SET_DATE, {"year": 2026, "month": 3, "day": 10}, SetDate(year=2026, month=3, day=10)),
            (T.SET_TIME, {"hour": 9, "minute": 15}, SetTime(hour=9, minute=15)),
            (T.SET_TIME, {"hour": 9, "minute": 15, "second": 3}, SetTime(hour=9, minute=15, second=3)),
        ],
    )
    def test_met_48_clock_writes_carry_their_payload(self, kind: Any, payload: Any, expected: Any) -> None:
        (message,) = messages_of(an_interaction(kind, payload=payload), a_meter())
        assert message.request_data is not None
        assert (message.request_data.payload, message.request_data.token) == (expected, None)

    def test_a_read_carries_nothing(self) -> None:
        (message,) = messages_of(an_interaction(T.READ_CREDIT), a_meter(communication_protocol=V2, dcu_id=None))
        assert (message.request_data, message.device.relay_node, message.plugin_id) == (None, None, "calin-api-v2")

    @pytest.mark.parametrize(
        ("interaction", "changes", "code"),
        [
            (an_interaction(), {}, "TOKEN_MISSING"),
            (an_interaction(T.READ_CREDIT), {"communication_protocol": None}, "UNSUPPORTED"),
            (
                an_interaction(T.SET_DATE, payload={"year": "26", "month": 1, "day": 1}),
                {"communication_protocol": RADIO},
                "VALUE_REFUSED",
            ),
        ],
    )
    def test_what_can_not_be_handed_over_is_refused(self, interaction: Any, changes: Any, code: str) -> None:
        with pytest.raises(Unprocessable) as caught:
            messages_of(interaction, a_meter(**changes))
        assert caught.value.code == code
