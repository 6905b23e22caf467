"""What the first generation is asked, and what its failures are called [DM 11.1 to 11.3]."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from tests.support.calin import (
    METER,
    TOKEN,
    Vendor,
    garbage,
    message,
    new,
    page,
    policy,
    reset,
    slow,
    status,
    v1_settings,
    with_date,
    with_token,
)

from nxt_adapters.calin_api import CalinApiFailed
from nxt_adapters.calin_api.v1 import CalinV1Client, CalinV1Meters
from nxt_adapters.resilience import OutboundMetrics
from nxt_domain.messaging.model import (
    TOKEN_COMMANDS,
    CommandType,
    DeliveryStatus,
    Device,
    DeviceMessage,
    Phase,
    RequestData,
    SetTime,
)
from nxt_domain.messaging.ports import PollFailed, SendFailed
from nxt_domain.shared.errors import InvalidInput

C = CommandType
ADMIN = {"CompanyName": "ACME", "UserName": "admin-user", "Password": "admin-secret"}
MADE = {"ResultCode": "00", "Reason": "OK", "Result": {"TaskNo": "881", "Status": None, "DataItem": "x", "Data": None}}


async def sent(v1: CalinV1Client, vendor: Vendor, what: DeviceMessage) -> tuple[str, dict[str, Any]]:
    """Path and body of a creation that went well."""
    for path in ("Reading", "Control", "Write", "Token"):
        vendor.says(f"/COMM_Remote{path}", MADE)
    assert await CalinV1Meters(v1).send(what) == "881"
    path, headers, body = vendor.calls[-1]
    assert headers["Accept"] == "application/json"
    assert headers["Content-Type"] == "application/json"
    return path, body


async def refusal(v1: CalinV1Client, what: DeviceMessage) -> Any:
    with pytest.raises(SendFailed) as failed:
        await CalinV1Meters(v1).send(what)
    return failed.value.failure


@pytest.mark.parametrize(
    ("what", "item"),
    [
        (message(C.READ_CREDIT), "Current Credit Register"),
        (message(C.READ_VOLTAGE), "Voltage"),
        (message(C.READ_VOLTAGE, phase=Phase.A), "VoltageA"),
        (message(C.READ_VOLTAGE, phase=Phase.B), "VoltageB"),
        (message(C.READ_VOLTAGE, phase=Phase.C), "VoltageC"),
        (message(C.READ_CURRENT), "Current"),
        (message(C.READ_CURRENT, phase=Phase.A), "CurrentA"),
        (message(C.READ_CURRENT, phase=Phase.B), "CurrentB"),
        (message(C.READ_CURRENT, phase=Phase.C), "CurrentC"),
        (message(C.READ_POWER), "Power"),
        (message(C.READ_POWER, phase=Phase.B), "Power"),
        (message(C.READ_POWER_LIMIT), "Maximum power threshold"),
        (message(C.READ_VERSION), "Version"),
        (message(C.READ_DATE), "Date"),
    ],
    ids=lambda value: f"{value.command_type} {value.phase}" if isinstance(value, DeviceMessage) else value,
)
async def test_dm_112_reads(v1: CalinV1Client, vendor: Vendor, what: DeviceMessage, item: str) -> None:
    """[DM-108, DM-112] The credentials travel in the body."""
    path, body = await sent(v1, vendor, what)
    assert path == "/COMM_RemoteReading"
    assert body == {**ADMIN, "MeterNo": METER, "DataItem": item}


@pytest.mark.parametrize(("command", "item"), [(C.TURN_ON, "Switch On"), (C.TURN_OFF, "Switch Off")])
async def test_dm_112_control(v1: CalinV1Client, vendor: Vendor, command: CommandType, item: str) -> None:
    assert await sent(v1, vendor, message(command)) == (
        "/COMM_RemoteControl",
        {**ADMIN, "MeterNo": METER, "DataItem": item},
    )


@pytest.mark.parametrize(
    ("date", "data"),
    [((2026, 8, 5), "26080503"), ((26, 8, 5), "26080503"), ((2026, 3, 15), "26031500"), ((2028, 2, 29), "28022902")],
)
async def test_dm_113_dates_carry_their_weekday(
    v1: CalinV1Client, vendor: Vendor, date: tuple[int, int, int], data: str
) -> None:
    """[DM-112, DM-113, DM-76] 2026-08-05 is a Wednesday; 00 is Sunday."""
    assert await sent(v1, vendor, with_date(*date)) == (
        "/COMM_RemoteWrite",
        {**ADMIN, "MeterNo": METER, "DataItem": "Date", "Data": data},
    )


@pytest.mark.parametrize("command", sorted(TOKEN_COMMANDS))
async def test_dm_112_tokens(v1: CalinV1Client, vendor: Vendor, command: CommandType) -> None:
    assert await sent(v1, vendor, with_token(command)) == (
        "/COMM_RemoteToken",
        {**ADMIN, "MeterNo": METER, "Token": TOKEN},
    )


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (with_date(2026, 2, 30), "Invalid payload for setting date"),
        (with_date(1999, 1, 1), "Invalid payload for setting date"),
        (with_date(2100, 1, 1), "Invalid payload for setting date"),
        (
            message(C.SET_DATE, request_data=RequestData(payload=SetTime(hour=1, minute=2))),
            "Invalid payload for setting date",
        ),
        (message(C.SET_DATE), "Can't perform a write request without a payload"),
        *(
            (with_token(command, token), "Can't perform a token delivery without a token")
            for command in sorted(TOKEN_COMMANDS)
            for token in (None, "", " \t")
        ),
        (message(C.TOP_UP_KWH), "Can't perform a token delivery without a token"),
        (message(C.READ_TIME), "Not implemented"),
        (message(C.SET_TIME), "Not implemented"),
        (message(C.JOIN_NETWORK), "Not implemented"),
    ],
    ids=str,
)
async def test_dm_114_what_can_not_be_written_is_never_sent(
    v1: CalinV1Client, vendor: Vendor, what: DeviceMessage, reason: str
) -> None:
    """[DM-8, DM-113, DM-114] It fails for good."""
    failure = await refusal(v1, what)
    assert (failure.reason, failure.skip_retry) == (reason, True)
    assert vendor.calls == []


@pytest.mark.parametrize(
    ("answer", "reason", "code", "is_final"),
    [
        ({"ResultCode": "01", "Reason": "DCU busy"}, "DCU busy", 1, False),
        ({"ResultCode": "12", "Reason": ""}, "unknown", 12, False),
        ({"ResultCode": "00", "Reason": "OK", "Result": {}}, "OK", 0, False),
        ({"ResultCode": "00", "Reason": None, "Result": {"TaskNo": " "}}, "unknown", 0, False),
        ({"Reason": "no code", "Result": {"TaskNo": None}}, "no code", None, False),
        ({"ResultCode": "x", "Reason": 5, "Result": {"TaskNo": True}}, "unknown", None, False),
        ({"ResultCode": "99", "Reason": "no such meter"}, "no such meter", 99, True),
        ({}, "unknown", None, False),
    ],
)
async def test_dm_115_without_a_task_number_the_send_fails(
    v1: CalinV1Client, vendor: Vendor, answer: dict[str, Any], reason: str, code: int | None, is_final: bool
) -> None:
    """Code 99 makes it permanent."""
    vendor.says("/COMM_RemoteReading", answer)
    failure = await refusal(v1, message())
    assert failure.reason == f"CALIN API-V1 did not schedule task because: {reason}"
    assert (failure.error_code, failure.skip_retry) == (code, is_final)


async def test_dm_115_a_token_that_is_rejected_at_once(v1: CalinV1Client, vendor: Vendor) -> None:
    vendor.says("/COMM_RemoteToken", {"ResultCode": "99", "Reason": "used"})
    failure = await refusal(v1, with_token())
    assert failure.reason == f"Token {TOKEN} was immediately rejected for meter {METER}, possibly already delivered"
    assert (failure.error_code, failure.skip_retry) == (99, True)


async def test_dm_115_a_number_may_be_a_number(v1: CalinV1Client, vendor: Vendor) -> None:
    vendor.says("/COMM_RemoteReading", {"Result": {"TaskNo": 4711}})
    assert await CalinV1Meters(v1).send(message()) == "4711"


@pytest.mark.parametrize(
    ("what", "path"),
    [
        (message(C.READ_VERSION), "/COMM_RemoteReadingTask"),
        (message(C.TURN_OFF), "/COMM_RemoteControlTask"),
        (with_date(2026, 1, 1), "/COMM_RemoteWriteTask"),
        (with_token(), "/COMM_RemoteTokenTask"),
    ],
    ids=["read", "control", "write", "token"],
)
async def test_dm_116_polls(v1: CalinV1Client, vendor: Vendor, what: DeviceMessage, path: str) -> None:
    """[DM-116] With the credentials and the number alone."""
    vendor.says(path, {"ResultCode": "00", "Result": {"Status": "unknown"}})
    assert await CalinV1Meters(v1).poll(attrs.evolve(what, delivery_queue_id="881")) is None
    assert vendor.calls[-1][0] == path
    assert vendor.calls[-1][2] == {**ADMIN, "TaskNo": "881"}


IS_PAGE = "[CALIN API-V1] responded with a HTML page.."
IS_DOWN = "[CALIN API-V1] is down"


@pytest.mark.parametrize(
    ("answer", "text", "code"),
    [
        (page(), IS_PAGE, 200),
        (page(404), IS_PAGE, 404),
        (page(503), IS_PAGE, 503),
        (status(500, {"Message": "An error has occurred."}), f"{IS_DOWN}: An error has occurred.", 500),
        (status(404, {"Message": "No HTTP resource"}), f"{IS_DOWN}: No HTTP resource", 404),
        (status(503, {"message": "x"}), IS_DOWN, 503),
        (status(429, [1]), IS_DOWN, 429),
        (status(302, {}), IS_DOWN, 302),
        (status(400, {"Message": None}), IS_DOWN, 400),
        (reset, "[CALIN API-V1] abruptly closed its end of the connection", "ECONNRESET"),
        (slow(1.0), IS_DOWN, "ETIMEDOUT"),
        (garbage(), IS_DOWN, None),
        (garbage(b""), IS_DOWN, None),
        (garbage(b"[]"), IS_DOWN, None),
        (garbage(b"\xff\xfe"), IS_DOWN, None),
        (garbage(b"[" * 100_000), IS_DOWN, None),
    ],
    ids=range(16),
)
async def test_dm_110_failures_have_exact_texts(vendor: Vendor, answer: Any, text: str, code: int | str | None) -> None:
    """[DM-110, DM-111, DM-190] Once, whatever it was; for sends, polls and every other caller."""
    client = CalinV1Client(
        v1_settings(f"{vendor.url}/"), policy=policy(timeout_s=0.3), metrics=OutboundMetrics(CollectorRegistry())
    )
    vendor.says("/COMM_RemoteReading", answer)
    vendor.says("/COMM_RemoteReadingTask", answer)
    failure = await refusal(client, message())
    assert (failure.reason, failure.error_code, failure.skip_retry) == (text, code, False)
    assert len(vendor.calls) == 1
    with pytest.raises(PollFailed) as unknown:
        await CalinV1Meters(client).poll(message(delivery_queue_id="1"))
    assert unknown.value.message.startswith(text)
    assert len(vendor.calls) == 2
    with pytest.raises(CalinApiFailed) as failed:
        await client.post("list", "/COMM_RemoteReading", {})
    assert (failed.value.code, failed.value.message) == ("CALIN_API_FAIL", text)
    await client.close()


async def test_dm_110_nobody_there(unused_tcp_port: int) -> None:
    client = CalinV1Client(
        v1_settings(f"http://127.0.0.1:{unused_tcp_port}"),
        policy=policy(),
        metrics=OutboundMetrics(CollectorRegistry()),
    )
    failure = await refusal(client, message())
    assert failure.reason == "[CALIN API-V1] could not be reached, connection was refused"
    assert failure.error_code == "ECONNREFUSED"
    await client.close()


async def test_dm_110_no_such_host() -> None:
    client = CalinV1Client(
        v1_settings("http://calin.invalid"), policy=policy(), metrics=OutboundMetrics(CollectorRegistry())
    )
    failure = await refusal(client, message())
    assert (failure.reason, failure.error_code) == (IS_DOWN, "ENOTFOUND")
    await client.close()


async def test_a_vendor_that_keeps_failing_is_left_alone(vendor: Vendor) -> None:
    """[DM-189] The attempts fail at once, and are retried by the ladder."""
    client = CalinV1Client(
        v1_settings(vendor.url), policy=policy(failures=2), metrics=OutboundMetrics(CollectorRegistry())
    )
    vendor.says("/COMM_RemoteReading", status(500, {}))
    reasons = [(await refusal(client, message())).reason for _ in range(4)]
    assert reasons == [IS_DOWN] * 4
    assert len(vendor.calls) == 2
    await client.close()


async def test_dm_109_a_code_of_the_vendors_is_logged_and_returned(v1: CalinV1Client, vendor: Vendor) -> None:
    """[DM-109, DM-171] With nothing of the body."""
    told = {"ResultCode": "44", "Reason": "secret words", "Result": [1]}
    vendor.says("/COMM_OnlineStatus", told)
    with capture_logs() as entries:
        assert await v1.post("online", "/COMM_OnlineStatus", {"Password": "hunter2"}) == told
    logged = str(entries)
    assert "44" in logged
    assert "hunter2" not in logged
    assert "secret words" not in logged


async def test_dm_190_simulated_meters_have_their_own_address(vendor: Vendor) -> None:
    settings = v1_settings("http://127.0.0.1:9", simulator_url=f"{vendor.url}/")
    client = CalinV1Client(settings, policy=policy(), metrics=OutboundMetrics(CollectorRegistry()))
    vendor.says("/COMM_HourlyDataNew", {"Result": []})
    assert await client.post("hourly", "/COMM_HourlyDataNew", {}, is_simulated=True) == {"Result": []}
    with pytest.raises(CalinApiFailed):
        await client.post("hourly", "/COMM_HourlyDataNew", {})
    await client.close()


async def test_dm_23_the_dcu_is_the_bottleneck(v1: CalinV1Client) -> None:
    """[DM-23, DM-24]"""
    plugin = CalinV1Meters(v1)
    assert plugin.ready_queue(new()) == "queue:calin-api-v1:dcu:7"
    with pytest.raises(InvalidInput, match=r"^device\.relayNode\.id is required$"):
        plugin.ready_queue(new(device=Device(external_reference=METER)))


async def test_dm_6_what_it_accepts(v1: CalinV1Client) -> None:
    assert CalinV1Meters(v1).supported_commands == frozenset(C) - {
        C.READ_TIME,
        C.SET_TIME,
        C.READ_REPORT,
        C.JOIN_NETWORK,
    }


async def test_secrets_stay_out_of_texts(v1: CalinV1Client, vendor: Vendor) -> None:
    """[DM-171] Settings, tasks and failures show none."""
    assert "secret" not in repr(v1.settings)
    vendor.says("/COMM_RemoteToken", status(500, {}))
    failure = await refusal(v1, with_token())
    assert TOKEN not in str(failure)
    assert DeliveryStatus.SENT_TO_NS.value not in failure.reason


async def test_the_doctor_asks_for_the_concentrators(v1: CalinV1Client, vendor: Vendor) -> None:
    vendor.says("/COMM_OnlineStatus", {"Result": [{"ConcentratorNo": "1", "Status": True}]}, {"ResultCode": "02"})
    plugin = CalinV1Meters(v1)
    assert await plugin.check() == "CALIN API-V1 answers and lists 1 concentrators"
    assert vendor.calls[0][2] == {
        "CompanyName": "ACME",
        "UserName": "maintenance-user",
        "Password": "maintenance-secret",
    }
    with pytest.raises(CalinApiFailed):
        await plugin.check()


@pytest.mark.parametrize("url", ["", "calin.example", "ftp://calin.example"])
def test_an_address_is_needed(url: str) -> None:
    with pytest.raises(InvalidInput):
        v1_settings(url)
