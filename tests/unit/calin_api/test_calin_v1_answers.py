"""What the first generation's answers mean [DM 11.4]."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.support.calin import METER, message, with_date, with_token

from nxt_adapters.calin_api.v1.answers import interpret
from nxt_domain.messaging.model import (
    CommandType,
    DeliveryStatus,
    DeviceEvent,
    DeviceMessage,
    ExecutionStatus,
    FailureContext,
    Phase,
)

C, S = CommandType, DeliveryStatus
SUCCESS, FAILURE = ExecutionStatus.EXECUTION_SUCCESS, ExecutionStatus.EXECUTION_FAILURE


def told(what: DeviceMessage, item: str, data: Any, status: Any = "True", reason: str = "OK") -> DeviceEvent | None:
    result = {"TaskNo": "1", "Status": status, "DataItem": item, "Data": data}
    return interpret({"ResultCode": "00", "Reason": reason, "Result": result}, what)


def response(what: DeviceMessage, item: str, data: Any) -> Any:
    event = told(what, item, data)
    assert event is not None
    assert event.delivery_status is S.DELIVERY_SUCCESSFUL
    assert event.response is not None
    assert event.response.status is SUCCESS
    assert event.failure is None
    return event.response.data


def reason_of_failure(what: DeviceMessage, item: str, data: Any) -> str:
    event = told(what, item, data)
    assert event is not None
    assert event.delivery_status is S.DELIVERY_SUCCESSFUL
    assert event.response is not None
    assert event.response.status is FAILURE
    assert event.failure is not None
    return event.failure.reason


CREDIT = message(C.READ_CREDIT)


class TestStatus:
    """[DM-117]"""

    @pytest.mark.parametrize("answer", [{"ResultCode": "99", "Reason": "no"}, {"ResultCode": 99, "Result": None}])
    def test_code_99_without_result(self, answer: Any) -> None:
        event = interpret(answer, with_token())
        assert event is not None
        assert event.delivery_status is S.DELIVERY_FAILED
        assert event.failure == FailureContext(
            reason="The token was rejected, possibly already delivered.", error_code=99, skip_retry=True
        )

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ({"ResultCode": "05", "Reason": "TaskNo does not exist"}, "TaskNo does not exist"),
            ({"ResultCode": "05", "Reason": None}, "CALIN API V1 gave no status or data for this task"),
            ({}, "CALIN API V1 gave no status or data for this task"),
            ({"Result": "text"}, "CALIN API V1 gave no status or data for this task"),
        ],
    )
    def test_another_code_without_result(self, answer: Any, reason: str) -> None:
        event = interpret(answer, CREDIT)
        assert event is not None
        assert event.delivery_status is S.DELIVERY_FAILED
        assert event.failure == FailureContext(reason=reason)

    @pytest.mark.parametrize("status", [None, "", "unknown", "Busy", "true", 7, [], {}])
    def test_none_yet(self, status: Any) -> None:
        assert told(CREDIT, "Current Credit Register", "1,ON", status) is None

    def test_none_yet_without_status(self) -> None:
        assert interpret({"Result": {}}, CREDIT) is None

    @pytest.mark.parametrize(
        ("reason", "shown"),
        [
            ("Meter did not answer", "Meter did not answer"),
            ("OK", "Delivery was successful but execution of the command failed"),
        ],
    )
    def test_false_is_delivered_and_not_executed(self, reason: str, shown: str) -> None:
        event = told(CREDIT, "Current Credit Register", None, "False", reason)
        assert event is not None
        assert event.delivery_status is S.DELIVERY_SUCCESSFUL
        assert event.response is not None
        assert (event.response.status, event.response.data) == (FAILURE, None)
        assert event.failure == FailureContext(reason=shown)

    def test_the_event_names_its_message(self) -> None:
        event = told(message(delivery_queue_id="881"), "Current Credit Register", "1,ON")
        assert event is not None
        assert (event.delivery_queue_id, event.command_type) == ("881", C.READ_CREDIT)
        assert event.device.external_reference == METER
        assert event.device.relay_node is None
        assert not event.unsolicited


class TestData:
    """[DM-118, DM-119]"""

    def test_worked_examples(self) -> None:
        assert response(CREDIT, "Current Credit Register", "12.5,ON") == {
            "kwhCreditAvailable": Decimal("12.5"),
            "isOn": True,
        }
        assert response(message(C.READ_VOLTAGE, phase=Phase.B), "VoltageB", "230.1 V") == {
            "voltage": Decimal("230.1"),
            "phase": "B",
        }
        assert response(message(C.READ_POWER_LIMIT), "Maximum power threshold", "5000 W") == {"powerLimit": 5000}

    @pytest.mark.parametrize(
        ("what", "item", "data", "result"),
        [
            (CREDIT, "Current Credit Register", " 0.07 ,OFF", {"kwhCreditAvailable": Decimal("0.07"), "isOn": False}),
            (CREDIT, "Current Credit Register", "-3", {"kwhCreditAvailable": Decimal(-3), "isOn": False}),
            (message(C.READ_VOLTAGE), "Voltage", " 229.87 V ", {"voltage": Decimal("229.87")}),
            (message(C.READ_VOLTAGE), "VoltageC", "229", {"voltage": Decimal(229), "phase": "C"}),
            (message(C.READ_VOLTAGE, phase=Phase.A), "Voltage", "229", {"voltage": Decimal(229), "phase": "A"}),
            (message(C.READ_POWER), "Power", "153.4 W", {"power": Decimal("153.4")}),
            (message(C.READ_POWER, phase=Phase.C), "Power", "1.5 kW", {"power": Decimal("1.5"), "phase": "C"}),
            (message(C.READ_CURRENT), "Current", ".5 A", {"current": Decimal("0.5")}),
            (message(C.READ_CURRENT), "CurrentA", "4.25", {"current": Decimal("4.25"), "phase": "A"}),
            (message(C.READ_CURRENT, phase=Phase.A), "CurrentB", "4", {"current": Decimal(4), "phase": "B"}),
            (message(C.READ_POWER_LIMIT), "Maximum power threshold", "0", {"powerLimit": Decimal(0)}),
            (message(C.READ_VERSION), "Version", "2F6B4584", {"version": "2F6B4584"}),
            (message(C.READ_VERSION), "Version", None, {"version": ""}),
            (message(C.READ_DATE), "Date", "26-08-05 03", {"year": 2026, "month": 8, "day": 5}),
            (with_date(2026, 8, 5), "Date", None, {"dateAccepted": True}),
            (message(C.TURN_ON), "Switch On", None, {"turnOnAccepted": True}),
            (message(C.TURN_OFF), "Switch Off", "x", {"turnOffAccepted": True}),
            (with_token(), "Token", None, {"tokenAccepted": True}),
            (CREDIT, "Something Else", "1", None),
            (with_token(), "Date", "26-08-05 03", None),
            (CREDIT, "", None, None),
        ],
    )
    def test_by_item(self, what: DeviceMessage, item: str, data: Any, result: Any) -> None:
        assert response(what, item, data) == result

    @pytest.mark.parametrize(
        ("what", "item", "data", "reason"),
        [
            (CREDIT, "Current Credit Register", None, "CALIN API-V1 responded with an empty value"),
            (CREDIT, "Current Credit Register", " ", "CALIN API-V1 responded with an empty value"),
            (CREDIT, "Current Credit Register", "x,ON", '"x,ON" while we were expecting kWh and relay status'),
            (message(C.READ_VOLTAGE), "VoltageB", "V 230", '"V 230" while we were expecting voltage number'),
            (message(C.READ_VOLTAGE), "Voltage", None, '"" while we were expecting voltage number'),
            (message(C.READ_POWER), "Power", "NaN W", '"NaN W" while we were expecting power number'),
            (message(C.READ_POWER), "Power", "1e3", '"1e3" while we were expecting power number'),
            (message(C.READ_CURRENT), "CurrentC", "1,5", '"1,5" while we were expecting current number'),
            (
                message(C.READ_POWER_LIMIT),
                "Maximum power threshold",
                "Infinity",
                '"Infinity" while we were expecting power limit number',
            ),
            (message(C.READ_DATE), "Date", "26-02-30 01", '"26-02-30 01" while we were expecting date'),
            (message(C.READ_DATE), "Date", "2026-02-03", '"2026-02-03" while we were expecting date'),
            (message(C.READ_DATE), "Date", None, '"" while we were expecting date'),
        ],
    )
    def test_values_that_are_none(self, what: DeviceMessage, item: str, data: Any, reason: str) -> None:
        expected = reason if reason.startswith("CALIN") else f"CALIN API-V1 responded with {reason}"
        assert reason_of_failure(what, item, data) == expected

    def test_a_number_of_a_million_digits_costs_nothing(self) -> None:
        """[R12]"""
        shown = reason_of_failure(message(C.READ_POWER), "Power", "9" * 1_000_000)
        assert len(shown) < 400
