"""The service of the first generation: tasks, polls and tokens over HTTP, credentials in every body [DM 11]."""

import hmac
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.calin.moods import MoodSide
from nxt_entrypoints.simulators.calin.tasks import Outcome, Task, TaskBook, TaskState, Work
from nxt_entrypoints.simulators.calin.vending import (
    CLEAR_CREDIT,
    CLEAR_TAMPER,
    POWER_LIMIT,
    TOP_UP,
    CannotVendError,
    TokenMachine,
    energy_field,
    no_field,
    power_field,
)
from nxt_entrypoints.simulators.calin.world import CloudWorld, rounded
from nxt_entrypoints.simulators.chirpstack.meter import Meter
from nxt_entrypoints.simulators.control import Clock, ControlPlane, utc_now
from nxt_entrypoints.simulators.fleet import Fleet
from nxt_entrypoints.simulators.http_server import HttpSide, RefusedError, json_answer, read_object
from nxt_entrypoints.simulators.state import StateStore

_PHASES = {"A": 0, "B": 1, "C": 2}
_PHASED = re.compile(r"(Voltage|Current)([ABC]?)")
_DATE = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})")
_VENDING = {
    "/Maintenance_SetMaxPower": (POWER_LIMIT, "max_power", power_field),
    "/Maintenance_ClearTamper": (CLEAR_TAMPER, "", no_field),
    "/Maintenance_ClearCredit": (CLEAR_CREDIT, "", no_field),
}


@attrs.frozen(kw_only=True)
class Login:
    """A user of the service."""

    name: str
    password: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class CalinV1Config:
    """How the service is set up.

    Attributes:
        company: whose meters these are.
        admin: may create and poll tasks.
        pos: may sell top-ups.
        maintenance: may make other tokens, and list DCUs.
        port: 0 takes a free one.
        task_s: seconds until a DCU has carried out a task.
    """

    company: str
    admin: Login
    pos: Login
    maintenance: Login
    port: int = 0
    task_s: float = 4.0


class CalinV1:
    """The service.

    Args:
        config: logins, port, pace.
        fleet: where its meters stand.
        store: memory between runs.
        speed: divisor of the time that tasks take.
        seed: start of the faults and of all noise.
        clock: the present instant.
    """

    def __init__(
        self,
        config: CalinV1Config,
        fleet: Fleet,
        store: StateStore,
        *,
        speed: float = 1.0,
        seed: int = 0,
        clock: Clock = utc_now,
    ) -> None:
        self._config = config
        self.control = ControlPlane(seed=seed, clock=clock)
        self.side = MoodSide()
        self.world = CloudWorld(fleet, "CALIN_V1", store, clock=clock, seed=seed)
        self.tasks = TaskBook(clock, timedelta(seconds=config.task_s / speed))
        self.machine = TokenMachine(clock, seed=seed)
        self.http = HttpSide(
            self.control,
            vendor_prefixes=("/COMM_", "/POS_", "/Maintenance_"),
            server_error=lambda: RefusedError(500, {"Message": "An error has occurred."}),
        )
        kinds: dict[str, Callable[[Meter, dict[str, Any]], tuple[str, Work]]] = {
            "Reading": self._reading,
            "Control": self._switching,
            "Write": self._writing,
            "Token": self._token,
        }
        routes = [web.get("/meters", self._list), web.get("/meters/{number}", self._show), *self.side.routes()]
        for kind, begin in kinds.items():
            routes.append(self._vendor(f"/COMM_Remote{kind}", self._creating(kind, begin)))
            routes.append(self._vendor(f"/COMM_Remote{kind}Task", self._polling(kind)))
        routes.append(self._vendor("/COMM_OnlineStatus", self._online))
        routes.append(self._vendor("/POS_Purchase", self._purchase))
        routes.extend(self._vendor(path, self._maintain) for path in _VENDING)
        self.http.app.add_routes(routes)

    async def start(self) -> None:
        """Open the listener."""
        await self.http.start(self._config.port)

    async def stop(self) -> None:
        """Close the listener and keep the meters' state; open tasks are lost."""
        await self.http.stop()
        self.world.save_all()

    def _vendor(self, path: str, handler: Any) -> web.RouteDef:  # noqa: ANN401 - one of our handlers
        return web.post(path, self.side.suffering(handler))

    # -- tasks ----------------------------------------------------------------------------------

    def _creating(self, kind: str, begin: Callable[[Meter, dict[str, Any]], tuple[str, Work]]) -> Any:  # noqa: ANN401 - a handler
        async def create(request: web.Request) -> web.Response:
            body = await self._body(request, self._config.admin, ("CompanyName", "UserName", "Password"))
            moods = self.side.moods
            if moods.code:
                raise _no(moods.code, moods.reason or "The request was refused")
            meter = self.world.meter(str(body.get("MeterNo", "")))
            if meter is None:
                raise _no("03", "MeterNo does not exist")
            self.tasks.settle()
            item, work = begin(meter, body)
            task = self.tasks.add(kind, meter, item, work, moods, token=str(body.get("Token", "")))
            number = meter.identity.number
            self.control.log.add("task", path=request.path, meter=number, number=task.number, item=item)
            return _told(task, None, None)

        return create

    def _polling(self, kind: str) -> Any:  # noqa: ANN401 - a handler
        async def poll(request: web.Request) -> web.Response:
            body = await self._body(request, self._config.admin, ("CompanyName", "UserName", "Password"))
            self.control.log.add("poll", path=request.path, number=str(body.get("TaskNo")))
            task = self.tasks.find(kind, body.get("TaskNo"))
            if task is None:
                raise _no("05", "TaskNo does not exist")
            return self._result(task)

        return poll

    def _result(self, task: Task) -> web.Response:
        moods, outcome = self.side.moods, task.outcome
        if moods.tells_status:
            return _told(task, moods.status, outcome.value, moods.reason or "OK")
        match outcome.state:
            case TaskState.DONE:
                return _told(task, "True", outcome.value)
            case TaskState.FAILED:
                return _told(task, "False", None, moods.reason or "OK")
            case TaskState.REJECTED:
                raise _no("99", "Token rejected")
            case _:
                return _told(task, "unknown", None)

    def _reading(self, meter: Meter, body: dict[str, Any]) -> tuple[str, Work]:
        item = str(body.get("DataItem", ""))
        if self._read(meter, item) is None:
            raise _no("04", "DataItem is not supported")
        return item, lambda: Outcome(state=TaskState.DONE, value=self._read(meter, item))

    def _read(self, meter: Meter, item: str) -> str | None:
        now = self.world.now()
        meter.advance(now)
        match = _PHASED.fullmatch(item)
        if match is not None:
            phase = _PHASES.get(match[2], 0)
            if phase >= meter.identity.phases:
                return None
            if match[1] == "Voltage":
                return f"{rounded(meter.voltage_v(now, phase), '0.1')} V"
            return f"{rounded(meter.current_a(now, phase))} A"
        clock = meter.clock(now)
        values: dict[str, str] = {
            "Current Credit Register": f"{rounded(meter.state.credit_kwh)},{'ON' if meter.state.is_on else 'OFF'}",
            "Power": f"{rounded(meter.power_w(now))} W",
            "Maximum power threshold": f"{meter.state.power_limit_w} W",
            "Version": "2F6B4585",
            "Date": f"{clock:%y-%m-%d} {clock.isoweekday() % 7:02d}",
        }
        return values.get(item)

    def _switching(self, meter: Meter, body: dict[str, Any]) -> tuple[str, Work]:
        item = str(body.get("DataItem", ""))
        if item not in {"Switch On", "Switch Off"}:
            raise _no("04", "DataItem is not supported")

        def switch() -> Outcome:
            self.world.switch(meter, is_on=item == "Switch On")
            return Outcome(state=TaskState.DONE, value="")

        return item, switch

    def _writing(self, meter: Meter, body: dict[str, Any]) -> tuple[str, Work]:
        match = _DATE.fullmatch(str(body.get("Data", "")))
        if body.get("DataItem") != "Date" or match is None:
            raise _no("04", "DataItem or Data is not supported")
        try:
            day = date(2000 + int(match[1]), int(match[2]), int(match[3]))
        except ValueError:
            raise _no("04", "Data is no date") from None
        if day.isoweekday() % 7 != int(match[4]):
            raise _no("04", "Data has another day's weekday")

        def write() -> Outcome:
            self.world.set_date(meter, day)
            return Outcome(state=TaskState.DONE, value="")

        return "Date", write

    def _token(self, meter: Meter, body: dict[str, Any]) -> tuple[str, Work]:
        token = str(body.get("Token", ""))
        if self.tasks.has_delivered(meter, token):
            raise _no("99", "Token was delivered already")

        def deliver() -> Outcome:
            verdict = self.world.take_token(meter, token)
            if verdict == "ACCEPTED":
                return Outcome(state=TaskState.DONE, value="")
            return Outcome(state=TaskState.REJECTED if verdict == "USED" else TaskState.FAILED)

        return "Token", deliver

    # -- tokens and DCUs ------------------------------------------------------------------------

    async def _purchase(self, request: web.Request) -> web.Response:
        fields = ("company_name", "user_name", "password")
        body = await self._body(request, self._config.pos, fields, refusal=lambda reason: _no_token(2, reason))
        if body.get("password_vend") != self._config.pos.password or body.get("is_vend_by_unit") is not True:
            raise _no_token(2, "Vending is not allowed")
        return self._made(request, body, lambda token: {"token": token}, TOP_UP, energy_field, "amount")

    async def _maintain(self, request: web.Request) -> web.Response:
        fields = ("company_name", "user_name", "password")
        body = await self._body(request, self._config.maintenance, fields, refusal=lambda reason: _no_token(2, reason))
        kind, name, field_of = _VENDING[request.path]
        return self._made(request, body, lambda token: token, kind, field_of, name)

    def _made(
        self,
        request: web.Request,
        body: dict[str, Any],
        shape: Callable[[str], object],
        kind: tuple[int, int],
        field_of: Callable[[object], int],
        name: str,
    ) -> web.Response:
        number = str(body.get("meter_number", ""))
        meter, moods = self.world.meter(number), self.side.moods
        self.control.log.add("mint", path=request.path, meter=number)
        if moods.tokens == "silent":
            return json_answer({})
        if moods.tokens == "empty":
            raise _no_token(1, moods.reason or "Meter is not registered")
        if meter is None:
            raise _no_token(3, "Meter does not exist")
        try:
            token = self.machine.make(meter, kind, field_of(body.get(name)))
        except CannotVendError as refusal:
            raise _no_token(4, str(refusal)) from None
        if moods.tokens == "sold_without_token":
            return json_answer({"result_code": 0, "reason": "OK"})
        shown = token[:11] if moods.tokens == "short" else token
        return json_answer({"result_code": 0, "reason": "OK", "result": shape(shown)})

    async def _online(self, request: web.Request) -> web.Response:
        await self._body(request, self._config.maintenance, ("CompanyName", "UserName", "Password"))
        listed = [{"ConcentratorNo": dcu, "Status": online} for dcu, online in self.world.dcus.items()]
        return json_answer({"ResultCode": "00", "Reason": "OK", "Result": listed})

    async def _body(
        self,
        request: web.Request,
        user: Login,
        names: tuple[str, str, str],
        *,
        refusal: Callable[[str], RefusedError] = lambda reason: _no("02", reason),
    ) -> dict[str, Any]:
        """Read a body and check the three fields that say who calls."""
        body = await read_object(request, lambda _text: RefusedError(400, {"Message": "The request is invalid."}))
        given = [str(body.get(name, "")).encode() for name in names]
        wanted = [text.encode() for text in (self._config.company, user.name, user.password)]
        if not all(map(hmac.compare_digest, given, wanted)):
            raise refusal("Invalid company, user name or password")
        return body

    # -- handles for tests ----------------------------------------------------------------------

    async def _list(self, _request: web.Request) -> web.Response:
        self.tasks.settle()
        found = (self.world.meter(number) for number in self.world.numbers)
        return json_answer([self.world.as_json(meter) for meter in found if meter is not None])

    async def _show(self, request: web.Request) -> web.Response:
        self.tasks.settle()
        meter = self.world.meter(request.match_info["number"])
        if meter is None:
            raise RefusedError(404, {"error": f"no meter {request.match_info['number']}"})
        return json_answer(self.world.as_json(meter))


def _told(task: Task, status: object, value: str | None, reason: str = "OK") -> web.Response:
    result = {"TaskNo": str(task.number), "Status": status, "DataItem": task.item, "Data": value}
    return json_answer({"ResultCode": "00", "Reason": reason, "Result": result})


def _no(code: str, reason: str) -> RefusedError:
    """Refuse as the vendor does: HTTP 200, a code, and no result."""
    return RefusedError(200, {"ResultCode": code, "Reason": reason, "Result": None})


def _no_token(code: int, reason: str) -> RefusedError:
    return RefusedError(200, {"result_code": code, "reason": reason})
