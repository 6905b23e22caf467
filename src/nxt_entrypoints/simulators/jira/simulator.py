"""Jira and its service desk as one thing to start and stop [AUTO-153, AUTO-154]."""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.control import Clock, ControlPlane, utc_now
from nxt_entrypoints.simulators.http_server import HttpSide, RefusedError, json_answer, read_object

_NEEDED = ("project", "issuetype", "summary", "description")


@attrs.frozen(kw_only=True)
class JiraConfig:
    """How the tracker is set up.

    Attributes:
        port: 0 takes a free one.
        username: account name (``JIRA_API_USERNAME``).
        api_key: its key (``JIRA_API_KEY``).
    """

    port: int = 0
    username: str = "robot@example.org"
    api_key: str


class Jira:
    """The tracker: takes tickets and comments, and shows them at ``GET /tickets``.

    Args:
        config: port and account.
        seed: start of the faults.
        clock: the present instant.
    """

    def __init__(self, config: JiraConfig, *, seed: int = 0, clock: Clock = utc_now) -> None:
        credential = b64encode(f"{config.username}:{config.api_key}".encode())
        self._authorization = b"Basic " + credential
        self._config = config
        self.tickets: dict[str, Mapping[str, Any]] = {}
        self.comments: list[tuple[str, Mapping[str, Any]]] = []
        self.control = ControlPlane(seed=seed, clock=clock)
        self.http = HttpSide(
            self.control,
            vendor_prefixes=("/rest/",),
            server_error=lambda: RefusedError(500, {"errorMessages": ["Internal server error"], "errors": {}}),
        )
        self.http.app.add_routes(
            [
                web.post("/rest/api/3/issue", self._open),
                web.post("/rest/servicedeskapi/request/{key}/comment", self._comment),
                web.get("/tickets", self._show),
            ]
        )

    @property
    def api_url(self) -> str:
        """For ``JIRA_API``."""
        return f"{self.http.url}/rest/api/3"

    @property
    def service_desk_url(self) -> str:
        """For ``JIRA_SERVICE_DESK_API``."""
        return f"{self.http.url}/rest/servicedeskapi"

    async def start(self) -> None:
        """Open the listener."""
        await self.http.start(self._config.port)

    async def stop(self) -> None:
        """Close the listener."""
        await self.http.stop()

    async def _open(self, request: web.Request) -> web.Response:
        self._authorize(request)
        fields = (await read_object(request, _bad_request)).get("fields")
        if not isinstance(fields, dict) or any(not fields.get(name) for name in _NEEDED):
            raise _bad_request("project, issuetype, summary and description are required")
        project = fields["project"].get("key") if isinstance(fields["project"], dict) else None
        key = f"{project}-{len(self.tickets) + 1}"
        self.tickets[key] = fields
        self.control.log.add("ticket", key=key)
        return json_answer({"id": str(10_000 + len(self.tickets)), "key": key}, 201)

    async def _comment(self, request: web.Request) -> web.Response:
        self._authorize(request)
        key, body = request.match_info["key"], await read_object(request, _bad_request)
        if key not in self.tickets:
            raise RefusedError(404, {"errorMessage": "The request does not exist", "i18nErrorMessage": {}})
        if not isinstance(body.get("body"), str) or not isinstance(body.get("public"), bool):
            raise _bad_request("body and public are required")
        self.comments.append((key, body))
        self.control.log.add("comment", key=key)
        return json_answer({"id": str(len(self.comments)), "body": body["body"], "public": body["public"]}, 201)

    async def _show(self, _request: web.Request) -> web.Response:
        said = [{"key": key, **comment} for key, comment in self.comments]
        return json_answer({"tickets": self.tickets, "comments": said})

    def _authorize(self, request: web.Request) -> None:
        shown = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(shown, self._authorization):
            raise RefusedError(401, "Basic authentication with passwords is deprecated")


def _bad_request(message: str) -> RefusedError:
    return RefusedError(400, {"errorMessages": [message], "errors": {}})
