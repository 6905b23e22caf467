"""What operators' commands work on: the use cases over a running ``nxt up``, or over the environment's services."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import attrs

from nxt_adapters.gotrue.admin import GoTrueIdentityProvider
from nxt_adapters.supabase.api_keys import PostgresApiKeys
from nxt_adapters.supabase.contact_claims import PostgresContactClaims
from nxt_adapters.supabase.engine import create_engine
from nxt_adapters.supabase.identity import PostgresAccounts
from nxt_adapters.supabase.logins import PostgresIdentityProvider
from nxt_adapters.supabase.messages import PostgresDeviceMessages
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_adapters.system.clock import SystemClock
from nxt_domain.identity.ports import ContactClaims, IdentityProvider
from nxt_domain.identity.use_cases.make_people import EnrolMember
from nxt_domain.identity.use_cases.operating import OperateKeys, OperateLogins, OperateTenants
from nxt_domain.identity.use_cases.person_maker import PersonMaker
from nxt_domain.messaging.tuning import DeliveryPolicy
from nxt_domain.orders.use_cases.look_after_messages import CancelMessages, ReadMessages, RetryMessage
from nxt_domain.shared.audit import Actor, ActorKind
from nxt_domain.shared.ids import UlidFactory
from nxt_entrypoints.cli.running import chosen, relational_url
from nxt_entrypoints.database.baseline_seed import Baseline
from nxt_entrypoints.embedded.data_dir import kept_secret
from nxt_entrypoints.settings.loader import load_settings
from nxt_entrypoints.settings.roles import Role
from nxt_entrypoints.simulators.supabase.sessions import project_key
from nxt_entrypoints.supervisor.runfile import find
from nxt_entrypoints.wiring.metering import intakes
from nxt_entrypoints.wiring.people import gotrue, is_local

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Operating:
    """The use cases of one command.

    Attributes:
        actor: Whoever sits at the terminal, for the audit trail.
    """

    actor: Actor
    tenants: OperateTenants
    keys: OperateKeys
    read_messages: ReadMessages
    cancel_messages: CancelMessages
    retry_message: RetryMessage
    _begin: Callable[[], SupabaseUnitOfWork]
    _contacts: ContactClaims
    _provider: Callable[[], tuple[IdentityProvider, int]]

    @property
    def logins(self) -> OperateLogins:
        """Locks people out, sets passwords."""
        return OperateLogins(begin=self._begin, provider=self._provider()[0])

    @property
    def enrol(self) -> EnrolMember:
        """Makes members."""
        provider, admin_organization_id = self._provider()
        maker = PersonMaker(begin=self._begin, provider=provider, contacts=self._contacts, clock=SystemClock())
        return EnrolMember(
            begin=self._begin, provider=provider, maker=maker, admin_organization_id=admin_organization_id
        )


def operate(data: Path | None, work: Callable[[Operating], Awaitable[T]]) -> T:
    """Do something as an operator.

    Args:
        data: Data directory of a running ``nxt up``; None: the services that the environment names, and where it names
            none, the only ``nxt up`` that runs.
        work: Awaited with the use cases.

    Raises:
        NotRunning: Nothing runs on ``data``.
        ConfigInvalid: The environment names no database or no identity provider.
        DomainError: What the work refuses.
    """
    where = chosen(data)
    return asyncio.run(_operate(relational_url(where, None), where, work))


async def _operate(url: str, data: Path | None, work: Callable[[Operating], Awaitable[T]]) -> T:
    engine = create_engine(url, pool_size=2, application_name="nxt operator")
    opened: list[Any] = []
    messages_of = partial(
        PostgresDeviceMessages, couriers=intakes(), new_id=UlidFactory(SystemClock()), policy=DeliveryPolicy()
    )

    def begin() -> SupabaseUnitOfWork:
        return SupabaseUnitOfWork(engine, messages_of=messages_of)

    def provider() -> tuple[IdentityProvider, int]:
        if not opened:
            opened.extend(_identity_provider(data, engine))
        return opened[0], opened[1]

    try:
        return await work(
            Operating(
                actor=Actor(kind=ActorKind.OPERATOR, label=_user()),
                tenants=OperateTenants(begin),
                keys=OperateKeys(keys=PostgresApiKeys(engine), accounts=PostgresAccounts(engine), clock=SystemClock()),
                read_messages=ReadMessages(begin),
                cancel_messages=CancelMessages(begin=begin, clock=SystemClock()),
                retry_message=RetryMessage(begin=begin, clock=SystemClock()),
                begin=begin,
                contacts=PostgresContactClaims(engine),
                provider=provider,
            )
        )
    finally:
        if opened and isinstance(opened[0], GoTrueIdentityProvider):
            await opened[0].close()
        await engine.dispose()


def _identity_provider(data: Path | None, engine: Any) -> tuple[IdentityProvider, int]:  # noqa: ANN401 - the pool
    if data is not None:
        content = find(data).content
        service = project_key(kept_secret(Path(str(content["data"])), "jwt_secret"), "service_role")
        address = str(content["urls"]["supabase"])
        return GoTrueIdentityProvider(address, service), Baseline().platform_organization_id
    settings = load_settings(os.environ, (Role.API,))
    admin_organization_id = settings.artifact.deployment.admin_organization_id
    if is_local(settings):
        return PostgresIdentityProvider(engine, SystemClock()), admin_organization_id
    return gotrue(settings), admin_organization_id


def _user() -> str:
    try:
        return f"{getpass.getuser()} at the command line"
    except (OSError, KeyError):
        return "operator at the command line"
