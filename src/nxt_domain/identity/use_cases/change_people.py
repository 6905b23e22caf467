"""Changes of members, agents and customers, and their end [API-76, API-78, API-80, API-81]."""

from __future__ import annotations

from typing import TypeVar

import attrs

from nxt_domain.identity.logins import BAN, LoginChange
from nxt_domain.identity.model import AccountType, Principal
from nxt_domain.identity.people import (
    ChangedMember,
    ChangedResident,
    ContactChange,
    CustomerChange,
    CustomerView,
    DeletedPerson,
    MemberChange,
    MemberView,
    Person,
)
from nxt_domain.identity.ports import IdentityProvider
from nxt_domain.identity.ranks import require_admin_organization, require_assignable, require_not_above
from nxt_domain.identity.rules import actor_of
from nxt_domain.identity.scope import scope_of
from nxt_domain.identity.use_cases.people_transaction import (
    HasPeople,
    PeopleTransaction,
    known,
    living,
    login_of,
    owner_of_grid,
    require_position,
    subjects_of,
)
from nxt_domain.shared.audit import Act
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.idempotency import preparing
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory

T = TypeVar("T")


class _PeopleUseCase:
    """Changes over two systems: our rows first, then the login, then the record of the act.

    Args:
        begin: Opens a transaction.
        provider: Keeps logins.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[PeopleTransaction], provider: IdentityProvider) -> None:
        self._begin = begin
        self._provider = provider

    async def _record(self, act: Act) -> None:
        async with self._begin() as tx:
            await tx.audit.record(act)
            await tx.commit()


class UpdateMember(_PeopleUseCase):
    """Changes a member; the new role counts at once, and in tokens from their next refresh on [API-173].

    Args:
        begin: Opens a transaction.
        provider: Keeps logins.
        admin_organization_id: The platform's own organization, the only one with superadmins.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[PeopleTransaction],
        provider: IdentityProvider,
        admin_organization_id: int,
    ) -> None:
        super().__init__(begin=begin, provider=provider)
        self._admin_organization_id = admin_organization_id

    async def __call__(self, caller: Principal, change: MemberChange) -> ChangedMember:
        """Change a member; when the identity provider fails, nothing has changed.

        Raises:
            NotFound: No such member or grid for this caller.
            Forbidden: The new role is above the caller's own.
        """
        with preparing():
            async with self._begin() as tx:
                person, before = await self._load(tx.within(scope_of(caller)), caller, change)
                login_id = login_of(person)
                after = _changed(before, change)
                await tx.within(scope_of(caller)).people.save_member(after)
                await tx.commit()
        try:
            claims = {"member_type": change.member_type.value}
            await self._provider.update(login_id, LoginChange(full_name=change.full_name, app_metadata=claims))
        except BaseException:
            await self._restore(caller, before)
            raise
        await self._record(_updated(caller, person, change.full_name, before, after))
        return ChangedMember(id=person.id, account=person.account)

    async def _load(self, tenant: HasPeople, caller: Principal, change: MemberChange) -> tuple[Person, MemberView]:
        person = await living(tenant.people, AccountType.MEMBER, change.id)
        member = _there(await tenant.people.member(change.id))
        if change.member_type is not member.member_type:
            require_assignable(caller, change.member_type)
            require_admin_organization(change.member_type, person.organization_id, self._admin_organization_id)
        is_new_grid = change.busy_commissioning_id not in {None, member.busy_commissioning_id}
        if is_new_grid and change.busy_commissioning_id is not None:
            await owner_of_grid(tenant.tenants, change.busy_commissioning_id)
        return person, member

    async def _restore(self, caller: Principal, before: MemberView) -> None:
        with preparing():
            async with self._begin() as tx:
                await tx.within(scope_of(caller)).people.save_member(before)
                await tx.commit()


class UpdateAgent(_PeopleUseCase):
    """Changes the name and contact of an agent, without a message to confirm [API-176]."""

    async def __call__(self, caller: Principal, change: ContactChange) -> ChangedResident:
        """Change an agent.

        Raises:
            NotFound: No such agent for this caller.
            LoginRefused: The phone or e-mail is taken.
        """
        async with self._begin() as tx:
            person = await living(tx.within(scope_of(caller)).people, AccountType.AGENT, change.id)
        await self._provider.update(login_of(person), _contact(change))
        await self._record(_renamed(caller, person, change.full_name))
        return _answer(person)


class UpdateCustomer(_PeopleUseCase):
    """Changes a customer and the login behind it [API-176]."""

    async def __call__(self, caller: Principal, change: CustomerChange) -> ChangedResident:
        """Change a customer; when the identity provider fails, nothing has changed.

        Raises:
            InvalidInput: Half a position.
            NotFound: No such customer for this caller.
            LoginRefused: The phone or e-mail is taken.
        """
        with preparing():
            async with self._begin() as tx:
                people = tx.within(scope_of(caller)).people
                person = await living(people, AccountType.CUSTOMER, change.id)
                login_id = login_of(person)
                before = _there(await people.customer(change.id))
                await people.save_customer(_moved(before, change))
                await tx.commit()
        try:
            await self._provider.update(login_id, _contact(change))
        except BaseException:
            await self._restore(caller, before)
            raise
        await self._record(_renamed(caller, person, change.full_name))
        return _answer(person)

    async def _restore(self, caller: Principal, before: CustomerView) -> None:
        with preparing():
            async with self._begin() as tx:
                await tx.within(scope_of(caller)).people.save_customer(before)
                await tx.commit()


class DeletePerson(_PeopleUseCase):
    """Ends a person's access at once, and keeps their rows [API-177].

    Args:
        begin: Opens a transaction.
        provider: Keeps logins.
        clock: Tells the time.
    """

    def __init__(
        self, *, begin: UnitOfWorkFactory[PeopleTransaction], provider: IdentityProvider, clock: Clock
    ) -> None:
        super().__init__(begin=begin, provider=provider)
        self._clock = clock

    async def __call__(self, caller: Principal, kind: AccountType, person_id: int) -> DeletedPerson:
        """Delete a person; calling again completes what failed, and changes nothing else.

        Raises:
            NotFound: No such person for this caller.
            Forbidden: A member who ranks above the caller.
            Conflict: A customer whose connections still have meters.
        """
        with preparing():
            async with self._begin() as tx:
                person = await self._close(tx, caller, kind, person_id)
                await tx.commit()
        if await self._ban(person):
            await self._record(_deleted(caller, person))
        return DeletedPerson(accountType=kind, full_name=person.full_name or "")

    async def _close(self, tx: PeopleTransaction, caller: Principal, kind: AccountType, person_id: int) -> Person:
        people = tx.within(scope_of(caller)).people
        person = await known(people, kind, person_id)
        if kind is AccountType.MEMBER:
            require_not_above(caller, person.member_type)
        if kind is AccountType.CUSTOMER and await people.has_meters(person_id):
            raise Conflict("Can't delete customers with meters assigned", code="METERS_ASSIGNED")
        await tx.accounts.close(person.account_id, at=self._clock.now())
        return person

    async def _ban(self, person: Person) -> bool:
        """Forbid new logins; False: nothing was left to do."""
        if person.supabase_id is None:
            return person.deleted_at is None
        login = await self._provider.find(login_id=person.supabase_id)
        # Without a login there is nobody to keep out.
        if login is None or login.is_banned(self._clock.now()):
            return person.deleted_at is None
        await self._provider.update(person.supabase_id, LoginChange(ban=BAN))
        return True


def _there(row: T | None) -> T:
    if row is None:
        raise Conflict("The record changed meanwhile")
    return row


def _changed(before: MemberView, change: MemberChange) -> MemberView:
    return attrs.evolve(
        before,
        member_type=change.member_type,
        training_level=change.training_level,
        subscribed_to_telegram_revenue_notifications=change.subscribed_to_telegram_revenue_notifications,
        hidden=change.hidden,
        busy_commissioning_id=before.busy_commissioning_id if change.keeps_grid else change.busy_commissioning_id,
    )


def _moved(before: CustomerView, change: CustomerChange) -> CustomerView:
    after = attrs.evolve(before, is_hidden_from_reporting=change.is_hidden_from_reporting)
    if not change.keeps_position:
        require_position(change.latitude, change.longitude)
        after = attrs.evolve(after, latitude=change.latitude, longitude=change.longitude)
    return after


def _contact(change: ContactChange) -> LoginChange:
    return LoginChange(full_name=change.full_name, phone=change.phone, email=change.email)


def _answer(person: Person) -> ChangedResident:
    return ChangedResident(id=person.id, grid_id=_there(person.grid_id), account=person.account)


def _updated(caller: Principal, person: Person, full_name: str, before: MemberView, after: MemberView) -> Act:
    fields = [field.name for field in attrs.fields(MemberView)]
    changed = [name for name in fields if getattr(before, name) != getattr(after, name)]
    return Act(
        actor=actor_of(caller),
        action="member.update",
        entity_type="member",
        entity_id=person.id,
        message=f"{caller.full_name} made updates to member {full_name}",
        about=subjects_of(person),
        before={"full_name": person.full_name} | {name: getattr(before, name) for name in changed},
        after={"full_name": full_name} | {name: getattr(after, name) for name in changed},
    )


def _renamed(caller: Principal, person: Person, full_name: str) -> Act:
    word = person.kind.value.lower()
    return Act(
        actor=actor_of(caller),
        action=f"{word}.update",
        entity_type=word,
        entity_id=person.id,
        message=f"{caller.full_name} updated {word} {full_name}",
        about=subjects_of(person),
        before={"full_name": person.full_name},
        after={"full_name": full_name},
    )


def _deleted(caller: Principal, person: Person) -> Act:
    word = person.kind.value.lower()
    return Act(
        actor=actor_of(caller),
        action=f"{word}.delete",
        entity_type=word,
        entity_id=person.id,
        message=f"{caller.full_name} deleted {word} {person.full_name or ''}".rstrip(),
        about=subjects_of(person),
    )
