"""The service of the second generation: login, tasks, polls, tokens and the registry over HTTP [DM 12]."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

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
from nxt_entrypoints.simulators.calin_v2.accounts import Accounts, CalinV2Config
from nxt_entrypoints.simulators.chirpstack.meter import Meter
from nxt_entrypoints.simulators.control import Clock, ControlPlane, utc_now
from nxt_entrypoints.simulators.fleet import Fleet
from nxt_entrypoints.simulators.http_server import HttpSide, RefusedError, decode_json, json_answer, read_object
from nxt_entrypoints.simulators.state import StateStore

_READS = {
    5: "Phase-A Voltage",
    8: "Phase-A Current(A)",
    11: "Power",
    29: "Clock(time)",
    39: "Current Credit Balance",
    45: "Meter Firmware Version",
    46: "Maximum power threshold",
}
_RELAY_ON, _RELAY_OFF, _CLOCK, _TOKEN = 20000, 20001, 10000, 30000
_VENDING = {
    "CreditToken": (TOP_UP, "amount", energy_field),
    "SetMaximumPowerLimitToken": (POWER_LIMIT, "maximumPower", power_field),
    "ClearTamperToken": (CLEAR_TAMPER, "", no_field),
    "ClearCreditToken": (CLEAR_CREDIT, "", no_field),
}
_WAITING, _DONE, _FAILED, _REJECTED = 0, 1, 2, 3

Begin = Callable[[Meter, dict[str, Any]], tuple[str, Work]]


class CalinV2:
    """The service. ``POST /revoke`` ends every login.

    Args:
        config: login, port, pace.
        fleet: where its meters stand.
        store: memory between runs.
        speed: divisor of the time that tasks take.
        seed: start of the faults and of all noise.
        clock: the present instant.
    """

    def __init__(
        self,
        config: CalinV2Config,
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
        self.accounts = Accounts(config, clock=clock)
        self.world = CloudWorld(fleet, "CALIN_V2", store, clock=clock, seed=seed)
        self.tasks = TaskBook(clock, timedelta(seconds=config.task_s / speed))
        self.machine = TokenMachine(clock, seed=seed)
        self.sales: dict[str, str] = {}
        self.assignments = {number: 100 + index for index, number in enumerate(self.world.numbers)}
        self.http = HttpSide(
            self.control,
            vendor_prefixes=("/API/", "/api/"),
            server_error=lambda: RefusedError(500, {"code": 500, "reason": "internal error", "result": None}),
        )
        self.http.app.add_routes([*self._routes(), *self._task_routes(), *self.side.routes()])

    def _routes(self) -> list[web.RouteDef]:
        """List the operator's routes, and those of the vendor that answer at once."""
        return [
            web.get("/meters", self._list),
            web.get("/meters/{number}", self._show),
            web.post("/revoke", self._revoke),
            web.post("/API/User/Login", self._login),
            self._vendor("/API/ConcentratorOnlineStatus/Read", self._online),
            self._vendor("/API/ConcentratorFile/Read", self._find_assignment),
            self._vendor("/api/concentratorFile/delete", self._delete_assignment),
            self._vendor("/api/concentrator/updateStatusFile", self._update_concentrator),
            self._vendor("/api/account/delete", self._delete_account),
            *(self._vendor(f"/API/Token/{kind}/Generate", self._generating(kind)) for kind in _VENDING),
        ]

    def _task_routes(self) -> Iterator[web.RouteDef]:
        """List the routes of tasks, which are created and then polled."""
        kinds: dict[str, Begin] = {
            "Reading": self._reading,
            "Control": self._switching,
            "Setting": self._setting,
            "Token": self._token,
        }
        for kind, begin in kinds.items():
            yield self._vendor(f"/API/RemoteMeterTask/Create{kind}Task", self._creating(kind, begin))
            yield self._vendor(f"/API/RemoteMeterTask/Get{kind}Task", self._polling(kind))

    async def start(self) -> None:
        """Open the listener."""
        await self.http.start(self._config.port)

    async def stop(self) -> None:
        """Close the listener and keep the meters' state; open tasks and logins are lost."""
        await self.http.stop()
        self.world.save_all()

    def _vendor(self, path: str, handler: Any) -> web.RouteDef:  # noqa: ANN401 - one of our handlers
        async def guarded(request: web.Request) -> web.StreamResponse:
            self.accounts.check(request.headers.get("Authorization", ""))
            answer: web.StreamResponse = await handler(request)
            return answer

        return web.post(path, self.side.suffering(guarded))

    async def _login(self, request: web.Request) -> web.Response:
        self.control.log.add("login")
        return json_answer(self.accounts.log_in(await read_object(request, _malformed)))

    # -- tasks ----------------------------------------------------------------------------------

    def _creating(self, kind: str, begin: Begin) -> Any:  # noqa: ANN401 - a handler
        async def create(request: web.Request) -> web.Response:
            body = await self._row(request)
            moods = self.side.moods
            if moods.code:
                raise _no(moods.reason or "the request was refused", int(moods.code))
            if body.get("company") != self._config.company or body.get("customerId") != self._config.customer_id:
                raise _no("unknown customer")
            meter = self.world.meter(str(body.get("meterId", "")))
            if meter is None:
                raise _no("meter does not exist")
            self.tasks.settle()
            item, work = begin(meter, body)
            token = str(body.get("data", "")) if kind == "Token" else ""
            task = self.tasks.add(kind, meter, item, work, moods, token=token)
            number = meter.identity.number
            self.control.log.add("task", path=request.path, meter=number, number=task.number, item=item)
            return _success([{"id": task.number}])

        return create

    def _polling(self, kind: str) -> Any:  # noqa: ANN401 - a handler
        async def poll(request: web.Request) -> web.Response:
            body = await read_object(request, _malformed)
            number = body.get("id")
            self.control.log.add("poll", path=request.path, number=str(number))
            is_number = isinstance(number, int) and not isinstance(number, bool)
            task = self.tasks.find(kind, number) if is_number and body.get("lang") == "en" else None
            return _success({"total": int(task is not None), "data": [] if task is None else [self._told(task)]})

        return poll

    def _told(self, task: Task) -> dict[str, object]:
        moods, outcome = self.side.moods, task.outcome
        statuses = {TaskState.DONE: _DONE, TaskState.FAILED: _FAILED, TaskState.REJECTED: _REJECTED}
        status: object = statuses.get(outcome.state, _WAITING)
        return {
            "id": task.number,
            "meterId": task.meter.identity.number,
            "name": f" {task.item}",
            "status": moods.status if moods.tells_status else status,
            "data": outcome.value,
        }

    def _reading(self, meter: Meter, body: dict[str, Any]) -> tuple[str, Work]:
        item = _READS.get(body.get("protocolId", 0))
        if item is None:
            raise _no("protocolId is not supported")
        return item, lambda: Outcome(state=TaskState.DONE, value=self._read(meter, item))

    def _read(self, meter: Meter, item: str) -> str:
        now = self.world.now()
        meter.advance(now)
        values: dict[str, Callable[[], object]] = {
            "Phase-A Voltage": lambda: rounded(meter.voltage_v(now), "0.1"),
            "Phase-A Current(A)": lambda: rounded(meter.current_a(now)),
            "Power": lambda: rounded(meter.power_w(now)),
            "Clock(time)": lambda: f"{meter.clock(now):%Y-%m-%d %H:%M:%S}",
            "Current Credit Balance": lambda: rounded(meter.state.credit_kwh),
            "Meter Firmware Version": lambda: "CA368-2.14",
            "Maximum power threshold": lambda: meter.state.power_limit_w,
        }
        return str(values[item]())

    def _switching(self, meter: Meter, body: dict[str, Any]) -> tuple[str, Work]:
        protocol = body.get("protocolId")
        if protocol not in {_RELAY_ON, _RELAY_OFF}:
            raise _no("protocolId is not supported")

        def switch() -> Outcome:
            self.world.switch(meter, is_on=protocol == _RELAY_ON)
            return Outcome(state=TaskState.DONE, value="Connected" if protocol == _RELAY_ON else "Disconnected")

        return "Relay On/Off", switch

    def _setting(self, meter: Meter, body: dict[str, Any]) -> tuple[str, Work]:
        try:
            moment = datetime.strptime(str(body.get("data")), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - a meter's clock
        except ValueError:
            raise _no("data is no date") from None
        if body.get("protocolId") != _CLOCK:
            raise _no("protocolId is not supported")

        def write() -> Outcome:
            self.world.set_date(meter, moment.date())
            return Outcome(state=TaskState.DONE, value=str(body.get("data")))

        return "Clock(time)", write

    def _token(self, meter: Meter, body: dict[str, Any]) -> tuple[str, Work]:
        token = str(body.get("data", ""))
        if body.get("protocolId") != _TOKEN:
            raise _no("protocolId is not supported")

        def deliver() -> Outcome:
            verdict = self.world.take_token(meter, token)
            if verdict == "ACCEPTED":
                return Outcome(state=TaskState.DONE, value=None)
            return Outcome(state=TaskState.REJECTED if verdict == "USED" else TaskState.FAILED)

        return "Token", deliver

    # -- tokens ---------------------------------------------------------------------------------

    def _generating(self, kind: str) -> Any:  # noqa: ANN401 - a handler
        async def generate(request: web.Request) -> web.Response:
            body = await read_object(request, _malformed)
            return self._made(kind, body)

        return generate

    def _made(self, kind: str, body: dict[str, Any]) -> web.Response:
        token_kind, name, field_of = _VENDING[kind]
        number, serial = str(body.get("meterId", "")), str(body.get("serialNumber", ""))
        meter, moods = self.world.meter(number), self.side.moods
        self.control.log.add("mint", sort=kind, meter=number, serial=serial)
        if kind == "CreditToken":
            self._check_sale(body, serial)
        if moods.tokens == "silent":
            return json_answer({})
        if moods.tokens == "empty":
            raise _no(moods.reason or "meter is not registered")
        if meter is None:
            raise _no("meter does not exist")
        if serial and serial in self.sales:
            return _success({"token": _grouped(self.sales[serial])})
        try:
            token = self.machine.make(meter, token_kind, field_of(body.get(name)))
        except CannotVendError as refusal:
            raise _no(str(refusal)) from None
        if serial:
            self.sales[serial] = token
        if moods.tokens == "sold_without_token":
            return _success({})
        return _success({"token": _grouped(token[:11] if moods.tokens == "short" else token)})

    def _check_sale(self, body: dict[str, Any], serial: str) -> None:
        if body.get("authorizationPassword") != self._config.pos_password:
            raise _no("authorization failed")
        if not serial or body.get("isPreview") is not False or body.get("isVendByTotalPaid") is not False:
            raise _no("the sale is not complete")

    # -- the registry ---------------------------------------------------------------------------

    async def _online(self, request: web.Request) -> web.Response:
        body = await read_object(request, _malformed)
        page, size = body.get("pageNumber"), body.get("pageSize")
        if not isinstance(page, int) or not isinstance(size, int) or not 0 < size <= 100 or page < 0:
            raise _no("pageNumber or pageSize is wrong")
        listed = [{"concentratorId": dcu, "status": online} for dcu, online in self.world.dcus.items()]
        return _success({"total": len(listed), "data": listed[page * size : (page + 1) * size]})

    async def _find_assignment(self, request: web.Request) -> web.Response:
        body = await read_object(request, _malformed)
        number = str(body.get("meterId", ""))
        place = self.assignments.get(number)
        is_there = place is not None and self.world.dcu_of.get(number) == body.get("concentratorId")
        found = [{"meterId": number, "concentratorId": body.get("concentratorId"), "pn": str(place)}]
        return _success({"total": int(is_there), "data": found if is_there else []})

    async def _delete_assignment(self, request: web.Request) -> web.Response:
        body = await self._row(request)
        number = next((each for each, place in self.assignments.items() if place == body.get("pn")), None)
        if number is None or self.world.dcu_of.get(number) != body.get("concentratorId"):
            raise _no("assignment does not exist")
        del self.assignments[number]
        self.control.log.add("registry", path=request.path, meter=number)
        return _success([{"id": body["pn"]}])

    async def _update_concentrator(self, request: web.Request) -> web.Response:
        body = await read_object(request, _malformed)
        if body.get("Company") != self._config.company or body.get("ConcentratorId") not in self.world.dcus:
            raise _no("concentrator does not exist")
        self.control.log.add("registry", path=request.path, concentrator=body["ConcentratorId"])
        return _success([{"id": body["ConcentratorId"]}])

    async def _delete_account(self, request: web.Request) -> web.Response:
        body = await self._row(request)
        number = str(body.get("meterId", ""))
        is_ours = body.get("Company") == self._config.company and body.get("customerId") == self._config.customer_id
        if not is_ours or self.world.meter(number) is None or number in self.assignments:
            raise _no("account can't be deleted")
        self.control.log.add("registry", path=request.path, meter=number)
        return _success([{"id": number}])

    async def _row(self, request: web.Request) -> dict[str, Any]:
        """Read a list with one object, as most of the vendor's bodies are."""
        try:
            body = decode_json(await request.read())
        except ValueError:
            raise _malformed("no JSON") from None
        if not isinstance(body, list) or len(body) != 1 or not isinstance(body[0], dict):
            raise _malformed("not a list of one object")
        return body[0]

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

    async def _revoke(self, _request: web.Request) -> web.Response:
        self.accounts.revoke()
        return json_answer({"revoked": True})


def _grouped(token: str) -> str:
    """Write a token as the vendor does, in groups of four."""
    return " ".join(token[place : place + 4] for place in range(0, len(token), 4))


def _success(result: Mapping[str, object] | list[dict[str, Any]]) -> web.Response:
    return json_answer({"code": 0, "reason": "success", "result": result})


def _no(reason: str, code: int = 1) -> RefusedError:
    """Refuse as the vendor does: HTTP 200, a code, and no result."""
    return RefusedError(200, {"code": code, "reason": reason, "result": None})


def _malformed(text: str) -> RefusedError:
    return RefusedError(400, {"code": 400, "reason": text, "result": None})
