"""The product's own container and API application over stores of a test, configured as the demo's roles are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
from aiohttp import web

from nxt_entrypoints.api.app import build_api
from nxt_entrypoints.container import Container
from nxt_entrypoints.demo.environment import DemoAddresses, DemoSecrets, new_secrets, role_environment
from nxt_entrypoints.http.guards import Gate
from nxt_entrypoints.roles.api import ContainerServices
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import Role

_NOWHERE = "http://127.0.0.1:9"
_STORES = {
    "relational_url": "postgresql://nxt:unused@127.0.0.1:9/nxt",
    "series_url": "postgresql://nxt:unused@127.0.0.1:9/series",
    "valkey_url": "redis://127.0.0.1:9",
    "mqtt_url": "mqtt://127.0.0.1:9",
    "chirpstack_grpc": "127.0.0.1:9",
}


@asynccontextmanager
async def wired(secrets: DemoSecrets | None = None, **stores: str) -> AsyncIterator[Container]:
    """Make the container of the API role.

    Args:
        secrets: Of the demo; None: fresh ones.
        stores: Addresses by their names in ``DemoAddresses``; nothing listens at those that are left out.
    """
    addresses = {field.name: _NOWHERE for field in attrs.fields(DemoAddresses)} | _STORES | stores
    environment = role_environment(DemoAddresses(**addresses), secrets or new_secrets())
    container = Container(settings=load_settings({**environment, "NXT_PORT": "1"}, [Role.API]))
    try:
        yield container
    finally:
        await container.read_pool().close()
        await container.engine().dispose()
        await container.http_session().close()


def api_of(container: Container) -> web.Application:
    """Build the API role's application; limits are counted in this process."""
    gate = Gate(user=container.authenticate_user(), key=container.authenticate_key())
    return build_api(ContainerServices(container), gate=gate)
