"""What a CALIN service can be told to do wrong, beside the faults that all simulators know."""

from collections.abc import Mapping

import attrs
from aiohttp import web

from nxt_entrypoints.simulators.http_server import Handler, json_answer, plain_refusal, read_object

ANSWERS = ("right", "page", "page_503", "reset")
TASKS = ("right", "late", "never", "forgotten", "done_then_forgotten", "failed", "rejected")
TOKENS = ("right", "empty", "silent", "short", "sold_without_token")
_PAGE = "<html><body>Service unavailable</body></html>"
_UNSET = "\0"


@attrs.frozen(kw_only=True)
class Moods:
    """How the service behaves at present.

    Attributes:
        answers: ``page`` (HTML, 200), ``page_503`` (HTML), ``reset`` (the connection is cut): each after the call has
            had its effect.
        tasks: ``late`` (by ``late_s``), ``never`` (no result, ever), ``forgotten`` (accepted, never done, unknown
            afterwards), ``done_then_forgotten``, ``failed`` (the meter didn't), ``rejected`` (as if the meter refused).
        tokens: ``empty`` (a reason, no token), ``silent`` (neither), ``short`` (digits are missing),
            ``sold_without_token`` (success, and no token).
        code: result code of the next creations, which make no task then; empty: none.
        reason: what goes with ``code``, or with a failed task; empty: the usual.
        status: told by every poll, whatever the task's is; any JSON value; absent: the task's own.
        late_s: seconds that a late task takes.
    """

    answers: str = "right"
    tasks: str = "right"
    tokens: str = "right"
    code: str = ""
    reason: str = ""
    status: object = _UNSET
    late_s: float = 3600.0

    @property
    def tells_status(self) -> bool:
        """Whether polls tell a status that was put here."""
        return self.status != _UNSET

    def changed(self, body: Mapping[str, object]) -> "Moods":
        """Apply the body of ``PUT /mood``; what is left out goes back to what is right.

        Raises:
            RefusedError: naming the first thing that is wrong.
        """
        known = {field.name for field in attrs.fields(Moods)}
        if unknown := sorted(set(body) - known):
            raise plain_refusal(f"unknown keys: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
        for name, allowed in (("answers", ANSWERS), ("tasks", TASKS), ("tokens", TOKENS)):
            if name in body and body[name] not in allowed:
                raise plain_refusal(f"{name} must be one of {', '.join(allowed)}")
        for name in ("code", "reason"):
            if not isinstance(body.get(name, ""), str):
                raise plain_refusal(f"{name} must be a text")
        late_s = body.get("late_s", 3600.0)
        if isinstance(late_s, bool | str | list | dict | None) or not 0 <= float(late_s) <= 1e6:  # type: ignore[arg-type]  # any JSON value
            raise plain_refusal("late_s must be a number of seconds")
        return Moods(**{**body, "late_s": float(late_s)})  # type: ignore[arg-type]  # checked above

    def as_json(self) -> dict[str, object]:
        """Return the body of ``GET /mood``."""
        shown = attrs.asdict(self)
        if not self.tells_status:
            del shown["status"]
        return shown


class MoodSide:
    """The handles ``GET`` and ``PUT /mood``, and the wrapper that lets vendor routes suffer."""

    def __init__(self) -> None:
        self.moods = Moods()

    def routes(self) -> list[web.RouteDef]:
        """Return the handles."""
        return [web.get("/mood", self._get), web.put("/mood", self._put)]

    def suffering(self, handler: Handler) -> Handler:
        """Wrap a vendor's route: whatever happens to its answer, the call has had its effect."""

        async def serve(request: web.Request) -> web.StreamResponse:
            answer = await handler(request)
            match self.moods.answers:
                case "page":
                    return web.Response(text=_PAGE, content_type="text/html")
                case "page_503":
                    return web.Response(text=_PAGE, content_type="text/html", status=503)
                case "reset":
                    if request.transport is not None:
                        request.transport.abort()
                    return answer
                case _:
                    return answer

        return serve

    def tell(self, **changes: object) -> None:
        """Change the mood from a test in the same process."""
        self.moods = Moods().changed(changes)

    async def _get(self, _request: web.Request) -> web.Response:
        return json_answer(self.moods.as_json())

    async def _put(self, request: web.Request) -> web.Response:
        self.moods = Moods().changed(await read_object(request, plain_refusal))
        return json_answer(self.moods.as_json())
