"""What the second generation is asked, when it is asked again, and what its failures are called [DM 12.1 to 12.3]."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import attrs
import pytest
from prometheus_client import CollectorRegistry
from tests.support.calin import (
    METER,
    TOKEN,
    Vendor,
    bearer,
    garbage,
    message,
    new,
    page,
    policy,
    reset,
    slow,
    status,
    v2_settings,
    with_date,
    with_token,
)

from nxt_adapters.calin_api import DEFAULT_POLICY, CalinApiFailed
from nxt_adapters.calin_api.v2 import CalinV2Client, CalinV2Meters, CalinV2Registry, LoginWatch
from nxt_adapters.resilience import HttpCaller, OutboundMetrics
from nxt_domain.messaging.model import TOKEN_COMMANDS, CommandType, Device, DeviceMessage, Phase
from nxt_domain.messaging.ports import PollFailed, SendFailed
from nxt_domain.shared.errors import InvalidInput, UpstreamFailed

C = CommandType
LOGIN = "/API/User/Login"
TASKS = "/API/RemoteMeterTask"
CREATE, POLL = f"{TASKS}/CreateReadingTask", f"{TASKS}/GetReadingTask"
MADE = {"code": 0, "reason": "success", "result": [{"id": 5501}]}
WAITS = {"code": 0, "reason": "success", "result": {"data": [{"status": 0}]}}
IS_DOWN = "CALIN API-V2 is down"


def login(token: Any) -> dict[str, Any]:
    return {"code": 0, "reason": "success", "result": {"token": token}}


def client_of(vendor: Vendor, **parts: Any) -> CalinV2Client:
    rules = policy(**parts.pop("policy", {}))
    return CalinV2Client(v2_settings(vendor.url), policy=rules, metrics=OutboundMetrics(CollectorRegistry()), **parts)


async def refusal(v2: CalinV2Client, what: DeviceMessage) -> Any:
    with pytest.raises(SendFailed) as failed:
        await CalinV2Meters(v2).send(what)
    return failed.value.failure


class TestTasks:
    @pytest.mark.parametrize(
        ("what", "path", "protocol", "data"),
        [
            (message(C.READ_CREDIT), "CreateReadingTask", 39, None),
            (message(C.READ_VOLTAGE), "CreateReadingTask", 5, None),
            (message(C.READ_VOLTAGE, phase=Phase.C), "CreateReadingTask", 5, None),
            (message(C.READ_CURRENT, phase=Phase.B), "CreateReadingTask", 8, None),
            (message(C.READ_POWER), "CreateReadingTask", 11, None),
            (message(C.READ_DATE), "CreateReadingTask", 29, None),
            (message(C.READ_VERSION), "CreateReadingTask", 45, None),
            (message(C.READ_POWER_LIMIT), "CreateReadingTask", 46, None),
            (message(C.TURN_ON), "CreateControlTask", 20000, None),
            (message(C.TURN_OFF), "CreateControlTask", 20001, None),
            (with_date(26, 8, 5), "CreateSettingTask", 10000, "2026-08-05 00:00:00"),
            *((with_token(command), "CreateTokenTask", 30000, TOKEN) for command in sorted(TOKEN_COMMANDS)),
        ],
        ids=lambda value: f"{value.command_type} {value.phase}" if isinstance(value, DeviceMessage) else str(value),
    )
    async def test_dm_126(
        self, v2: CalinV2Client, vendor: Vendor, what: DeviceMessage, path: str, protocol: int, data: str | None
    ) -> None:
        """[DM-126, DM-9, DM-127] A phase is not passed on; the id becomes text."""
        vendor.says(f"{TASKS}/{path}", MADE)
        assert await CalinV2Meters(v2).send(what) == "5501"
        called, headers, body = vendor.calls[-1]
        assert called == f"{TASKS}/{path}"
        assert headers["Authorization"].startswith("Bearer ")
        wanted = {"meterId": METER, "protocolId": protocol, "customerId": "C-7", "company": "ACME"}
        assert body == [wanted if data is None else {**wanted, "data": data}]

    @pytest.mark.parametrize(
        ("what", "reason"),
        [
            (with_date(2026, 2, 30), "Invalid payload for setting date"),
            (message(C.SET_DATE), "Can't perform a write request without a payload"),
            (with_token(token=" "), "Can't perform a token delivery without a token"),
            (message(C.READ_TIME), "Not implemented"),
            (message(C.SET_TIME), "Not implemented"),
        ],
        ids=str,
    )
    async def test_dm_127_what_can_not_be_written_is_never_sent(
        self, v2: CalinV2Client, vendor: Vendor, what: DeviceMessage, reason: str
    ) -> None:
        failure = await refusal(v2, what)
        assert (failure.reason, failure.skip_retry) == (reason, True)
        assert vendor.calls == []

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ({"code": 1, "reason": "meter does not exist", "result": None}, "meter does not exist"),
            ({"code": 0, "reason": "success", "result": []}, "success"),
            ({"code": 0, "result": [{"id": ""}]}, "unknown"),
            ({"result": [7]}, "unknown"),
            ({"result": {"id": 7}}, "unknown"),
        ],
    )
    async def test_dm_127_without_an_id_the_send_fails(
        self, v2: CalinV2Client, vendor: Vendor, answer: Any, reason: str
    ) -> None:
        """Retryably."""
        vendor.says(CREATE, answer)
        failure = await refusal(v2, message())
        assert failure.reason == f"CALIN API-V2 did not schedule task because: {reason}"
        assert not failure.skip_retry

    async def test_dm_127_an_id_may_be_text(self, v2: CalinV2Client, vendor: Vendor) -> None:
        vendor.says(CREATE, {"result": [{"id": "77"}]})
        assert await CalinV2Meters(v2).send(message()) == "77"

    @pytest.mark.parametrize(
        ("what", "path"),
        [
            (message(C.READ_VERSION), "GetReadingTask"),
            (message(C.TURN_OFF), "GetControlTask"),
            (with_date(2026, 1, 1), "GetSettingTask"),
            (with_token(), "GetTokenTask"),
        ],
        ids=["read", "control", "write", "token"],
    )
    async def test_dm_128_polls(self, v2: CalinV2Client, vendor: Vendor, what: DeviceMessage, path: str) -> None:
        """[DM-128] The id is a number again."""
        vendor.says(f"{TASKS}/{path}", WAITS)
        assert await CalinV2Meters(v2).poll(attrs.evolve(what, delivery_queue_id="5501")) is None
        assert vendor.calls[-1][0] == f"{TASKS}/{path}"
        assert vendor.calls[-1][2] == {"id": 5501, "lang": "en", "company": "ACME"}

    async def test_dm_23_the_dcu_is_the_bottleneck(self, v2: CalinV2Client) -> None:
        """[DM-23, DM-24]"""
        plugin = CalinV2Meters(v2)
        assert plugin.ready_queue(new()) == "queue:calin-api-v2:dcu:7"
        with pytest.raises(InvalidInput, match=r"^device\.relayNode\.id is required$"):
            plugin.ready_queue(new(device=Device(external_reference=METER)))


class TestLogin:
    async def test_dm_121_who_we_are(self, v2: CalinV2Client, vendor: Vendor) -> None:
        vendor.says(LOGIN, login(token := bearer()))
        await v2.ask("poll", POLL, {})
        assert vendor.bodies(LOGIN) == [{"userId": "admin-user", "password": "admin-secret", "company": "ACME"}]
        assert vendor.calls[-1][1]["Authorization"] == f"Bearer {token}"

    async def test_dm_122_one_login_serves_until_its_last_second(self, vendor: Vendor) -> None:
        """[DM-121, DM-122]"""
        now = [0.0]
        client = client_of(vendor, now=lambda: now[0])
        vendor.says(LOGIN, login(jwt(100)), login(jwt(500)))
        for instant, logins in ((0.0, 1), (98.9, 1), (99.1, 2), (400.0, 2)):
            now[0] = instant
            await client.ask("poll", POLL, {})
            assert vendor.paths.count(LOGIN) == logins
        await client.close()

    async def test_dm_122_concurrent_callers_share_a_login(self, v2: CalinV2Client, vendor: Vendor) -> None:
        vendor.says(LOGIN, slow(0.1, login(bearer())))
        await asyncio.gather(*(v2.ask("poll", POLL, {}) for _ in range(20)))
        assert vendor.paths.count(LOGIN) == 1
        assert vendor.paths.count(POLL) == 20

    async def test_dm_122_a_caller_that_gives_up_ends_nobody_elses_login(
        self, v2: CalinV2Client, vendor: Vendor
    ) -> None:
        vendor.says(LOGIN, slow(0.2, login(bearer())))
        first = asyncio.create_task(v2.ask("poll", POLL, {}))
        second = asyncio.create_task(v2.ask("poll", POLL, {}))
        await asyncio.sleep(0.05)
        first.cancel()
        await second
        assert first.cancelled()
        assert vendor.paths.count(LOGIN) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            {"code": 1, "reason": "wrong password", "result": None},
            login(None),
            login("no.jwt"),
            login("a.b.c"),
            login("e30.e30.e30"),
            garbage(),
            status(401, {}),
            status(403, {}),
        ],
        ids=range(8),
    )
    async def test_dm_121_a_login_without_token_is_not_repeated(
        self, v2: CalinV2Client, vendor: Vendor, answer: Any
    ) -> None:
        """[DM-121, DM-125, DM-189] As the call it was for: a send is retried, a poll tells nothing."""
        vendor.says(LOGIN, answer)
        failure = await refusal(v2, message())
        assert (failure.reason, failure.skip_retry) == ("CALIN API-V2 failed to get a token", False)
        assert vendor.paths == [LOGIN]
        with pytest.raises(PollFailed, match="CALIN API-V2 failed to get a token"):
            await CalinV2Meters(v2).poll(message(delivery_queue_id="1"))
        assert vendor.paths == [LOGIN] * 2

    async def test_dm_121_a_lost_login_is_tried_three_times(self, v2: CalinV2Client, vendor: Vendor) -> None:
        vendor.says(LOGIN, reset, status(502, {}), login(bearer()))
        assert await v2.ask("poll", POLL, {}) == {}
        assert vendor.paths == [LOGIN, LOGIN, LOGIN, POLL]
        vendor.says(LOGIN, reset)
        v2._login.drop(v2._login._held.token if v2._login._held else "")
        assert (await refusal(v2, message())).reason == "CALIN API-V2 failed to get a token"
        assert vendor.paths.count(LOGIN) == 6

    async def test_dm_123_a_refused_token_is_renewed_once(self, v2: CalinV2Client, vendor: Vendor) -> None:
        """The call is repeated, also one with an effect."""
        vendor.says(LOGIN, login(bearer(number=1)), login(second := bearer(number=2)))
        vendor.says(CREATE, status(401), MADE)
        assert await CalinV2Meters(v2).send(message()) == "5501"
        assert vendor.paths == [LOGIN, CREATE, LOGIN, CREATE]
        assert vendor.calls[-1][1]["Authorization"] == f"Bearer {second}"

    async def test_dm_123_a_second_refusal_is_final(self, v2: CalinV2Client, vendor: Vendor) -> None:
        """[DM-123, DM-125]"""
        vendor.says(POLL, status(401))
        with pytest.raises(PollFailed, match=r"^\[CALIN API-V2\] Unauthorized after token refresh"):
            await CalinV2Meters(v2).poll(message(delivery_queue_id="1"))
        assert vendor.paths == [LOGIN, POLL, LOGIN, POLL]

    async def test_dm_125_a_renewal_that_fails(self, v2: CalinV2Client, vendor: Vendor) -> None:
        vendor.says(LOGIN, login(bearer()), login(None))
        vendor.says(CREATE, status(401))
        assert (await refusal(v2, message())).reason == "[CALIN API-V2] Can't log in, API may be down"

    async def test_a_crowd_whose_token_was_revoked_renews_it_once(self, v2: CalinV2Client, vendor: Vendor) -> None:
        """[DM-122, DM-123] A newer token is not dropped for the refusal of an older one."""
        old, fresh = bearer(number=1), bearer(number=2)
        vendor.says(LOGIN, login(old), slow(0.05, login(fresh)))

        async def judge(request: Any) -> Any:
            is_fresh = request.headers["Authorization"] == f"Bearer {fresh}"
            return await status(200 if is_fresh else 401, WAITS)(request)

        vendor.says(POLL, judge)
        await asyncio.gather(*(v2.ask("poll", POLL, {}) for _ in range(10)))
        assert vendor.paths.count(LOGIN) == 2


def jwt(expires_at: float) -> str:
    """A token that ends at an instant of a test's own clock."""
    return bearer(expires_at - time.time())


class TestRepeats:
    """[DM-124]"""

    @pytest.mark.parametrize(
        "trouble", [reset, status(500, {}), status(404, {}), page(503), status(429, {})], ids=range(5)
    )
    async def test_questions_are_tried_three_times(self, v2: CalinV2Client, vendor: Vendor, trouble: Any) -> None:
        """[DM-124, DM-49]"""
        vendor.says(POLL, trouble, trouble, WAITS)
        assert await CalinV2Meters(v2).poll(message(delivery_queue_id="1")) is None
        assert vendor.paths.count(POLL) == 3
        vendor.says(POLL, trouble)
        with pytest.raises(PollFailed, match=IS_DOWN):
            await CalinV2Meters(v2).poll(message(delivery_queue_id="1"))
        assert vendor.paths.count(POLL) == 6

    @pytest.mark.parametrize(
        ("trouble", "code"),
        [
            (reset, "ECONNRESET"),
            (slow(1.0), "ETIMEDOUT"),
            (status(500, {}), 500),
            (page(503), 503),
            (page(), None),
            (garbage(), None),
        ],
        ids=range(6),
    )
    async def test_effects_are_tried_once(self, vendor: Vendor, trouble: Any, code: Any) -> None:
        """[DM-124, DM-125, DM-189] The vendor may have acted."""
        client = client_of(vendor, policy={"timeout_s": 0.3})
        vendor.says(CREATE, trouble)
        failure = await refusal(client, message())
        assert (failure.reason, failure.error_code, failure.skip_retry) == (IS_DOWN, code, False)
        assert vendor.paths == [LOGIN, CREATE]
        await client.close()

    async def test_effects_are_tried_again_when_no_connection_could_be_opened(
        self, v2: CalinV2Client, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await v2.ask("poll", POLL, {})
        vendor.says(CREATE, MADE)
        attempts = refuse_connections(v2, monkeypatch, 2)
        assert await CalinV2Meters(v2).send(message()) == "5501"
        assert attempts == [True, True, False]
        attempts = refuse_connections(v2, monkeypatch, 9)
        failure = await refusal(v2, message())
        assert (failure.reason, failure.error_code) == (IS_DOWN, "ECONNREFUSED")
        assert attempts == [True] * 3

    async def test_an_answer_without_success_is_an_answer(self, v2: CalinV2Client, vendor: Vendor) -> None:
        """[DM-125] It is logged, and returned as it is."""
        vendor.says(POLL, told := {"code": 7, "reason": "busy", "result": None})
        assert await v2.ask("poll", POLL, {}) == told
        assert vendor.paths.count(POLL) == 1


def refuse_connections(v2: CalinV2Client, monkeypatch: pytest.MonkeyPatch, count: int) -> list[bool]:
    """Let some connections be refused; return for each attempt whether it was."""
    attempts: list[bool] = []
    connect = aiohttp.TCPConnector.connect

    async def refused(self: Any, request: Any, **parts: Any) -> Any:
        attempts.append(len(attempts) < count)
        if attempts[-1]:
            error = ConnectionRefusedError(111, "Connect call failed")
            raise aiohttp.ClientConnectorError(request.connection_key, error)
        return await connect(self, request, **parts)

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", refused)
    return attempts


class TestAlert:
    """[DM-191]"""

    async def test_once_and_again_only_after_a_login(self, vendor: Vendor) -> None:
        told: list[str] = []

        async def tell(text: str) -> None:
            told.append(text)

        client = client_of(vendor, watch=LoginWatch(tell))
        for answer, alerts in (
            (reset, 1),  # three attempts
            (reset, 1),
            (login(bearer(1.5)), 1),
            (login(None), 1),
            (login(None), 1),
            (login(None), 2),
            (login(None), 2),
        ):
            vendor.says(LOGIN, answer)
            if answer is reset or answer == login(None):
                client._login._held = None
                with pytest.raises(CalinApiFailed) as failed:
                    await client.ask("list", POLL, {})
                assert failed.value.code == "CALIN_API_FAIL"
            else:
                await client.ask("list", POLL, {})
            assert len(told) == alerts
        assert told[0] == "CALIN API-V2 login has failed three times in a row"
        await client.close()

    async def test_an_alert_that_fails_is_only_logged(self, vendor: Vendor) -> None:
        """[TEL-57]"""

        async def tell(_: str) -> None:
            raise UpstreamFailed("nobody listens")

        client = client_of(vendor, watch=LoginWatch(tell))
        vendor.says(LOGIN, reset)
        with pytest.raises(CalinApiFailed):
            await client.ask("list", POLL, {})
        await client.close()


class TestRegistry:
    """[DM-132]"""

    PATHS = (
        "/API/ConcentratorFile/Read",
        "/api/concentratorFile/delete",
        "/api/concentrator/updateStatusFile",
        "/api/account/delete",
    )

    def answers(self, vendor: Vendor) -> None:
        vendor.says(self.PATHS[0], {"code": 0, "reason": "success", "result": {"data": [{"pn": "12"}]}})
        for path in self.PATHS[1:]:
            vendor.says(path, {"code": 0, "reason": "success", "result": [{"id": 1}]})

    async def test_four_calls_in_order(self, v2: CalinV2Client, vendor: Vendor) -> None:
        self.answers(vendor)
        await CalinV2Registry(v2).deregister(METER, "dcu-9")
        assert vendor.paths[1:] == list(self.PATHS)
        assert [body for _, _, body in vendor.calls[1:]] == [
            {"meterId": METER, "concentratorId": "dcu-9", "company": "ACME"},
            [{"pn": 12, "concentratorId": "dcu-9", "company": "ACME"}],
            {"Company": "ACME", "ConcentratorId": "dcu-9"},
            [{"meterId": METER, "customerId": "C-7", "Company": "ACME"}],
        ]

    @pytest.mark.parametrize("place", range(4))
    @pytest.mark.parametrize("result", [None, [], {"data": []}, [None], {"data": [{"pn": "x"}]}])
    async def test_each_fails_without_its_part(
        self, v2: CalinV2Client, vendor: Vendor, place: int, result: Any
    ) -> None:
        self.answers(vendor)
        vendor.says(self.PATHS[place], {"code": 1, "reason": "not there", "result": result})
        with pytest.raises(CalinApiFailed, match="because: not there") as failed:
            await CalinV2Registry(v2).deregister(METER, "dcu-9")
        assert failed.value.code == "CALIN_API_FAIL"
        assert vendor.paths[1:] == list(self.PATHS[: place + 1])

    async def test_another_meters_assignment_is_left_alone(self, v2: CalinV2Client, vendor: Vendor) -> None:
        """[MET-230]"""
        self.answers(vendor)
        vendor.says(self.PATHS[0], {"result": {"data": [{"pn": 12, "meterId": "47001891341"}]}})
        with pytest.raises(CalinApiFailed):
            await CalinV2Registry(v2).deregister(METER, "dcu-9")
        assert vendor.paths[1:] == [self.PATHS[0]]


async def test_the_doctor_logs_in_and_asks(v2: CalinV2Client, vendor: Vendor) -> None:
    path = "/API/ConcentratorOnlineStatus/Read"
    vendor.says(path, {"code": 0, "reason": "success", "result": {"data": [], "total": 0}}, {"code": 5})
    assert await CalinV2Meters(v2).check()
    assert vendor.bodies(path) == [{"pageNumber": 0, "pageSize": 1, "company": "ACME"}]
    with pytest.raises(CalinApiFailed):
        await CalinV2Meters(v2).check()


async def test_no_call_is_waited_for_too_long(
    v2: CalinV2Client, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[DM-45] What has an effect gets nearly two minutes, questions less."""
    limits: list[float | None] = []
    request = HttpCaller.request

    async def noted(self: Any, *parts: Any, timeout_s: float | None = None, **more: Any) -> Any:
        limits.append(timeout_s or DEFAULT_POLICY.timeout_s)
        return await request(self, *parts, timeout_s=timeout_s, **more)

    monkeypatch.setattr(HttpCaller, "request", noted)
    monkeypatch.setattr(v2._http.guard, "policy", DEFAULT_POLICY)
    vendor.says(CREATE, MADE)
    await CalinV2Meters(v2).send(message())
    await CalinV2Meters(v2).poll(message(delivery_queue_id="1"))
    assert limits == [5.0, 110.0, 40.0]


@pytest.mark.parametrize("url", ["", "calin.example", "ftp://calin.example"])
def test_an_address_is_needed(url: str) -> None:
    with pytest.raises(InvalidInput):
        v2_settings(url)


def test_secrets_stay_out_of_texts() -> None:
    """[DM-171]"""
    assert "secret" not in repr(v2_settings("http://x"))
