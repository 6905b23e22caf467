"""The SMS gateway as one thing to start and stop [AUTO-89 to AUTO-91]."""

import asyncio
import hmac
import re
import uuid
from collections import deque
from urllib.parse import urlencode

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.control import Clock, ControlPlane, utc_now
from nxt_entrypoints.simulators.http_server import HttpSide, RefusedError, json_answer
from nxt_entrypoints.simulators.webhooks import Poster, Tasks

_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_KEPT = 20_000
_REPORT_DELAY_S = 1.0
_LATE_S = 10.0
_SENT, _INVALID_NUMBER = 101, 403


@attrs.frozen(kw_only=True)
class SmsConfig:
    """How the SMS gateway is set up.

    Attributes:
        port: 0 takes a free one.
        username: account name (``AFRICASTALKING_USERNAME``).
        api_key: account key (``AFRICASTALKING_API_KEY``).
        report_url: where delivery reports go, with ``?secret=`` if one is wanted; empty: none are sent.
    """

    port: int = 0
    username: str = "sandbox"
    api_key: str
    report_url: str = ""


@attrs.frozen(kw_only=True)
class Message:
    """A text message that was taken."""

    message_id: str
    to: str
    text: str
    sender: str
    at: str
    status: str


class SmsGateway:
    """The gateway: takes messages, shows them at ``GET /messages?to=``, and reports their delivery.

    Args:
        config: port, account, callback.
        speed: divisor of its delays.
        seed: start of the faults.
        clock: the present instant.
    """

    def __init__(self, config: SmsConfig, *, speed: float = 1.0, seed: int = 0, clock: Clock = utc_now) -> None:
        self._config = config
        self._clock = clock
        self._speed = speed
        self._messages: deque[Message] = deque(maxlen=_KEPT)
        self._tasks = Tasks()
        self.control = ControlPlane(seed=seed, clock=clock)
        self._poster = Poster(self.control, config.report_url, {}, pace=speed)
        self.http = HttpSide(
            self.control,
            vendor_prefixes=("/version1/",),
            server_error=lambda: RefusedError(500, "Internal Server Error"),
        )
        self.http.app.add_routes(
            [
                web.post("/version1/messaging", self._send),
                web.get("/version1/user", self._account),
                web.get("/messages", self._list),
            ]
        )

    async def start(self) -> None:
        """Open the listener."""
        await self.http.start(self._config.port)

    async def stop(self) -> None:
        """Close the listener."""
        await self.http.stop()
        await self._tasks.stop()
        await self._poster.close()

    async def _send(self, request: web.Request) -> web.Response:
        form = await request.post()
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        self._admit(request, fields.get("username"))
        for name in ("to", "message"):
            if not fields.get(name):
                raise RefusedError(400, f"Request is missing required form field '{name}'")
        numbers = [number.strip() for number in fields["to"].split(",")]
        recipients = [self._take(number, fields) for number in numbers]
        taken = sum(each["statusCode"] == _SENT for each in recipients)
        summary = f"Sent to {taken}/{len(numbers)} Total Cost: NGN {taken * 2.2:.4f}"
        return json_answer({"SMSMessageData": {"Message": summary, "Recipients": recipients}}, 201)

    async def _account(self, request: web.Request) -> web.Response:
        self._admit(request, request.query.get("username"))
        return json_answer({"UserData": {"balance": "NGN 1785.5000"}})

    def _admit(self, request: web.Request, username: str | None) -> None:
        key = request.headers.get("apiKey", "")
        is_known = hmac.compare_digest(key.encode(), self._config.api_key.encode())
        if username != self._config.username or not is_known:
            raise RefusedError(401, "The supplied authentication is invalid")

    def _take(self, number: str, fields: dict[str, str]) -> dict[str, object]:
        """Take one recipient's message and return its entry of the answer."""
        self.control.log.add("sms", to=number, characters=len(fields["message"]))
        if not _PHONE.fullmatch(number):
            return _recipient(number, _INVALID_NUMBER, "InvalidPhoneNumber", "None")
        is_lost = self.control.hits(self.control.faults.loss_rate)
        message = Message(
            message_id=f"ATXid_{uuid.uuid4().hex}",
            to=number,
            text=fields["message"],
            sender=fields.get("from", ""),
            at=self._clock().isoformat(),
            status="Failed" if is_lost else "Success",
        )
        self._messages.append(message)
        if self._config.report_url:
            self._tasks.start(self._report(message), f"delivery report {message.message_id}")
        return _recipient(number, _SENT, "Success", message.message_id)

    async def _report(self, message: Message) -> None:
        await asyncio.sleep(_REPORT_DELAY_S / self._speed)
        await self._poster.linger(_LATE_S)
        await self.control.until_up()
        report = {
            "id": message.message_id,
            "status": message.status,
            "phoneNumber": message.to,
            "networkCode": "62130",
            "retryCount": "0",
        }
        if message.status == "Failed":
            report["failureReason"] = "AbsentSubscriber"
        await self._poster.post(urlencode(report).encode(), content_type="application/x-www-form-urlencoded")

    async def _list(self, request: web.Request) -> web.Response:
        to = request.query.get("to")
        wanted = to.replace(" ", "+") if to is not None else None  # a bare + in a query is a blank
        shown = [attrs.asdict(each) for each in self._messages if wanted is None or each.to == wanted]
        return json_answer([each | {"message": each["text"]} for each in shown])


def _recipient(number: str, code: int, status: str, message_id: str) -> dict[str, object]:
    cost = "NGN 2.2000" if code == _SENT else "0"
    return {"statusCode": code, "number": number, "status": status, "cost": cost, "messageId": message_id}
