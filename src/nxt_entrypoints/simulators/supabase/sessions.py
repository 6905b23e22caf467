"""Sessions, their refresh tokens, and the access tokens made from them [API-44, API-45, API-178]."""

import hashlib
import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any

import attrs
import jwt
import msgspec

from nxt_entrypoints.simulators.control import Clock
from nxt_entrypoints.simulators.http_server import encode_json
from nxt_entrypoints.simulators.state import StateStore
from nxt_entrypoints.simulators.supabase.users import AuthUser

ACCESS_TOKEN_S = 3600
REUSE_S = 10
_LIFE = timedelta(days=30)
_KIND = "session"


class InvalidTokenError(Exception):
    """An access or refresh token isn't good; ``code`` is the service's own word for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@attrs.frozen(kw_only=True)
class Session:
    """One sign-in.

    Attributes:
        id: in the access token's claim ``session_id``.
        user_id: whose.
        created_at: when it began.
        refresh_hash: SHA-256 of the present refresh token.
        previous_hash: of the one before it.
        rotated_at: when that was replaced.
    """

    id: str
    user_id: uuid.UUID
    created_at: datetime
    refresh_hash: str
    previous_hash: str = ""
    rotated_at: datetime | None = None


class Sessions:
    """All sessions, kept over restarts; refresh tokens are stored as hashes only.

    Args:
        store: memory between runs.
        secret: signs access tokens, HS256.
        issuer: claim ``iss``.
        clock: the present instant.
    """

    def __init__(self, store: StateStore, secret: str, issuer: str, clock: Clock) -> None:
        self._store = store
        self._secret = secret
        self.issuer = issuer
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        for key, body in store.all(_KIND).items():
            session = msgspec.json.decode(body, type=Session)
            if session.created_at + _LIFE > clock():
                self._sessions[key] = session
            else:
                store.remove(_KIND, [key])

    def begin(self, user: AuthUser) -> tuple[Session, str]:
        """Open a session; returns it with its refresh token."""
        token = secrets.token_urlsafe(16)
        session = Session(id=str(uuid.uuid4()), user_id=user.id, created_at=self._clock(), refresh_hash=_hash(token))
        self._save(session)
        return session, token

    def rotate(self, token: str) -> tuple[Session, str]:
        """Exchange a refresh token; a replaced one works for 10 s more and then ends its session.

        Raises:
            InvalidTokenError: ``refresh_token_not_found`` or ``refresh_token_already_used``.
        """
        digest, now = _hash(token), self._clock()
        for session in self._sessions.values():
            if digest == session.refresh_hash:
                return self._rotated(session, now)
            if digest == session.previous_hash and session.rotated_at is not None:
                if now - session.rotated_at <= timedelta(seconds=REUSE_S):
                    return self._rotated(session, now)
                self.end(session.id)
                raise InvalidTokenError("refresh_token_already_used", "Invalid Refresh Token: Already Used")
        raise InvalidTokenError("refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")

    def _rotated(self, session: Session, now: datetime) -> tuple[Session, str]:
        token = secrets.token_urlsafe(16)
        changed = attrs.evolve(session, previous_hash=session.refresh_hash, refresh_hash=_hash(token), rotated_at=now)
        self._save(changed)
        return changed, token

    def access_token(self, session: Session, user: AuthUser) -> tuple[str, int]:
        """Return a signed access token and its expiry (unix seconds)."""
        issued = int(self._clock().timestamp())
        expires = issued + ACCESS_TOKEN_S
        claims = {
            "iss": self.issuer,
            "sub": str(user.id),
            "aud": "authenticated",
            "exp": expires,
            "iat": issued,
            "email": user.email or "",
            "phone": user.phone or "",
            "app_metadata": {"provider": "email", "providers": ["email"]} | dict(user.app_metadata),
            "user_metadata": dict(user.user_metadata),
            "role": "authenticated",
            "aal": "aal1",
            "amr": [{"method": "password", "timestamp": int(session.created_at.timestamp())}],
            "session_id": session.id,
            "is_anonymous": False,
        }
        return jwt.encode(claims, self._secret, algorithm="HS256"), expires

    def of_access_token(self, token: str) -> Session:
        """Return the session of an access token.

        Raises:
            InvalidTokenError: ``bad_jwt``, or ``session_not_found`` after a sign-out.
        """
        try:
            claims: dict[str, Any] = jwt.decode(token, self._secret, algorithms=["HS256"], audience="authenticated")
        except jwt.InvalidTokenError as error:
            text = f"invalid JWT: unable to parse or verify signature, {error}"
            raise InvalidTokenError("bad_jwt", text) from error
        if "sub" not in claims:
            raise InvalidTokenError("bad_jwt", "invalid claim: missing sub claim")
        session = self._sessions.get(str(claims.get("session_id", "")))
        if session is None:
            raise InvalidTokenError("session_not_found", "Session from session_id claim in JWT does not exist")
        return session

    def end(self, session_id: str) -> None:
        """Close one session."""
        self._sessions.pop(session_id, None)
        self._store.remove(_KIND, [session_id])

    def end_all(self, user_id: uuid.UUID, *, keep: str | None = None) -> None:
        """Close a user's sessions, but for one."""
        ids = [each.id for each in self._sessions.values() if each.user_id == user_id and each.id != keep]
        for session_id in ids:
            self._sessions.pop(session_id)
        self._store.remove(_KIND, ids)

    def _save(self, session: Session) -> None:
        self._sessions[session.id] = session
        self._store.put(_KIND, {session.id: encode_json(session)})


def project_key(secret: str, role: str) -> str:
    """Return an API key as Supabase makes them: a JWT with ``role`` ``anon`` or ``service_role``."""
    claims = {"iss": "supabase", "ref": "local", "role": role, "iat": 1_700_000_000, "exp": 2_015_360_000}
    return jwt.encode(claims, secret, algorithm="HS256")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
