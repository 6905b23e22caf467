"""Members, agents and customers within a scope [API-75 … API-81]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Integer, RowMapping, Table, bindparam, exists, insert, select, update

from nxt_adapters.supabase.account_register import PERSON, to_person
from nxt_adapters.supabase.scoping import columns_of, kind_of, owned, owned_by, page_of, pages
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import (
    accounts,
    agents,
    connections,
    customers,
    grids,
    members,
    meters,
    organizations,
    wallets,
)
from nxt_adapters.supabase.written import Read
from nxt_domain.identity.model import AccountType, MemberType, OrganizationType
from nxt_domain.identity.people import (
    AccountView,
    AgentView,
    CustomerView,
    Gender,
    GeneratorType,
    Invitation,
    MemberView,
    NewAgent,
    NewCustomer,
    NewTenant,
    Person,
    Tenant,
)
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.paging import Page, Window

_TABLES: Final = {AccountType.MEMBER: members, AccountType.AGENT: agents, AccountType.CUSTOMER: customers}
# A member belongs where the account does; agents and customers where their grid does [API-64].
_OWNERS: Final[dict[AccountType, Column[int]]] = {
    AccountType.MEMBER: accounts.c.organization_id,
    AccountType.AGENT: agents.c.rls_organization_id,
    AccountType.CUSTOMER: customers.c.rls_organization_id,
}
_MEMBER: Final = columns_of(members, MemberView)
_AGENT: Final = columns_of(agents, AgentView)
_CUSTOMER: Final = columns_of(customers, CustomerView)
_ACCOUNT: Final = columns_of(accounts, AccountView)
_TENANT: Final = columns_of(organizations, Tenant)


@cache
def _pages_of_staff(scope: Scope, *, of_one: bool) -> Read:
    query = PERSON.where(members.c.id.is_not(None), owned(scope, _OWNERS[AccountType.MEMBER]))
    wanted = accounts.c.organization_id == bindparam("organization_id", type_=Integer)
    return pages(query.where(wanted) if of_one else query, members.c.id)


@cache
def _pages_of_tenants(scope: Scope) -> Read:
    query = select(*_TENANT).where(organizations.c.deleted_at.is_(None), owned(scope, organizations.c.id))
    return pages(query, organizations.c.id)


class PostgresPeopleRegister:
    """``PeopleRegister`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose people.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def find(self, kind: AccountType, person_id: int) -> Person | None:
        """See ``PeopleRegister.find``."""
        query = PERSON.where(_TABLES[kind].c.id == person_id, owned_by(self._scope, _OWNERS[kind]))
        row = (await self._session.execute(query)).mappings().one_or_none()
        return None if row is None else to_person(row)

    async def add_member(self, account_id: int, invitation: Invitation) -> MemberView:
        """See ``PeopleRegister.add_member``."""
        values = {
            "account_id": account_id,
            "member_type": invitation.member_type.value,
            "busy_commissioning_id": invitation.busy_commissioning_id,
        }
        return _member(await self._insert(members, values, _MEMBER))

    async def add_agent(self, account_id: int, new: NewAgent) -> AgentView:
        """See ``PeopleRegister.add_agent``."""
        row = await self._insert(agents, {"account_id": account_id, "grid_id": new.grid_id}, _AGENT)
        agent = AgentView(**row)
        await self._session.execute(insert(wallets).values(agent_id=agent.id, wallet_type="REAL"))
        return agent

    async def add_customer(self, account_id: int, new: NewCustomer) -> CustomerView:
        """See ``PeopleRegister.add_customer``."""
        values = {
            "account_id": account_id,
            "grid_id": new.grid_id,
            "gender": new.gender,
            "total_connection_fee": new.total_connection_fee,
            "is_hidden_from_reporting": new.is_hidden_from_reporting,
            "lives_primarily_in_the_community": new.lives_primarily_in_the_community,
            "latitude": new.latitude,
            "longitude": new.longitude,
            "generator_owned": new.generator_owned,
        }
        return _customer(await self._insert(customers, values, _CUSTOMER))

    async def member(self, member_id: int) -> MemberView | None:
        """See ``PeopleRegister.member``."""
        query = select(*_MEMBER).join(accounts, accounts.c.id == members.c.account_id)
        owned = owned_by(self._scope, _OWNERS[AccountType.MEMBER])
        row = (await self._session.execute(query.where(members.c.id == member_id, owned))).mappings().one_or_none()
        return None if row is None else _member(row)

    async def customer(self, customer_id: int) -> CustomerView | None:
        """See ``PeopleRegister.customer``."""
        owned = owned_by(self._scope, _OWNERS[AccountType.CUSTOMER])
        query = select(*_CUSTOMER).where(customers.c.id == customer_id, owned)
        row = (await self._session.execute(query)).mappings().one_or_none()
        return None if row is None else _customer(row)

    async def save_member(self, member: MemberView) -> None:
        """See ``PeopleRegister.save_member``."""
        values = {
            "member_type": member.member_type.value,
            "training_level": member.training_level,
            "subscribed_to_telegram_revenue_notifications": member.subscribed_to_telegram_revenue_notifications,
            "hidden": member.hidden,
            "busy_commissioning_id": member.busy_commissioning_id,
        }
        await self._session.execute(update(members).where(members.c.id == member.id).values(**values))

    async def save_customer(self, customer: CustomerView) -> None:
        """See ``PeopleRegister.save_customer``."""
        values = {
            "is_hidden_from_reporting": customer.is_hidden_from_reporting,
            "latitude": customer.latitude,
            "longitude": customer.longitude,
        }
        await self._session.execute(update(customers).where(customers.c.id == customer.id).values(**values))

    async def staff(self, window: Window, *, organization_id: int | None = None) -> Page[Person]:
        """See ``PeopleRegister.staff``."""
        read = _pages_of_staff(kind_of(self._scope), of_one=organization_id is not None)
        return await page_of(self._session, read, self._scope, window, to_person, organization_id=organization_id)

    async def account(self, account_id: int) -> AccountView:
        """See ``PeopleRegister.account``."""
        query = select(*_ACCOUNT).where(accounts.c.id == account_id)
        row = (await self._session.execute(query)).mappings().one()
        login = row["supabase_id"]
        return AccountView(**{**row, "supabase_id": None if login is None else str(login)})

    async def has_meters(self, customer_id: int) -> bool:
        """See ``PeopleRegister.has_meters``."""
        hanging = meters.join(connections, connections.c.id == meters.c.connection_id)
        found = exists().select_from(hanging).where(
            connections.c.customer_id == customer_id, meters.c.deleted_at.is_(None)
        )  # fmt: skip
        return bool((await self._session.execute(select(found))).scalar_one())

    async def _insert(
        self, table: Table, values: Mapping[str, object], columns: Sequence[ColumnElement[object]]
    ) -> RowMapping:
        return (await self._session.execute(insert(table).values(**values).returning(*columns))).mappings().one()


class PostgresTenantRegister:
    """``TenantRegister`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose organizations.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def organization(self, organization_id: int) -> Tenant | None:
        """See ``TenantRegister.organization``."""
        query = select(*_TENANT).where(
            organizations.c.id == organization_id,
            organizations.c.deleted_at.is_(None),
            owned_by(self._scope, organizations.c.id),
        )
        row = (await self._session.execute(query)).mappings().one_or_none()
        return None if row is None else _tenant(row)

    async def found(self, new: NewTenant) -> Tenant:
        """See ``TenantRegister.found``."""
        values = {
            "name": new.name,
            "formal_name": new.formal_name,
            "email": new.email,
            "organization_type": new.organization_type.value,
        }
        statement = insert(organizations).values(**values).returning(*_TENANT)
        tenant = _tenant((await self._session.execute(statement)).mappings().one())
        await self._session.execute(insert(wallets).values(organization_id=tenant.id, wallet_type="REAL"))
        return tenant

    async def page(self, window: Window) -> Page[Tenant]:
        """See ``TenantRegister.page``."""
        return await page_of(self._session, _pages_of_tenants(kind_of(self._scope)), self._scope, window, _tenant)

    async def organization_of_grid(self, grid_id: int) -> int | None:
        """See ``TenantRegister.organization_of_grid``."""
        query = select(grids.c.organization_id).where(
            grids.c.id == grid_id, grids.c.deleted_at.is_(None), owned_by(self._scope, grids.c.organization_id)
        )
        return (await self._session.execute(query)).scalar_one_or_none()


def _tenant(row: Mapping[Any, Any]) -> Tenant:
    return Tenant(**{**row, "organization_type": OrganizationType(row["organization_type"])})


def _member(row: RowMapping) -> MemberView:
    return MemberView(**{**row, "member_type": MemberType(row["member_type"])})


def _customer(row: RowMapping) -> CustomerView:
    gender, generator = row["gender"], row["generator_owned"]
    own = {
        "gender": None if gender is None else Gender(gender),
        "generator_owned": None if generator is None else GeneratorType(generator),
    }
    return CustomerView(**{**row, **own})
