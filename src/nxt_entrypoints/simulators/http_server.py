"""The HTTP side of every simulator: loopback only, faults as a middleware, errors in the vendor's shape."""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from nxt_entrypoints.simulators.control import ControlPlane, InvalidControlError

LOOPBACK = "127.0.0.1"
_MAX_BODY = 1 << 20
_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RefusedError(Exception):
    """An answer other than success, with its body in the vendor's own shape."""

    def __init__(self, status: int, body: Mapping[str, Any] | str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


def encode_json(value: object) -> bytes:
    """Encode to JSON; a `Decimal` becomes a JSON number with exactly its digits."""
    return _encoder.encode(value)


def decode_json(text: bytes | str) -> object:
    """Decode JSON; numbers with a fraction become `Decimal`, never binary floats.

    Raises:
        ValueError: the text isn't JSON.
    """
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error


def json_answer(value: object, status: int = 200) -> web.Response:
    """Return a JSON response."""
    return web.Response(body=encode_json(value), status=status, content_type="application/json")


async def read_object(request: web.Request, refusal: Callable[[str], RefusedError]) -> dict[str, Any]:
    """Read a JSON object from the body.

    Raises:
        RefusedError: made by ``refusal``, when the body is something else.
    """
    try:
        body = decode_json(await request.read())
    except ValueError:
        raise refusal("The request body is not valid JSON") from None
    if not isinstance(body, dict):
        raise refusal("The request body must be a JSON object")
    return body


def plain_refusal(message: str) -> RefusedError:
    """Return the 400 of the simulators' own (not the vendors') routes."""
    return RefusedError(400, {"error": message})


class HttpSide:
    """One simulator's HTTP listener: its vendor routes, its own handles, and the control plane.

    Only paths that begin with one of ``vendor_prefixes`` suffer faults; ``/control``, ``/log``,
    ``/healthz`` and the handles for tests always work.
    """

    def __init__(
        self,
        control: ControlPlane,
        *,
        vendor_prefixes: tuple[str, ...] = (),
        server_error: Callable[[], RefusedError] = lambda: RefusedError(500, {"error": "simulated failure"}),
    ) -> None:
        self._control = control
        self._prefixes = vendor_prefixes
        self._server_error = server_error
        self.app = web.Application(middlewares=[self._refusals, self._faults], client_max_size=_MAX_BODY)
        self.app.add_routes(
            [
                web.get("/control", self._get_control),
                web.put("/control", self._put_control),
                web.get("/log", self._get_log),
                web.get("/healthz", self._healthz),
            ]
        )
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The listener's base address, without a trailing slash."""
        return f"http://{LOOPBACK}:{self.port}"

    async def start(self, port: int) -> None:
        """Listen on the port; 0 takes a free one."""
        runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, LOOPBACK, port).start()
        self.port = int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Close the listener and its connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _refusals(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except RefusedError as refused:
            if isinstance(refused.body, str):
                return web.Response(text=refused.body, status=refused.status)
            return json_answer(refused.body, refused.status)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            return json_answer({"error": error.reason}, error.status)

    @web.middleware
    async def _faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(self._prefixes or ("\0",)):
            return await handler(request)
        control, faults = self._control, self._control.faults
        if faults.down:
            raise RefusedError(503, "Service Unavailable")
        await control.slow_down()
        if control.hits(faults.error_rate):
            raise self._server_error()
        answer = await handler(request)
        if control.hits(faults.garbage_rate):
            return web.Response(text='{"status":"succ\ufffd<html>', content_type="application/json")
        return answer

    async def _get_control(self, _request: web.Request) -> web.Response:
        return json_answer(self._control.faults.as_json())

    async def _put_control(self, request: web.Request) -> web.Response:
        try:
            body = decode_json(await request.read())
        except ValueError:
            raise plain_refusal("the body must be a JSON object") from None
        try:
            return json_answer(self._control.update(body).as_json())
        except InvalidControlError as error:
            raise plain_refusal(str(error)) from error

    async def _get_log(self, request: web.Request) -> web.Response:
        after = request.query.get("after", "0")
        if not after.isdecimal() or len(after) > 18:
            raise plain_refusal("after must be a whole number")
        return json_answer(self._control.log.after(int(after)))

    async def _healthz(self, _request: web.Request) -> web.Response:
        return json_answer({"status": "ok"})
