"""Accounts and the people below them, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from nxt_adapters.memory.database import MemoryDatabase
from nxt_adapters.memory.listing import page_of
from nxt_adapters.memory.logins import new_account
from nxt_domain.identity.chat import ChatAccount, ChatWallet
from nxt_domain.identity.logins import Login
from nxt_domain.identity.model import AccountType
from nxt_domain.identity.people import (
    AccountView,
    AgentView,
    CustomerView,
    Holder,
    Invitation,
    MemberView,
    NewAgent,
    NewCustomer,
    NewTenant,
    Person,
    Tenant,
)
from nxt_domain.identity.rules import same_contact
from nxt_domain.identity.scope import Scope
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.paging import Page, Window

_TABLES = {
    AccountType.MEMBER: "member_rows",
    AccountType.AGENT: "agent_rows",
    AccountType.CUSTOMER: "customer_rows",
}


class _Rows:
    """The tables, and how their rows hang together."""

    def __init__(self, database: MemoryDatabase) -> None:
        self.database = database
        self.accounts: dict[int, AccountView] = database.table("account_rows")
        self.wallets: dict[tuple[AccountType, int], ChatWallet] = database.table("wallet_rows")
        self.tenants: dict[int, Tenant] = database.table("tenant_rows")
        self.metered: dict[int, bool] = database.table("metered_customers")

    def of(self, kind: AccountType) -> dict[int, Any]:
        return self.database.table(_TABLES[kind])

    def person_of(self, account: AccountView) -> Person | None:
        found = (
            self.person(kind, row) for kind in _TABLES for row in self.of(kind).values() if row.account_id == account.id
        )
        return next(found, None)

    def person(self, kind: AccountType, row: Any) -> Person:  # noqa: ANN401 - one of three views
        account = self.accounts[row.account_id]
        return Person(
            kind=kind,
            id=row.id,
            account_id=account.id,
            supabase_id=account.supabase_id,
            organization_id=account.organization_id,
            full_name=account.full_name,
            email=account.email,
            phone=account.phone,
            grid_id=getattr(row, "grid_id", None),
            member_type=getattr(row, "member_type", None),
            deleted_at=account.deleted_at,
        )

    def organization_of_grid(self, grid_id: int) -> int | None:
        grid = self.database.table("grid_views").get(grid_id)
        return None if grid is None or grid.deleted_at is not None else int(grid.organization_id)

    def owner(self, kind: AccountType, row: Any) -> int | None:  # noqa: ANN401 - one of three views
        if kind is AccountType.MEMBER:
            return self.accounts[row.account_id].organization_id
        owner: int | None = row.rls_organization_id
        return owner


class MemoryAccountRegister:
    """``AccountRegister`` over a ``MemoryDatabase``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._rows = _Rows(database)

    async def holders(self, *, email: str | None, phone: str | None) -> Sequence[Holder]:
        """See ``AccountRegister.holders``."""
        return [
            self._holder(account)
            for account in self._rows.accounts.values()
            if same_contact(account.email, email) or same_contact(account.phone, phone)
        ]

    async def ensure(self, login: Login) -> Holder:
        """See ``AccountRegister.ensure``."""
        account = next(self._of(login.id), None)
        if account is None:
            account = new_account(self._rows.database, login)
            self._rows.accounts[account.id] = account
        return self._holder(account)

    async def by_id(self, account_id: int) -> Holder | None:
        """See ``AccountRegister.by_id``."""
        account = self._rows.accounts.get(account_id)
        return None if account is None else self._holder(account)

    async def discard(self, login_id: str) -> bool:
        """See ``AccountRegister.discard``."""
        for account in list(self._of(login_id)):
            if self._rows.person_of(account) is None:
                del self._rows.accounts[account.id]
        return next(self._of(login_id), None) is None

    async def close(self, account_id: int, *, at: datetime) -> None:
        """See ``AccountRegister.close``."""
        account = self._rows.accounts[account_id]
        self._rows.accounts[account_id] = attrs.evolve(account, deleted_at=account.deleted_at or at)

    def _of(self, login_id: str) -> Iterator[AccountView]:
        return (account for account in self._rows.accounts.values() if account.supabase_id == login_id)

    def _holder(self, account: AccountView) -> Holder:
        return Holder(
            account_id=account.id,
            login_id=account.supabase_id,
            email=account.email,
            phone=account.phone,
            person=self._rows.person_of(account),
        )


class MemoryPeopleRegister:
    """``PeopleRegister`` over a ``MemoryDatabase``.

    Args:
        database: Shared with the other fakes.
        scope: Whose people.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._rows = _Rows(database)
        self._scope = scope

    async def find(self, kind: AccountType, person_id: int) -> Person | None:
        """See ``PeopleRegister.find``."""
        row = self._visible(kind, person_id)
        return None if row is None else self._rows.person(kind, row)

    async def add_member(self, account_id: int, invitation: Invitation) -> MemberView:
        """See ``PeopleRegister.add_member``."""
        view = MemberView(
            **self._born(AccountType.MEMBER, account_id),
            subscribed_to_telegram_revenue_notifications=False,
            member_type=invitation.member_type,
            busy_commissioning_id=invitation.busy_commissioning_id,
            training_level=0,
            rls_organization_id=self._rows.accounts[account_id].organization_id,
            hidden=False,
        )
        self._rows.of(AccountType.MEMBER)[view.id] = view
        return view

    async def add_agent(self, account_id: int, new: NewAgent) -> AgentView:
        """See ``PeopleRegister.add_agent``."""
        view = AgentView(
            **self._born(AccountType.AGENT, account_id),
            grid_id=new.grid_id,
            rls_organization_id=self._rows.organization_of_grid(new.grid_id),
        )
        self._rows.of(AccountType.AGENT)[view.id] = view
        wallet = ChatWallet(id=self._rows.database.next_id("wallet_rows"), balance=Decimal(0))
        self._rows.wallets[AccountType.AGENT, view.id] = wallet
        return view

    async def add_customer(self, account_id: int, new: NewCustomer) -> CustomerView:
        """See ``PeopleRegister.add_customer``."""
        view = CustomerView(
            **self._born(AccountType.CUSTOMER, account_id),
            gender=new.gender,
            total_connection_fee=new.total_connection_fee,
            total_connection_paid=Decimal(0),
            is_hidden_from_reporting=new.is_hidden_from_reporting,
            lives_primarily_in_the_community=new.lives_primarily_in_the_community,
            latitude=new.latitude,
            longitude=new.longitude,
            generator_owned=new.generator_owned,
            grid_id=new.grid_id,
            rls_organization_id=self._rows.organization_of_grid(new.grid_id),
        )
        self._rows.of(AccountType.CUSTOMER)[view.id] = view
        return view

    async def member(self, member_id: int) -> MemberView | None:
        """See ``PeopleRegister.member``."""
        row: MemberView | None = self._visible(AccountType.MEMBER, member_id)
        return row

    async def customer(self, customer_id: int) -> CustomerView | None:
        """See ``PeopleRegister.customer``."""
        row: CustomerView | None = self._visible(AccountType.CUSTOMER, customer_id)
        return row

    async def save_member(self, member: MemberView) -> None:
        """See ``PeopleRegister.save_member``."""
        self._rows.of(AccountType.MEMBER)[member.id] = member

    async def save_customer(self, customer: CustomerView) -> None:
        """See ``PeopleRegister.save_customer``."""
        self._rows.of(AccountType.CUSTOMER)[customer.id] = customer

    async def staff(self, window: Window, *, organization_id: int | None = None) -> Page[Person]:
        """See ``PeopleRegister.staff``."""
        kind = AccountType.MEMBER
        seen = [row for row in self._rows.of(kind).values() if self._scope.admits(self._rows.owner(kind, row))]
        people = [self._rows.person(kind, row) for row in seen]
        return page_of([one for one in people if organization_id in {None, one.organization_id}], window)

    async def account(self, account_id: int) -> AccountView:
        """See ``PeopleRegister.account``."""
        return self._rows.accounts[account_id]

    async def has_meters(self, customer_id: int) -> bool:
        """See ``PeopleRegister.has_meters``."""
        return customer_id in self._rows.metered

    def give_meter(self, customer_id: int) -> None:
        """Set up a customer with a meter."""
        self._rows.metered[customer_id] = True

    def _visible(self, kind: AccountType, person_id: int) -> Any:  # noqa: ANN401 - one of three views
        row = self._rows.of(kind).get(person_id)
        return row if row is not None and self._scope.admits(self._rows.owner(kind, row)) else None

    def _born(self, kind: AccountType, account_id: int) -> dict[str, Any]:
        if any(row.account_id == account_id for row in self._rows.of(kind).values()):
            raise Conflict("the account has one already", code="ALREADY_EXISTS")
        database = self._rows.database
        return {"id": database.next_id(_TABLES[kind]), "created_at": database.clock.now(), "account_id": account_id}


class MemoryTenantRegister:
    """``TenantRegister`` over a ``MemoryDatabase``.

    Args:
        database: Shared with the other fakes.
        scope: Whose organizations.
    """

    def __init__(self, database: MemoryDatabase, scope: Scope) -> None:
        self._rows = _Rows(database)
        self._scope = scope

    async def organization(self, organization_id: int) -> Tenant | None:
        """See ``TenantRegister.organization``."""
        return self._rows.tenants.get(organization_id) if self._scope.admits(organization_id) else None

    async def found(self, new: NewTenant) -> Tenant:
        """See ``TenantRegister.found``."""
        if any(tenant.name.lower() == new.name.lower() for tenant in self._rows.tenants.values()):
            raise Conflict("ux_organizations_name is violated", code="ALREADY_EXISTS")
        database = self._rows.database
        key = max([*self._rows.tenants, database.next_id("tenant_rows")], default=0) + 1
        tenant = Tenant(id=key, name=new.name, organization_type=new.organization_type)
        self.know(tenant, wallet=ChatWallet(id=database.next_id("wallet_rows"), balance=Decimal(0)))
        return tenant

    async def page(self, window: Window) -> Page[Tenant]:
        """See ``TenantRegister.page``."""
        return page_of([one for one in self._rows.tenants.values() if self._scope.admits(one.id)], window)

    async def organization_of_grid(self, grid_id: int) -> int | None:
        """See ``TenantRegister.organization_of_grid``."""
        owner = self._rows.organization_of_grid(grid_id)
        return owner if self._scope.admits(owner) else None

    def know(self, tenant: Tenant, *, wallet: ChatWallet | None = None) -> None:
        """Set up an organization, with a wallet if it has one."""
        self._rows.tenants[tenant.id] = tenant
        if wallet is not None:
            # An organization's wallet is that of its members.
            self._rows.wallets[AccountType.MEMBER, tenant.id] = wallet


class MemoryChatAccounts:
    """``ChatAccounts`` over a ``MemoryDatabase``."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._rows = _Rows(database)

    async def by_link_token(self, token: str, *, at: datetime) -> ChatAccount | None:
        """See ``ChatAccounts.by_link_token``; tokens in memory don't expire."""
        return self._find(lambda account: account.telegram_link_token == token and account.created_at <= at)

    async def by_telegram_id(self, telegram_id: str) -> ChatAccount | None:
        """See ``ChatAccounts.by_telegram_id``."""
        return self._find(lambda account: account.telegram_id == telegram_id)

    async def link(self, account_id: int, *, telegram_id: str, next_token: str) -> None:
        """See ``ChatAccounts.link``."""
        account = self._rows.accounts[account_id]
        self._rows.accounts[account_id] = attrs.evolve(account, telegram_id=telegram_id, telegram_link_token=next_token)

    async def purse(self, account_id: int) -> ChatWallet | None:
        """See ``ChatAccounts.purse``."""
        person = self._rows.person_of(self._rows.accounts[account_id])
        if person is None:
            return None
        owner = person.organization_id if person.kind is AccountType.MEMBER else person.id
        return None if owner is None else self._rows.wallets.get((person.kind, owner))

    def _find(self, is_wanted: Callable[[AccountView], bool]) -> ChatAccount | None:
        living = (account for account in self._rows.accounts.values() if account.deleted_at is None)
        found = next(filter(is_wanted, living), None)
        if found is None:
            return None
        return ChatAccount(id=found.id, full_name=found.full_name, telegram_id=found.telegram_id)
