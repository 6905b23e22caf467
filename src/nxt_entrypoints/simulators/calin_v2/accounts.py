"""Logins of the second generation: bearer tokens that end, and can be taken away."""

import base64
import hmac
from collections.abc import Mapping
from datetime import timedelta

import attrs

from nxt_entrypoints.simulators.control import Clock
from nxt_entrypoints.simulators.http_server import RefusedError, encode_json


@attrs.frozen(kw_only=True)
class CalinV2Config:
    """How the service is set up.

    Attributes:
        company: whose meters these are.
        customer_id: the customer that the company's meters belong to.
        username: may do everything but sell.
        password: of that user.
        pos_password: authorizes sales.
        port: 0 takes a free one.
        task_s: seconds until a DCU has carried out a task.
        login_s: seconds that a login lasts.
    """

    company: str
    customer_id: str
    username: str
    password: str = attrs.field(repr=False)
    pos_password: str = attrs.field(repr=False)
    port: int = 0
    task_s: float = 4.0
    login_s: float = 3600.0


class Accounts:
    """Who is logged in.

    Args:
        config: the one user there is.
        clock: the present instant.
    """

    def __init__(self, config: CalinV2Config, *, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._tokens: dict[str, float] = {}
        self.logins = 0
        self.gives_no_token = False

    def log_in(self, body: Mapping[str, object]) -> dict[str, object]:
        """Answer a login."""
        config = self._config
        given = [str(body.get(name, "")).encode() for name in ("userId", "password", "company")]
        wanted = [text.encode() for text in (config.username, config.password, config.company)]
        if not all(map(hmac.compare_digest, given, wanted)):
            return {"code": 1, "reason": "wrong user or password", "result": None}
        self.logins += 1
        if self.gives_no_token:
            return {"code": 0, "reason": "success", "result": {}}
        ends = (self._clock() + timedelta(seconds=config.login_s)).timestamp()
        token = ".".join(
            _part(each) for each in ({"alg": "HS256"}, {"sub": config.username, "exp": int(ends), "n": self.logins})
        )
        token = f"{token}.c2lnbmF0dXJl"
        self._tokens[token] = ends
        return {"code": 0, "reason": "success", "result": {"token": token}}

    def check(self, header: str) -> None:
        """Let a caller in.

        Raises:
            RefusedError: 401, unless the bearer token is a present one.
        """
        scheme, _, token = header.partition(" ")
        ends = self._tokens.get(token) if scheme == "Bearer" else None
        if ends is None or self._clock().timestamp() >= ends:
            raise RefusedError(401, {"code": 401, "reason": "unauthorized", "result": None})

    def revoke(self) -> None:
        """Take every token away."""
        self._tokens.clear()


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(encode_json(value)).decode().rstrip("=")
