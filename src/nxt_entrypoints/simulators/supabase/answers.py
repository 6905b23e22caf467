"""What GoTrue answers: users, sessions, refusals, in its own shapes."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from nxt_entrypoints.simulators.http_server import RefusedError
from nxt_entrypoints.simulators.supabase.users import AuthUser

SHORTEST_PASSWORD = 6
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(h|m|s)")
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_PHONE = re.compile(r"[1-9]\d{1,14}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def refusal(status: int, code: str, message: str, **more: object) -> RefusedError:
    """Return an error as GoTrue writes it."""
    return RefusedError(status, {"code": status, "error_code": code, "msg": message, **more})


def user_json(user: AuthUser, marks: Mapping[str, object]) -> dict[str, object]:
    """Write a user as all answers show it.

    Args:
        user: the login.
        marks: `invited_at`, `new_email` and the like; `is_open`: its owner has confirmed nothing yet.
    """
    born = user.created_at.isoformat()
    confirmed = None if marks.get("is_open") else born
    shown = {name: value for name, value in marks.items() if name != "is_open"}
    providers = [name for name, value in (("email", user.email), ("phone", user.phone)) if value] or ["email"]
    return {
        "id": str(user.id),
        "aud": "authenticated",
        "role": "authenticated",
        "email": user.email or "",
        "email_confirmed_at": confirmed if user.email else None,
        "phone": user.phone or "",
        "phone_confirmed_at": confirmed if user.phone else None,
        "confirmed_at": confirmed,
        "last_sign_in_at": user.last_sign_in_at.isoformat() if user.last_sign_in_at else None,
        "app_metadata": {"provider": providers[0], "providers": providers} | dict(user.app_metadata),
        "user_metadata": dict(user.user_metadata),
        "identities": [_identity(user, provider, born) for provider in providers],
        "created_at": born,
        "updated_at": born,
        "is_anonymous": False,
        **({"banned_until": user.banned_until.isoformat()} if user.banned_until else {}),
        **shown,
    }


def checked_email(value: object) -> str | None:
    """Read an e-mail, in lower case; None: none was given."""
    if value in (None, ""):
        return None
    if not isinstance(value, str) or _EMAIL.fullmatch(value.strip()) is None:
        raise refusal(400, "validation_failed", "Unable to validate email address: invalid format")
    return value.strip().lower()


def checked_phone(value: object) -> str | None:
    """Read a phone number, without plus and blanks; None: none was given."""
    if value in (None, ""):
        return None
    bare = value.replace("+", "").replace(" ", "") if isinstance(value, str) else ""
    if _PHONE.fullmatch(bare) is None:
        raise refusal(400, "validation_failed", "Invalid phone number format (E.164 required)")
    return bare


def checked_password(value: object) -> str:
    """Read a password.

    Raises:
        RefusedError: it is too short.
    """
    if not isinstance(value, str) or len(value) < SHORTEST_PASSWORD:
        text = f"Password should be at least {SHORTEST_PASSWORD} characters."
        raise refusal(422, "weak_password", text, weak_password={"reasons": ["length"]})
    return value


def ban_end(text: object, now: datetime) -> datetime | None:
    """Read ``ban_duration``: ``none``, or hours, minutes and seconds such as ``876000h``."""
    if text == "none":
        return None
    parts = _SPAN.findall(text) if isinstance(text, str) else []
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise refusal(400, "validation_failed", "invalid format for ban duration: time: invalid duration")
    return now + timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))


def merged(old: Mapping[str, Any], new: object) -> dict[str, Any]:
    """Merge metadata at its top level; a null removes a key."""
    if new is None:
        return dict(old)
    if not isinstance(new, dict):
        raise refusal(400, "bad_json", "metadata must be an object")
    return {name: value for name, value in {**old, **new}.items() if value is not None}


def _identity(user: AuthUser, provider: str, born: str) -> dict[str, object]:
    return {
        "identity_id": str(user.id),
        "id": str(user.id),
        "user_id": str(user.id),
        "provider": provider,
        "identity_data": {"sub": str(user.id), "email": user.email or "", "phone": user.phone or ""},
        "created_at": born,
        "updated_at": born,
        "last_sign_in_at": born,
    }
