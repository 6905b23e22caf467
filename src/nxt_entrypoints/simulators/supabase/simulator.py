"""The sign-in service as one thing to start and stop [R30, API-49, API-178]."""

from aiohttp import hdrs, web

from nxt_entrypoints.simulators.control import Clock, ControlPlane, utc_now
from nxt_entrypoints.simulators.http_server import HttpSide, json_answer
from nxt_entrypoints.simulators.state import StateStore
from nxt_entrypoints.simulators.supabase.admin import Admin
from nxt_entrypoints.simulators.supabase.answers import refusal
from nxt_entrypoints.simulators.supabase.changes import OwnUser
from nxt_entrypoints.simulators.supabase.desk import Desk, SupabaseConfig
from nxt_entrypoints.simulators.supabase.mailbox import Mailbox
from nxt_entrypoints.simulators.supabase.sessions import Sessions
from nxt_entrypoints.simulators.supabase.sign_in import SignIn
from nxt_entrypoints.simulators.supabase.users import MemoryUserStore, PostgresUserStore, UserStore

__all__ = ["Supabase", "SupabaseConfig"]


class Supabase:
    """GoTrue: sign-in by password, code and link, refresh, own user, sign-out, and the service role's routes.

    Mails and text messages are read at ``GET /messages?to=``, the public key at ``GET /keys``.

    Args:
        config: port, secrets, database.
        store: memory of sessions between runs.
        users: where logins are; None takes the configured database.
        seed: start of the faults.
        clock: the present instant.
    """

    def __init__(
        self,
        config: SupabaseConfig,
        store: StateStore,
        *,
        users: UserStore | None = None,
        seed: int = 0,
        clock: Clock = utc_now,
    ) -> None:
        if users is None:
            users = PostgresUserStore(config.relational_url) if config.relational_url else MemoryUserStore()
        self.users = users
        self.control = ControlPlane(seed=seed, clock=clock)
        self._desk = Desk(
            config=config,
            users=users,
            sessions=Sessions(store, config.jwt_secret, "", clock),
            mailbox=Mailbox(clock),
            store=store,
            control=self.control,
            clock=clock,
        )
        self.http = HttpSide(
            self.control,
            vendor_prefixes=("/auth/v1/",),
            server_error=lambda: refusal(500, "unexpected_failure", "Unexpected failure"),
        )
        self.http.app.on_response_prepare.append(_allow_other_origins)
        self.http.app.add_routes(
            [
                *SignIn(self._desk).routes(),
                *OwnUser(self._desk).routes(),
                *Admin(self._desk).routes(),
                web.get("/auth/v1/settings", self._settings),
                web.get("/auth/v1/health", self._health),
                web.get("/auth/v1/.well-known/jwks.json", self._jwks),
                web.options("/auth/v1/{path:.*}", self._preflight),
                web.get("/messages", self._messages),
                web.get("/keys", self._keys),
            ]
        )

    async def start(self) -> None:
        """Open the listener."""
        await self.http.start(self._desk.config.port)
        self._desk.sessions.issuer = f"{self.http.url}/auth/v1"
        self._desk.mailbox.url = self.http.url

    async def stop(self) -> None:
        """Close the listener and the database's connections."""
        await self.http.stop()
        await self.users.close()

    async def _settings(self, _request: web.Request) -> web.Response:
        return json_answer(
            {
                "external": {"email": True, "phone": True, "google": False, "anonymous_users": False},
                "disable_signup": True,
                "mailer_autoconfirm": False,
                "phone_autoconfirm": False,
                "sms_provider": "twilio",
                "saml_enabled": False,
            }
        )

    async def _health(self, _request: web.Request) -> web.Response:
        return json_answer({"version": "v2", "name": "GoTrue", "description": "GoTrue stand-in"})

    async def _jwks(self, _request: web.Request) -> web.Response:
        return json_answer({"keys": []})

    async def _preflight(self, _request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _keys(self, _request: web.Request) -> web.Response:
        """Show the key that a dashboard is built with; it opens nothing by itself."""
        return json_answer({"anon_key": self._desk.config.anon_key})

    async def _messages(self, request: web.Request) -> web.Response:
        """List what was sent to an e-mail or phone, newest last; without ``to`` to anybody."""
        to = request.query.get("to")
        return json_answer(self._desk.mailbox.sent(None if to is None else to.strip().lstrip("+").lower()))


async def _allow_other_origins(request: web.Request, response: web.StreamResponse) -> None:
    """Let dashboards in browsers call, as Supabase's gateway does."""
    response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    if request.method == hdrs.METH_OPTIONS:
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = "GET,POST,PUT,PATCH,DELETE"
        wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "*")
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = wanted
    response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = "X-Total-Count, Link"
