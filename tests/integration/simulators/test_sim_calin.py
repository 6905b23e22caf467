"""CALIN's simulated services, word by word as a client without our adapters would meet them [R33]."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from nxt_entrypoints.simulators.calin_v1.simulator import CalinV1Config, Login
from nxt_entrypoints.simulators.calin_v2.accounts import CalinV2Config
from nxt_entrypoints.simulators.chirpstack.simulator import ChirpStackConfig
from nxt_entrypoints.simulators.fleet import Fleet, FleetMeter, InvalidFleetError, Village
from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig

KEY = "0123456789ABCDEF"
RADIO, FIRST, THREE, SECOND, KEYLESS = "47003333771", "47001000117", "47001000224", "47001000331", "47001000448"
ADMIN = {"CompanyName": "ACME", "UserName": "admin", "Password": "admin-1"}
FIX = {"company_name": "ACME", "user_name": "fix", "password": "fix-1"}
POS = {"company_name": "ACME", "user_name": "pos", "password": "pos-1", "password_vend": "pos-1"}
TASKS = "/API/RemoteMeterTask"


def config(**changes: Any) -> SimulatorsConfig:
    meters = [
        FleetMeter(number=RADIO),
        *(
            FleetMeter(
                number=number,
                protocol=protocol,
                dcu=dcu,
                decoder_key="" if number == KEYLESS else KEY,
                phase="THREE_PHASE" if number == THREE else "SINGLE_PHASE",
                credit_kwh=Decimal("12.5"),
                scale=0,
            )
            for number, protocol, dcu in (
                (FIRST, "CALIN_V1", "11"),
                (THREE, "CALIN_V1", "12"),
                (SECOND, "CALIN_V2", "21"),
                (KEYLESS, "CALIN_V2", "21"),
            )
        ),
    ]
    village = Village(grid_id=7, gateways=["00800000a0000001"], meters=meters)
    logins = {name: Login(name=user, password=f"{user}-1") for name, user in _USERS.items()}
    made = SimulatorsConfig(
        fleet=Fleet(villages=[village]),
        chirpstack=ChirpStackConfig(api_token="t", report_every_s=0),
        calin_v1=CalinV1Config(company="ACME", task_s=0, **logins),
        calin_v2=CalinV2Config(
            company="ACME", customer_id="C-7", username="admin", password="admin-2", pos_password="pos-2", task_s=0
        ),
    )
    return attrs.evolve(made, **changes)


_USERS = {"admin": "admin", "pos": "pos", "maintenance": "fix"}


class Client:
    """One service's address, and how it is asked."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url
        self.token = ""

    async def ask(self, path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self.session.post(f"{self.url}{path}", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return json.loads(await answer.text(), parse_float=Decimal)

    async def own(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.session.request(method, f"{self.url}{path}", **options) as answer:
            return answer.status, json.loads(await answer.text(), parse_float=Decimal)

    async def mood(self, **changes: Any) -> None:
        assert (await self.own("PUT", "/mood", json=changes))[0] == 200

    async def meter(self, number: str) -> dict[str, Any]:
        return dict((await self.own("GET", f"/meters/{number}"))[1])

    # -- the first generation --

    async def done(self, kind: str, **fields: Any) -> Any:
        made = await self.ask(f"/COMM_Remote{kind}", {**ADMIN, "MeterNo": FIRST, **fields})
        return await self.ask(f"/COMM_Remote{kind}Task", {**ADMIN, "TaskNo": made["Result"]["TaskNo"]})

    # -- the second generation --

    async def log_in(self) -> dict[str, Any]:
        who = {"userId": "admin", "password": "admin-2", "company": "ACME"}
        found: dict[str, Any] = await self.ask("/API/User/Login", who)
        self.token = found["result"]["token"]
        return found

    async def row(self, kind: str, protocol: int, number: str = SECOND, **data: str) -> Any:
        order = {"meterId": number, "protocolId": protocol, "customerId": "C-7", "company": "ACME", **data}
        made = await self.ask(f"{TASKS}/Create{kind}Task", [order])
        told = await self.ask(
            f"{TASKS}/Get{kind}Task", {"id": made["result"][0]["id"], "lang": "en", "company": "ACME"}
        )
        return told["result"]["data"][0]


@pytest.fixture
async def sims() -> AsyncIterator[Simulators]:
    async with Simulators(config()) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as opened:
        yield opened


@pytest.fixture
def v1(sims: Simulators, session: aiohttp.ClientSession) -> Client:
    return Client(session, sims.urls["calin_v1"])


@pytest.fixture
async def v2(sims: Simulators, session: aiohttp.ClientSession) -> Client:
    client = Client(session, sims.urls["calin_v2"])
    await client.log_in()
    return client


class TestFirstGeneration:
    @pytest.mark.parametrize(
        ("item", "data"),
        [("Current Credit Register", "12.50,ON"), ("Maximum power threshold", "2000 W"), ("Version", "2F6B4585")],
    )
    async def test_reads(self, v1: Client, item: str, data: str) -> None:
        told = await v1.done("Reading", DataItem=item)
        assert (told["ResultCode"], told["Reason"]) == ("00", "OK")
        assert told["Result"] == {"TaskNo": "1", "Status": "True", "DataItem": item, "Data": data}

    @pytest.mark.parametrize("item", ["Voltage", "VoltageC", "CurrentB", "Power"])
    async def test_measured_values_have_a_unit(self, v1: Client, item: str) -> None:
        value, unit = (await v1.done("Reading", MeterNo=THREE, DataItem=item))["Result"]["Data"].split()
        assert Decimal(value) >= 0
        assert unit == {"V": "V", "C": "A", "P": "W"}[item[0]]

    async def test_a_phase_that_a_meter_lacks(self, v1: Client) -> None:
        told = await v1.ask("/COMM_RemoteReading", {**ADMIN, "MeterNo": FIRST, "DataItem": "VoltageB"})
        assert (told["ResultCode"], told["Result"]) == ("04", None)

    async def test_controls_and_the_calendar(self, v1: Client) -> None:
        """A date must bring its own weekday."""
        assert (await v1.done("Control", DataItem="Switch Off"))["Result"]["Status"] == "True"
        assert (await v1.meter(FIRST))["is_on"] is False
        await v1.done("Control", DataItem="Switch On")
        assert (await v1.meter(FIRST))["is_on"] is True
        assert (await v1.done("Write", DataItem="Date", Data="26080503"))["Result"]["Status"] == "True"
        assert (await v1.meter(FIRST))["clock"].startswith("2026-08-05")
        assert (await v1.done("Reading", DataItem="Date"))["Result"]["Data"] == "26-08-05 03"
        body = {**ADMIN, "MeterNo": FIRST, "DataItem": "Date", "Data": "26080504"}
        assert (await v1.ask("/COMM_RemoteWrite", body))["ResultCode"] == "04"

    async def test_tokens(self, v1: Client) -> None:
        """The meter reads them, each once; what it delivered itself the service refuses at once with 99."""
        sale = {**POS, "is_vend_by_unit": True, "meter_number": FIRST, "amount": 3.5}
        sold = await v1.ask("/POS_Purchase", sale)
        assert (sold["result_code"], sold["reason"]) == (0, "OK")
        token = sold["result"]["token"]
        assert (await v1.done("Token", Token=token))["Result"]["Status"] == "True"
        assert (await v1.meter(FIRST))["credited_kwh_total"] == Decimal("3.5")
        again = await v1.ask("/COMM_RemoteToken", {**ADMIN, "MeterNo": FIRST, "Token": token})
        assert (again["ResultCode"], again["Result"]) == ("99", None)
        limit = await v1.ask("/Maintenance_SetMaxPower", {**FIX, "meter_number": FIRST, "max_power": 1500})
        await v1.done("Token", Token=limit["result"])
        assert (await v1.meter(FIRST))["power_limit_w"] == 1500
        cleared = await v1.ask("/Maintenance_ClearCredit", {**FIX, "meter_number": FIRST})
        await v1.done("Token", Token=cleared["result"])
        assert (await v1.meter(FIRST))["credit_kwh"] == 0
        wrong = await v1.done("Token", MeterNo=THREE, Token="0" * 20)
        assert (wrong["Result"]["Status"], (await v1.meter(THREE))["last_verdict"]) == ("False", "CRC")

    async def test_who_may_do_what(self, v1: Client) -> None:
        body = {**ADMIN, "Password": "wrong", "MeterNo": FIRST, "DataItem": "Power"}
        assert (await v1.ask("/COMM_RemoteReading", body))["ResultCode"] == "02"
        assert (await v1.ask("/POS_Purchase", {**FIX, "meter_number": FIRST, "amount": 1}))["result_code"] == 2
        unknown = {**ADMIN, "MeterNo": SECOND, "DataItem": "Power"}
        assert (await v1.ask("/COMM_RemoteReading", unknown))["ResultCode"] == "03"
        listed = await v1.ask("/COMM_OnlineStatus", {"CompanyName": "ACME", "UserName": "fix", "Password": "fix-1"})
        assert [row["ConcentratorNo"] for row in listed["Result"]] == ["11", "12"]

    @pytest.mark.parametrize("status", ["unknown", "", None, "False", "Busy"])
    async def test_every_status_can_be_told(self, v1: Client, status: Any) -> None:
        await v1.mood(status=status, reason="because")
        told = await v1.done("Reading", DataItem="Power")
        assert (told["Result"]["Status"], told["Reason"]) == (status, "because")

    @pytest.mark.parametrize("code", ["01", "99"])
    async def test_every_code_can_be_told(self, v1: Client, code: str) -> None:
        await v1.mood(code=code, reason="because")
        told = await v1.ask("/COMM_RemoteReading", {**ADMIN, "MeterNo": FIRST, "DataItem": "Power"})
        assert told == {"ResultCode": code, "Reason": "because", "Result": None}


class TestSecondGeneration:
    async def test_a_login_has_an_end(self, v2: Client) -> None:
        claims = v2.token.split(".")[1]
        ends = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        assert 3000 < ends - time.time() < 3700

    async def test_without_a_login_nothing_is_answered(self, v2: Client) -> None:
        """Also after it was taken away."""
        await v2.own("POST", "/revoke")
        for token in (v2.token, "", "x.y.z"):
            headers = {"Authorization": f"Bearer {token}"}
            assert (await v2.own("POST", f"{TASKS}/GetReadingTask", json={}, headers=headers))[0] == 401
        wrong = await v2.ask("/API/User/Login", {"userId": "admin", "password": "x", "company": "ACME"})
        assert (wrong["code"], wrong["result"]) == (1, None)

    @pytest.mark.parametrize(
        ("protocol", "name", "data"),
        [
            (39, "Current Credit Balance", "12.50"),
            (46, "Maximum power threshold", "2000"),
            (45, "Meter Firmware Version", "CA368-2.14"),
            (11, "Power", "0.00"),
        ],
    )
    async def test_reads(self, v2: Client, protocol: int, name: str, data: str) -> None:
        row = await v2.row("Reading", protocol)
        assert (row["name"].strip(), row["status"], row["data"]) == (name, 1, data)

    async def test_controls_and_the_calendar(self, v2: Client) -> None:
        assert (await v2.row("Control", 20001))["data"] == "Disconnected"
        assert (await v2.meter(SECOND))["is_on"] is False
        assert (await v2.row("Control", 20000))["data"] == "Connected"
        assert (await v2.row("Setting", 10000, data="2026-08-05 00:00:00"))["status"] == 1
        assert (await v2.row("Reading", 29))["data"].startswith("2026-08-05 ")

    async def test_tokens(self, v2: Client) -> None:
        """One serial number is one sale; digits come in groups."""
        sale = {
            "meterId": SECOND,
            "amount": 3.5,
            "company": "ACME",
            "authorizationPassword": "pos-2",
            "isPreview": False,
            "isVendByTotalPaid": False,
            "serialNumber": "s-1",
        }
        sold = await v2.ask("/API/Token/CreditToken/Generate", sale)
        assert await v2.ask("/API/Token/CreditToken/Generate", sale) == sold
        token = sold["result"]["token"].replace(" ", "")
        assert len(token) == 20
        assert (await v2.row("Token", 30000, data=token))["status"] == 1
        assert (await v2.row("Token", 30000, data=token))["status"] == 3
        assert (await v2.meter(SECOND))["credited_kwh_total"] == Decimal("3.5")
        assert (await v2.row("Token", 30000, data="0" * 20))["status"] == 2
        for wrong in ({"authorizationPassword": "x"}, {"amount": "3"}, {"meterId": KEYLESS, "serialNumber": "s-2"}):
            refused = await v2.ask("/API/Token/CreditToken/Generate", {**sale, "serialNumber": "s-3", **wrong})
            assert (refused["code"], refused["result"]) == (1, None)

    async def test_the_registry_forgets_a_meter(self, v2: Client) -> None:
        """An account with an assignment stays."""
        account = [{"meterId": SECOND, "customerId": "C-7", "Company": "ACME"}]
        assert (await v2.ask("/api/account/delete", account))["code"] == 1
        where = {"meterId": SECOND, "concentratorId": "21", "company": "ACME"}
        (row,) = (await v2.ask("/API/ConcentratorFile/Read", where))["result"]["data"]
        gone = [{"pn": int(row["pn"]), "concentratorId": "21", "company": "ACME"}]
        assert (await v2.ask("/api/concentratorFile/delete", gone))["result"]
        assert (await v2.ask("/API/ConcentratorFile/Read", where))["result"]["data"] == []
        told = {"Company": "ACME", "ConcentratorId": "21"}
        assert (await v2.ask("/api/concentrator/updateStatusFile", told))["result"]
        assert (await v2.ask("/api/account/delete", account))["result"]

    @pytest.mark.parametrize("status", [0, 1, 2, 3, 7, "1", None])
    async def test_every_status_can_be_told(self, v2: Client, status: Any) -> None:
        await v2.mood(status=status)
        assert (await v2.row("Reading", 11))["status"] == status

    async def test_a_code_can_be_told(self, v2: Client) -> None:
        await v2.mood(code="7", reason="because")
        order = {"meterId": SECOND, "protocolId": 11, "customerId": "C-7", "company": "ACME"}
        told = await v2.ask(f"{TASKS}/CreateReadingTask", [order])
        assert told == {"code": 7, "reason": "because", "result": None}


class TestMoods:
    async def test_tasks(self, v1: Client) -> None:
        """Late, never, forgotten, done and forgotten, failed, rejected."""
        off = {"DataItem": "Switch Off"}
        await v1.mood(tasks="late", late_s=0.05)
        assert (await v1.done("Control", **off))["Result"]["Status"] == "unknown"
        await v1.mood(tasks="never")
        assert (await v1.done("Control", DataItem="Switch On"))["Result"]["Status"] == "unknown"
        await v1.mood(tasks="forgotten")
        assert (await v1.done("Control", DataItem="Switch On"))["ResultCode"] == "05"
        while (await v1.meter(FIRST))["is_on"]:
            pass
        await v1.mood(tasks="done_then_forgotten")
        assert (await v1.done("Control", DataItem="Switch On"))["ResultCode"] == "05"
        assert (await v1.meter(FIRST))["is_on"] is True
        await v1.mood(tasks="failed")
        assert (await v1.done("Control", **off))["Result"]["Status"] == "False"
        await v1.mood(tasks="rejected")
        assert (await v1.done("Token", Token="1" * 20))["ResultCode"] == "99"
        assert (await v1.meter(FIRST))["is_on"] is True

    async def test_answers(self, v1: Client) -> None:
        """The call has had its effect."""
        body = {**ADMIN, "MeterNo": FIRST, "DataItem": "Switch Off"}
        for mood, status in (("page", 200), ("page_503", 503)):
            await v1.mood(answers=mood)
            async with v1.session.post(f"{v1.url}/COMM_RemoteControl", json=body) as answer:
                assert (answer.status, answer.content_type) == (status, "text/html")
        await v1.mood(answers="reset")
        with pytest.raises(aiohttp.ClientError):
            await v1.ask("/COMM_RemoteControl", body)
        log = (await v1.own("GET", "/log"))[1]
        assert [entry["kind"] for entry in log] == ["task"] * 3
        assert "admin-1" not in str(log)

    async def test_faults_of_all_simulators(self, v1: Client, v2: Client) -> None:
        """[R33] Down, slow, garbage; the handles for tests go on working."""
        for client, path in ((v1, "/COMM_OnlineStatus"), (v2, "/API/ConcentratorOnlineStatus/Read")):
            await client.own("PUT", "/control", json={"down": True})
            async with client.session.post(f"{client.url}{path}", json={}) as answer:
                assert answer.status == 503
            await client.own("PUT", "/control", json={"down": False, "latency_ms": [200, 250]})
            began = time.monotonic()
            async with client.session.post(f"{client.url}{path}", json={}) as answer:
                await answer.read()
            assert time.monotonic() - began >= 0.2
            assert (await client.own("GET", "/meters"))[0] == 200

    @pytest.mark.parametrize(
        "body", [{"tasks": "x"}, {"answers": 1}, {"tokens": None}, {"code": 5}, {"late_s": "1"}, {"other": 1}, []]
    )
    async def test_a_mood_that_does_not_exist(self, v1: Client, body: Any) -> None:
        assert (await v1.own("PUT", "/mood", json=body))[0] == 400
        assert (await v1.own("GET", "/mood"))[1]["tasks"] == "right"


async def test_what_was_sold_outlives_a_restart(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    """Credit and used tokens are the meter's."""
    kept = config(data_dir=str(tmp_path))
    async with Simulators(kept) as running:
        client = Client(session, running.urls["calin_v1"])
        sale = {**POS, "is_vend_by_unit": True, "meter_number": FIRST, "amount": 2}
        token = (await client.ask("/POS_Purchase", sale))["result"]["token"]
        await client.done("Token", Token=token)
    async with Simulators(kept) as running:
        client = Client(session, running.urls["calin_v1"])
        assert (await client.meter(FIRST))["credited_kwh_total"] == 2
        assert (await client.done("Token", Token=token))["ResultCode"] == "99"


async def test_each_simulator_has_its_own_meters(sims: Simulators, session: aiohttp.ClientSession) -> None:
    found = {}
    for name in ("chirpstack", "calin_v1", "calin_v2"):
        _, meters = await Client(session, sims.urls[name]).own("GET", "/meters")
        found[name] = {meter["number"] for meter in meters}
    assert found == {"chirpstack": {RADIO}, "calin_v1": {FIRST, THREE}, "calin_v2": {SECOND, KEYLESS}}


@pytest.mark.parametrize(
    "facts", [{"protocol": "CALIN_V3", "dcu": "1"}, {"protocol": "CALIN_V1"}, {"dcu": "1"}], ids=str
)
def test_a_meter_hangs_on_a_dcu_or_is_on_the_radio(facts: dict[str, str]) -> None:
    with pytest.raises(InvalidFleetError):
        FleetMeter(number="47001000117", **facts)
