"""Two tenants with grids, in memory or in a real database, and the use cases of user administration over them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol

import attrs
from dependency_injector import providers
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from nxt_adapters.gotrue.admin import GoTrueIdentityProvider
from nxt_adapters.memory.contact_claims import MemoryContactClaims
from nxt_adapters.memory.idempotency import MemoryIdempotencyKeys
from nxt_adapters.memory.logins import MemoryIdentityProvider
from nxt_adapters.memory.signing import MemorySigner
from nxt_adapters.memory.unit_of_work import MemoryPlane
from nxt_adapters.resilience import CallPolicy, RetryPolicy
from nxt_adapters.supabase.contact_claims import PostgresContactClaims
from nxt_adapters.supabase.engine import create_engine, psycopg_url
from nxt_adapters.supabase.idempotency import PostgresIdempotencyKeys
from nxt_adapters.supabase.logins import PostgresIdentityProvider
from nxt_adapters.supabase.tables import accounts, audits, grids, members, organizations, outbox_tasks, wallets
from nxt_adapters.supabase.unit_of_work import SupabaseUnitOfWork
from nxt_adapters.system.clock import SystemClock
from nxt_domain.grids.views import GridView, GridWithOrganization, OrganizationView
from nxt_domain.identity.chat import ChatWallet
from nxt_domain.identity.logins import Login, LoginChange, NewLogin
from nxt_domain.identity.model import AccountType, CredentialKind, MemberType, OrganizationType, Principal
from nxt_domain.identity.people import Invitation, Tenant
from nxt_domain.identity.ports import IdentityProvider
from nxt_domain.identity.scope import PLATFORM
from nxt_domain.identity.use_cases.charting_tokens import IssueChartingTokens
from nxt_domain.shared.errors import DomainError, Unavailable
from nxt_entrypoints.settings.artifact import Deployment
from nxt_entrypoints.simulators.process import Simulators, SimulatorsConfig
from nxt_entrypoints.simulators.supabase.sessions import project_key
from nxt_entrypoints.simulators.supabase.simulator import SupabaseConfig
from nxt_entrypoints.wiring.people import People

PLATFORM_ID, SUNNY, OTHER, LENDER = 2, 7, 8, 9
CALLER, SECOND_CALLER, THIRD_CALLER = 9001, 9002, 9003
UMUOKE, KALONDA, SUNKEN, ELSEWHERE = 70, 72, 71, 80


class Faults:
    """Stands before an identity provider: refuses methods, or loses their answers, as told."""

    def __init__(self, inner: IdentityProvider) -> None:
        self._inner = inner
        self.refusals: dict[str, DomainError] = {}
        self.losses: set[str] = set()
        self.calls: list[tuple[str, Any]] = []

    async def invite(self, email: str, *, full_name: str, redirect_to: str | None = None) -> Login:
        return await self._do("invite", email, self._inner.invite, email, full_name=full_name, redirect_to=redirect_to)

    async def create(self, new: NewLogin) -> Login:
        return await self._do("create", new, self._inner.create, new)

    async def find(self, **key: str | None) -> Login | None:
        found: Login | None = await self._do("find", key, self._inner.find, **key)
        return found

    async def update(self, login_id: str, change: LoginChange) -> Login:
        return await self._do("update", change, self._inner.update, login_id, change)

    async def delete(self, login_id: str) -> None:
        await self._do("delete", login_id, self._inner.delete, login_id)

    async def _do(self, name: str, fact: object, method: Any, *args: object, **options: object) -> Any:
        self.calls.append((name, fact))
        if name in self.refusals:
            raise self.refusals[name]
        answer = await method(*args, **options)
        if name in self.losses:
            raise Unavailable("The identity provider can't be reached")
        return answer


class PeopleWorld(Protocol):
    """What the suites need of either store."""

    provider: Faults
    services: Any
    begin: Any

    async def found(self) -> None: ...
    async def messages(self) -> list[str]: ...
    async def alerts(self) -> list[str]: ...
    async def give_meter(self, customer_id: int) -> None: ...
    async def wallet_of_agent(self, agent_id: int) -> Any: ...
    async def account_ids(self) -> list[int]: ...


def people_of(world: Any, clock: Any, charting: Any = None) -> Any:
    return People(
        begin=providers.Object(world.begin),
        provider=providers.Object(world.provider),
        contacts=providers.Object(world.contacts),
        clock=providers.Object(clock),
        deployment=providers.Object(Deployment(placeholder_email_domain="customers.invalid")),
        sign_in=providers.Object(None),
        charting=providers.Object(
            charting or IssueChartingTokens(signer=MemorySigner(), clock=clock, access_life=timedelta(hours=1))
        ),
    ).services()


class MemoryPeople:
    def __init__(self) -> None:
        self.plane = MemoryPlane()
        self.begin = self.plane.begin
        self.provider = Faults(MemoryIdentityProvider(self.plane.database))
        self.contacts = MemoryContactClaims()
        self.keys = MemoryIdempotencyKeys(self.plane.database)
        self.services = people_of(self, self.plane.clock)

    async def found(self) -> None:
        values: dict[str, Any] = dict.fromkeys(field.name for field in attrs.fields(GridView))
        owner: dict[str, Any] = dict.fromkeys(field.name for field in attrs.fields(OrganizationView))
        async with self.begin() as tx:
            register = tx.within(PLATFORM)
            for key, name, kind in TENANTS:
                wallet = ChatWallet(id=100 + key, balance=Decimal("12.50"))
                register.tenants.know(Tenant(id=key, name=name, organization_type=kind), wallet=wallet)
            for key, organization_id, is_deleted in GRIDS:
                organization = OrganizationView(**{**owner, "id": organization_id})
                row = {"id": key, "organization_id": organization_id}
                row["deleted_at"] = self.plane.clock.now() if is_deleted else None
                register.grids.know(GridWithOrganization(**{**values, **row}, organization=organization))
            await tx.commit()

    async def messages(self) -> list[str]:
        return [act.message for act in self.begin().audit.acts if act.message]

    async def alerts(self) -> list[str]:
        tasks = self.plane.database.table("outbox_tasks").values()
        return [task.payload["code"] for task in tasks if task.kind == "ALERT"]

    async def give_meter(self, customer_id: int) -> None:
        async with self.begin() as tx:
            tx.within(PLATFORM).people.give_meter(customer_id)
            await tx.commit()

    async def wallet_of_agent(self, agent_id: int) -> Any:
        return self.plane.database.table("wallet_rows").get((AccountType.AGENT, agent_id))

    async def account_ids(self) -> list[int]:
        return sorted(self.plane.database.table("account_rows"))

    async def close(self) -> None:
        """Nothing is open."""


class PostgresPeople:
    """A world in a database; ``provider`` keeps the logins in place of the database itself."""

    def __init__(self, url: str, provider: IdentityProvider | None = None) -> None:
        self.pool = create_engine(url, pool_size=4)
        self.owner = create_async_engine(psycopg_url(url))
        self.provider = Faults(provider or PostgresIdentityProvider(self.pool, SystemClock()))
        self.contacts = PostgresContactClaims(self.pool)
        self.keys = PostgresIdempotencyKeys(self.pool)
        self.services = people_of(self, SystemClock())

    def begin(self) -> SupabaseUnitOfWork:
        return SupabaseUnitOfWork(self.pool, messages_of=lambda session: NotImplemented)

    async def found(self) -> None:
        async with self.owner.begin() as connection:
            rows: Sequence[Mapping[str, object]] = [
                {"id": key, "name": name, "organization_type": kind.value} for key, name, kind in TENANTS
            ]
            await connection.execute(insert(organizations), rows)
            await connection.execute(insert(wallets), [{"organization_id": key} for key, _, _ in TENANTS])
            for key, owner, is_deleted in GRIDS:
                row = {"id": key, "name": f"Grid {key}", "organization_id": owner}
                deleted_at = SystemClock().now() if is_deleted else None
                await connection.execute(insert(grids).values(**row, deleted_at=deleted_at))
            callers = ((CALLER, PLATFORM_ID), (SECOND_CALLER, SUNNY), (THIRD_CALLER, OTHER))
            for key, owner in callers:
                row = {"id": key, "full_name": "Caller", "organization_id": owner}
                await connection.execute(insert(accounts).values(**row))
            await connection.execute(insert(members).values(id=9011, account_id=CALLER, member_type="SUPERADMIN"))

    async def messages(self) -> list[str]:
        async with self.owner.connect() as connection:
            return list((await connection.execute(select(audits.c.message).order_by(audits.c.id))).scalars())

    async def alerts(self) -> list[str]:
        async with self.owner.connect() as connection:
            query = select(outbox_tasks.c.payload["code"].astext).where(outbox_tasks.c.kind == "ALERT")
            return list((await connection.execute(query)).scalars())

    async def give_meter(self, customer_id: int) -> None:
        async with self.owner.begin() as connection:
            values = "(:id, 'NGN', 1, false, false, true)"
            columns = "(customer_id, currency, women_impacted, is_public, is_commercial, is_residential)"
            statement = text(f"insert into connections {columns} values {values} returning id")
            made = await connection.execute(statement, {"id": customer_id})
            row = {"id": made.scalar_one(), "number": "47001000010"}
            await connection.execute(
                text(
                    "insert into meters (external_reference, external_system, communication_protocol, connection_id) "
                    "values (:number, 'CALIN', 'CALIN_LORAWAN', :id)"
                ),
                row,
            )

    async def run(self, statement: str) -> None:
        """Do something by hand."""
        async with self.owner.begin() as connection:
            await connection.execute(text(statement))

    async def wallet_of_agent(self, agent_id: int) -> Any:
        async with self.owner.connect() as connection:
            return (await connection.execute(select(wallets).where(wallets.c.agent_id == agent_id))).one_or_none()

    async def account_ids(self) -> list[int]:
        async with self.owner.connect() as connection:
            query = select(accounts.c.id).where(accounts.c.id < CALLER).order_by(accounts.c.id)
            return list((await connection.execute(query)).scalars())

    async def close(self) -> None:
        await self.pool.dispose()
        await self.owner.dispose()


@asynccontextmanager
async def with_stand_in(url: str) -> AsyncIterator[PostgresPeople]:
    """Lend a world whose logins are kept by the stand-in of Supabase Auth, over a socket, in the same database."""
    secret = "a-secret-of-at-least-thirty-two-characters"
    service = project_key(secret, "service_role")
    config = SupabaseConfig(jwt_secret=secret, anon_key="anon", service_role_key=service, relational_url=url)
    async with Simulators(SimulatorsConfig(supabase=config)) as sims:
        policy = CallPolicy(timeout_s=5.0, retry=RetryPolicy(attempts=1))
        gotrue = GoTrueIdentityProvider(sims.urls["supabase"], service, policy=policy)
        people = PostgresPeople(url, gotrue)
        await people.found()
        yield people
        await people.close()
        await gotrue.close()


TENANTS = (
    (PLATFORM_ID, "Platform", OrganizationType.SOLAR_DEVELOPER),
    (SUNNY, "Sunny Grids", OrganizationType.SOLAR_DEVELOPER),
    (OTHER, "Other Grids", OrganizationType.SOLAR_DEVELOPER),
    (LENDER, "Lender", OrganizationType.LENDER),
)
GRIDS = ((UMUOKE, SUNNY, False), (KALONDA, SUNNY, False), (SUNKEN, SUNNY, True), (ELSEWHERE, OTHER, False))


def caller(
    organization_id: int = SUNNY, member_type: MemberType | None = MemberType.FINANCE, name: str = "Ada"
) -> Principal:
    """Make a member who calls."""
    return Principal(
        account_id=CALLER,
        supabase_id=None,
        email=None,
        full_name=name,
        account_type=AccountType.MEMBER,
        member_type=member_type,
        organization_id=organization_id,
        organization_type=OrganizationType.SOLAR_DEVELOPER,
        is_admin_org=organization_id == PLATFORM_ID,
        member_id=11,
        agent_id=None,
        customer_id=None,
        grid_id=None,
        kind=CredentialKind.USER,
    )


OPERATOR = caller(PLATFORM_ID, MemberType.SUPERADMIN, "Operator")
ADA = caller()
STRANGER = caller(OTHER)


def invitation(**changes: Any) -> Invitation:
    return Invitation(
        **{
            "email": "bola@sunny.example",
            "full_name": "  Bola  ",
            "organization_id": SUNNY,
            "member_type": MemberType.TECH,
            **changes,
        }
    )


async def half_made(world: Any, new: NewLogin) -> Login:
    """Leave a login as a creation does that was cut off right after it."""
    login: Login = await world.provider.create(new)
    world.provider.calls.clear()
    return login
