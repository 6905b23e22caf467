"""Whatever JSON the vendors answer: an event, none yet, or a failure with a name [DM-117, DM-129, DM-49]."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.calin import message, with_date, with_token

from nxt_adapters.calin_api.exchange import Answer, Unreadable
from nxt_adapters.calin_api.tokens import token_of
from nxt_adapters.calin_api.v1 import answers as v1
from nxt_adapters.calin_api.v1.tasks import task_number
from nxt_adapters.calin_api.v2 import answers as v2
from nxt_adapters.calin_api.v2.login import expiry_of
from nxt_adapters.calin_api.v2.tasks import task_id
from nxt_domain.messaging.model import CommandType, DeliveryStatus, DeviceEvent, DeviceMessage
from nxt_domain.messaging.ports import SendFailed
from nxt_domain.messaging.wire import event_from_json, event_to_json
from nxt_domain.tokens.model import TokenClass
from nxt_domain.tokens.ports import TokenBadAnswer, TokenOutcomeUnknown

WORDS = [
    *("ResultCode", "Reason", "Result", "Status", "DataItem", "Data", "TaskNo", "True", "False", "unknown", "99", "00"),
    *("Current Credit Register", "VoltageB", "Current", "Power", "Maximum power threshold", "Date", "Token", "Version"),
    *("code", "reason", "result", "data", "name", "status", "id", "success", "Current Credit Balance", "Clock(time)"),
    *("Phase-A Voltage", "Relay On/Off", "Connected", "12.5,ON", "230.1 V", "26-08-05 03", "2026-08-05 10:00:00", "OK"),
]
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
words = st.sampled_from(WORDS) | st.text(max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=6), max_leaves=12
)
v1_answers = st.fixed_dictionaries(
    {},
    optional={
        "ResultCode": scalars,
        "Reason": scalars,
        "Result": trees
        | st.fixed_dictionaries(
            {"Status": st.sampled_from(["True", "False", "unknown"]) | trees, "DataItem": words, "Data": trees}
        ),
    },
)
v2_rows = st.fixed_dictionaries({"status": st.integers(-2, 6) | trees, "name": words | trees, "data": trees})
v2_answers = st.fixed_dictionaries(
    {},
    optional={
        "code": scalars,
        "reason": scalars,
        "result": trees | st.fixed_dictionaries({"data": st.lists(v2_rows, max_size=2)}),
    },
)
MESSAGES = [
    *(message(command) for command in CommandType if command.value.startswith(("READ_", "TURN_"))),
    with_token(),
    with_date(2026, 8, 5),
]
messages = st.sampled_from(MESSAGES)


def read(body: Any) -> Any:
    """As it would come over the wire, with exact numbers."""
    return Answer(status=200, content_type="application/json", body=json.dumps(body).encode()).json()


def check(event: DeviceEvent | None) -> None:
    """It can be stored and read again, and means something to the engine."""
    if event is None:
        return
    assert event.delivery_status in {DeliveryStatus.DELIVERY_SUCCESSFUL, DeliveryStatus.DELIVERY_FAILED}
    assert event.delivery_status is DeliveryStatus.DELIVERY_FAILED or event.response is not None
    assert (event.delivery_status is DeliveryStatus.DELIVERY_FAILED) <= (event.failure is not None)
    written = event_to_json(event)
    assert event_from_json(json.loads(json.dumps(written))).delivery_status is event.delivery_status
    assert event.failure is None or 0 < len(event.failure.reason) < 400


@UNHURRIED
@given(answer=v1_answers | st.dictionaries(words, trees, max_size=4), what=messages)
def test_dm_117_any_answer_to_a_poll(answer: Any, what: DeviceMessage) -> None:
    """[DM-117]"""
    check(v1.interpret(read(answer), what))


@UNHURRIED
@given(answer=v2_answers | st.dictionaries(words, trees, max_size=4), what=messages)
def test_dm_129_any_answer_to_a_poll(answer: Any, what: DeviceMessage) -> None:
    """[DM-129]"""
    check(v2.interpret(read(answer), what))


@UNHURRIED
@given(answer=st.dictionaries(words, trees, max_size=5), what=messages)
def test_dm_115_any_answer_to_a_creation(answer: Any, what: DeviceMessage) -> None:
    """[DM-115, DM-127] An id, or a failure with a reason."""
    for name in (lambda: task_number(read(answer), what), lambda: task_id(read(answer))):
        failure = None
        try:
            assert name().strip()
        except SendFailed as failed:
            failure = failed.failure
        assert failure is None or failure.reason


@UNHURRIED
@given(found=trees, reason=trees, is_success=st.booleans(), kind=st.sampled_from(TokenClass))
def test_dm_120_any_answer_to_an_order(found: Any, reason: Any, is_success: bool, kind: TokenClass) -> None:
    """[DM-120, DM-131] Twenty digits, or a failure that says whether to ask again."""
    try:
        token = token_of(found, kind, service="S", reason=reason, is_success=is_success)
    except TokenBadAnswer:
        assert not (is_success and kind is TokenClass.TOP_UP)
    except TokenOutcomeUnknown:
        assert is_success
        assert kind is TokenClass.TOP_UP
    else:
        assert len(token) == 20
        assert token.isdigit()


@UNHURRIED
@given(body=st.binary(max_size=60) | trees.map(lambda tree: json.dumps(tree).encode()))
def test_any_bytes_are_an_object_or_unreadable(body: bytes) -> None:
    """[DM-110]"""
    with contextlib.suppress(Unreadable):
        assert isinstance(Answer(status=200, content_type="", body=body).json(), dict)


@pytest.mark.parametrize(
    "body", [b'{"Data": 1E999999999}', b'{"Data": 1E-999999999}', b'{"Data": 123456789012345678901234567890.5}']
)
def test_r12_a_huge_number_is_shown_and_never_unfolded(body: bytes) -> None:
    """[R12]"""
    answer = Answer(status=200, content_type="", body=body).json()
    event = v1.interpret({"Result": {"Status": "True", "DataItem": "Power", **answer}}, message(CommandType.READ_POWER))
    assert event is not None
    assert isinstance(answer["Data"], Decimal | float | int)
    check(event)


@UNHURRIED
@given(token=st.text(max_size=40) | st.tuples(words, words, words).map(".".join))
def test_dm_121_any_text_is_a_login_or_none(token: str) -> None:
    """[DM-121]"""
    expiry = expiry_of(token)
    assert expiry is None or isinstance(expiry, float)
