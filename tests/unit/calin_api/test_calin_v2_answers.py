"""What the second generation's answers mean [DM 12.3]."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.support.calin import message, with_date, with_token

from nxt_adapters.calin_api.v2.answers import interpret
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
CREDIT = message(C.READ_CREDIT)


def told(
    what: DeviceMessage, name: Any, data: Any, status: Any = 1, reason: str | None = "success"
) -> DeviceEvent | None:
    return interpret(
        {"code": 0, "reason": reason, "result": {"data": [{"name": name, "status": status, "data": data}]}}, what
    )


def ended(event: DeviceEvent | None) -> tuple[ExecutionStatus, Any, FailureContext | None]:
    assert event is not None
    assert event.delivery_status is S.DELIVERY_SUCCESSFUL
    assert event.response is not None
    return event.response.status, event.response.data, event.failure


class TestStatus:
    """[DM-129]"""

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ({"reason": "task not found", "result": {"data": []}}, "task not found"),
            ({"reason": "success", "result": None}, "success"),
            ({"result": {"data": None}}, "CALIN API-V2 gave no status or data for this task"),
            ({"result": {"data": "text"}}, "CALIN API-V2 gave no status or data for this task"),
            ({"result": {"data": [None]}}, "CALIN API-V2 gave no status or data for this task"),
            ({"result": []}, "CALIN API-V2 gave no status or data for this task"),
            ({"reason": ""}, "CALIN API-V2 gave no status or data for this task"),
        ],
    )
    def test_no_element(self, answer: Any, reason: str) -> None:
        event = interpret(answer, CREDIT)
        assert event is not None
        assert event.delivery_status is S.DELIVERY_FAILED
        assert event.failure == FailureContext(reason=reason)

    @pytest.mark.parametrize("status", [0, -1, None, "1", "", True, 1.5, [], {}])
    def test_none_yet(self, status: Any) -> None:
        assert told(CREDIT, "Current Credit Balance", "1", status) is None

    def test_three_is_a_rejected_token(self) -> None:
        """[DM-129] It also carries ``skipRetry``."""
        failure = FailureContext(reason="The token was rejected, possibly already delivered", skip_retry=True)
        assert ended(told(with_token(), "Token", None, 3)) == (FAILURE, None, failure)

    @pytest.mark.parametrize("status", [2, 4, 99])
    @pytest.mark.parametrize(
        ("reason", "shown"),
        [
            ("meter is offline", "meter is offline"),
            ("success", "Delivery was successful but execution of the command failed"),
            (None, "Delivery was successful but execution of the command failed"),
        ],
    )
    def test_others_are_delivered_and_not_executed(self, status: int, reason: str | None, shown: str) -> None:
        event = told(CREDIT, "Current Credit Balance", None, status, reason)
        assert ended(event) == (FAILURE, None, FailureContext(reason=shown))

    def test_the_first_element_decides(self) -> None:
        rows = [{"name": "Token", "status": 1}, {"name": "Token", "status": 3}]
        assert ended(interpret({"result": {"data": rows}}, with_token())) == (SUCCESS, {"tokenAccepted": True}, None)


class TestData:
    """[DM-130]"""

    def test_worked_example(self) -> None:
        row = {"name": "Current Credit Balance", "status": 1, "data": "108.8"}
        event = interpret({"code": 0, "reason": "success", "result": {"data": [row]}}, CREDIT)
        assert ended(event) == (SUCCESS, {"kwhCreditAvailable": Decimal("108.8")}, None)

    @pytest.mark.parametrize(
        ("what", "name", "data", "result"),
        [
            (CREDIT, " Current Credit Balance ", Decimal("108.8"), {"kwhCreditAvailable": Decimal("108.8")}),
            (message(C.READ_VOLTAGE), "Phase-A Voltage", "229.87", {"voltage": Decimal("229.87")}),
            (message(C.READ_VOLTAGE, phase=Phase.B), "Phase-A Voltage", " 229 ", {"voltage": Decimal(229)}),
            (message(C.READ_POWER), "Power", 0, {"power": Decimal(0)}),
            (message(C.READ_CURRENT, phase=Phase.C), "Phase-A Current(A)", "1.25", {"current": Decimal("1.25")}),
            (message(C.READ_POWER_LIMIT), "Maximum power threshold", "5000", {"powerLimit": Decimal(5000)}),
            (message(C.READ_VERSION), "Meter Firmware Version", "2.14", {"version": "2.14"}),
            (message(C.TURN_ON), "Relay On/Off", "Connected", {"turnOnAccepted": True}),
            (message(C.TURN_OFF), "Relay On/Off", "Disconnected", {"turnOffAccepted": True}),
            (message(C.TURN_ON), "Relay On/Off", None, {"turnOffAccepted": True}),
            (with_date(2026, 8, 5), "Clock(time)", None, {"dateAccepted": True}),
            (message(C.READ_DATE), "Clock(time)", "2026-08-05 10:11:12", {"year": 2026, "month": 8, "day": 5}),
            (with_token(), "Token", "anything", {"tokenAccepted": True}),
            (CREDIT, "Something Else", "1", None),
            (CREDIT, None, None, None),
        ],
    )
    def test_by_name(self, what: DeviceMessage, name: Any, data: Any, result: Any) -> None:
        """[DM-9, DM-130] An answer carries no phase, whatever was asked for."""
        assert ended(told(what, name, data)) == (SUCCESS, result, None)

    @pytest.mark.parametrize(
        ("what", "name", "data", "expected"),
        [
            (CREDIT, "Current Credit Balance", "", "credit number"),
            (CREDIT, "Current Credit Balance", "12 kWh", "credit number"),
            (message(C.READ_VOLTAGE), "Phase-A Voltage", "x", "voltage number"),
            (message(C.READ_POWER), "Power", "--", "power number"),
            (message(C.READ_CURRENT), "Phase-A Current(A)", "NaN", "current number"),
            (message(C.READ_POWER_LIMIT), "Maximum power threshold", "1e3", "power limit number"),
            (message(C.READ_DATE), "Clock(time)", "2026-02-30 10:00:00", "date"),
            (message(C.READ_DATE), "Clock(time)", "05/08/2026", "date"),
        ],
    )
    def test_values_that_are_none(self, what: DeviceMessage, name: str, data: str, expected: str) -> None:
        """[DM-130] The text of DM-119."""
        reason = f'CALIN API-V2 responded with "{data}" while we were expecting {expected}'
        assert ended(told(what, name, data)) == (FAILURE, None, FailureContext(reason=reason))
