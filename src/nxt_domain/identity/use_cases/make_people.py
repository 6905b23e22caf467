"""New members, agents and customers [API-75, API-77, API-79]."""

from __future__ import annotations

import uuid
from functools import partial

import attrs

from nxt_domain.identity.logins import Login, NewLogin, claims_of
from nxt_domain.identity.model import AccountType, Principal
from nxt_domain.identity.people import (
    AgentView,
    Invitation,
    MemberView,
    NewAgent,
    NewCustomer,
    NewCustomerView,
    Person,
    Tenant,
)
from nxt_domain.identity.ports import IdentityProvider
from nxt_domain.identity.ranks import require_admin_organization, require_assignable
from nxt_domain.identity.rules import actor_of
from nxt_domain.identity.scope import Scope, scope_of
from nxt_domain.identity.use_cases.people_transaction import PeopleTransaction, owner_of_grid, require_position
from nxt_domain.identity.use_cases.person_maker import Draft, PersonMaker
from nxt_domain.shared.audit import Act, Actor, Subjects
from nxt_domain.shared.errors import NotFound
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory


class EnrolMember:
    """Makes somebody a member of an organization, on whose behalf ever [API-172].

    Args:
        begin: Opens a transaction.
        provider: Keeps logins.
        maker: Makes logins with accounts, and takes them back.
        admin_organization_id: The platform's own organization, the only one with superadmins.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[PeopleTransaction],
        provider: IdentityProvider,
        maker: PersonMaker,
        admin_organization_id: int,
    ) -> None:
        self._begin = begin
        self._provider = provider
        self._maker = maker
        self._admin_organization_id = admin_organization_id

    async def __call__(
        self, actor: Actor, scope: Scope, invitation: Invitation, *, password: str | None = None
    ) -> MemberView:
        """Invite by mail, or with a password make a confirmed login; a colleague who did not answer is invited again.

        Args:
            actor: Who does it, for the feed.
            scope: Whose organizations and grids they reach.
            invitation: The member to be.
            password: None: a mail is sent.

        Raises:
            Forbidden: The role belongs to the platform alone.
            NotFound: No such organization or grid within the scope.
            LoginTaken: The e-mail is somebody else's.
        """
        require_admin_organization(invitation.member_type, invitation.organization_id, self._admin_organization_id)
        async with self._begin() as tx:
            tenant = await self._tenant(tx, scope, invitation)
            pending = None if password else await self._colleague(tx, scope, invitation)
        if pending is not None:
            await self._send(invitation)
            return pending
        draft = self._draft(invitation, tenant, password)
        async with self._maker.person(draft) as made, self._begin() as tx:
            await self._maker.hold(tx, made)
            member = await tx.within(scope).people.add_member(made.account_id, invitation)
            await tx.audit.record(_invited(actor, invitation, member))
            await tx.commit()
        return member

    async def _tenant(self, tx: PeopleTransaction, scope: Scope, invitation: Invitation) -> Tenant:
        tenants = tx.within(scope).tenants
        tenant = await tenants.organization(invitation.organization_id)
        if tenant is None:
            raise NotFound(f"Organization {invitation.organization_id} not found")
        if invitation.busy_commissioning_id is not None:
            await owner_of_grid(tenants, invitation.busy_commissioning_id)
        return tenant

    async def _colleague(self, tx: PeopleTransaction, scope: Scope, invitation: Invitation) -> MemberView | None:
        """Find a live member of the same organization with the same e-mail, who may be waiting for the mail."""
        for holder in await tx.accounts.holders(email=invitation.email, phone=None):
            person = holder.person
            if person is not None and _is_colleague(person, invitation.organization_id):
                return await tx.within(scope).people.member(person.id)
        return None

    def _draft(self, invitation: Invitation, tenant: Tenant, password: str | None) -> Draft:
        login = NewLogin(full_name=invitation.full_name, email=invitation.email, password=password)
        return Draft(
            full_name=invitation.full_name,
            email=invitation.email,
            phone=None,
            make=partial(self._provider.create, login) if password else partial(self._send, invitation),
            claims=lambda account_id: claims_of(
                account_id=account_id,
                account_type=AccountType.MEMBER,
                organization_id=invitation.organization_id,
                member_type=invitation.member_type,
                organization_type=tenant.organization_type,
            ),
        )

    async def _send(self, invitation: Invitation) -> Login:
        return await self._provider.invite(
            invitation.email, full_name=invitation.full_name, redirect_to=invitation.redirect_to
        )


class InviteMember:
    """Lets a member invite somebody by mail, in no role above their own [API-75].

    Args:
        enrol: Makes members.
    """

    def __init__(self, enrol: EnrolMember) -> None:
        self._enrol = enrol

    async def __call__(self, caller: Principal, invitation: Invitation) -> MemberView:
        """Invite.

        Raises:
            Forbidden: The role is above the caller's own.
            NotFound: No such organization or grid for this caller.
            LoginTaken: The e-mail is somebody else's.
        """
        require_assignable(caller, invitation.member_type)
        return await self._enrol(actor_of(caller), scope_of(caller), invitation)


class CreateAgent:
    """Makes an agent of a grid, with a wallet [API-174].

    Args:
        begin: Opens a transaction.
        provider: Keeps logins.
        maker: Makes logins with accounts, and takes them back.
    """

    def __init__(
        self, *, begin: UnitOfWorkFactory[PeopleTransaction], provider: IdentityProvider, maker: PersonMaker
    ) -> None:
        self._begin = begin
        self._provider = provider
        self._maker = maker

    async def __call__(self, caller: Principal, new: NewAgent) -> AgentView:
        """Make an agent.

        Raises:
            NotFound: No such grid for this caller.
            LoginTaken: The phone or e-mail is somebody's.
        """
        async with self._begin() as tx:
            organization_id = await owner_of_grid(tx.within(scope_of(caller)).tenants, new.grid_id)
        login = NewLogin(full_name=new.full_name, phone=new.phone, email=new.email)
        draft = _resident(self._provider, login, AccountType.AGENT, organization_id, new.grid_id)
        async with self._maker.person(draft) as made, self._begin() as tx:
            await self._maker.hold(tx, made)
            agent = await tx.within(scope_of(caller)).people.add_agent(made.account_id, new)
            about = Subjects(organization_id=organization_id, grid_id=new.grid_id, agent_id=agent.id)
            await tx.audit.record(_created(caller, AccountType.AGENT, agent.id, new.full_name, about))
            await tx.commit()
        return agent


class CreateCustomer:
    """Makes a customer of a grid [API-175].

    Args:
        begin: Opens a transaction.
        provider: Keeps logins.
        maker: Makes logins with accounts, and takes them back.
        placeholder_domain: Of the e-mails of customers who have neither e-mail nor phone [API-79].
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[PeopleTransaction],
        provider: IdentityProvider,
        maker: PersonMaker,
        placeholder_domain: str = "gmail.com",
    ) -> None:
        self._begin = begin
        self._provider = provider
        self._maker = maker
        self._placeholder_domain = placeholder_domain

    async def __call__(self, caller: Principal, new: NewCustomer) -> NewCustomerView:
        """Make a customer.

        Raises:
            InvalidInput: Half a position.
            NotFound: No such grid for this caller.
            LoginTaken: The phone or e-mail is somebody's.
        """
        require_position(new.latitude, new.longitude)
        async with self._begin() as tx:
            organization_id = await owner_of_grid(tx.within(scope_of(caller)).tenants, new.grid_id)
        draft = self._draft(new, organization_id)
        async with self._maker.person(draft) as made, self._begin() as tx:
            await self._maker.hold(tx, made)
            people = tx.within(scope_of(caller)).people
            customer = await people.add_customer(made.account_id, new)
            account = await people.account(made.account_id)
            about = Subjects(organization_id=organization_id, grid_id=new.grid_id, customer_id=customer.id)
            await tx.audit.record(_created(caller, AccountType.CUSTOMER, customer.id, new.full_name, about))
            await tx.commit()
        return NewCustomerView(**attrs.asdict(customer), account=account)

    def _draft(self, new: NewCustomer, organization_id: int) -> Draft:
        is_nameless = not new.email and not new.phone
        email = f"{uuid.uuid4()}@{self._placeholder_domain}" if is_nameless else new.email
        login = NewLogin(full_name=new.full_name, phone=new.phone, email=email)
        draft = _resident(self._provider, login, AccountType.CUSTOMER, organization_id, new.grid_id)
        return attrs.evolve(draft, is_nameless=is_nameless)


def _resident(
    provider: IdentityProvider, login: NewLogin, kind: AccountType, organization_id: int, grid_id: int
) -> Draft:
    return Draft(
        full_name=login.full_name,
        email=login.email,
        phone=login.phone,
        make=partial(provider.create, login),
        claims=lambda account_id: claims_of(
            account_id=account_id, account_type=kind, organization_id=organization_id, grid_id=grid_id
        ),
    )


def _is_colleague(person: Person, organization_id: int) -> bool:
    is_there = person.kind is AccountType.MEMBER and person.organization_id == organization_id
    return is_there and person.deleted_at is None


def _invited(actor: Actor, invitation: Invitation, member: MemberView) -> Act:
    role = invitation.member_type.value
    return Act(
        actor=actor,
        action="member.invite",
        entity_type="member",
        entity_id=member.id,
        message=f"{actor.label} invited a new member {invitation.full_name} ({invitation.email}) with {role} role",
        about=Subjects(organization_id=invitation.organization_id, member_id=member.id),
        after={"full_name": invitation.full_name, "member_type": role},
    )


def _created(caller: Principal, kind: AccountType, person_id: int, full_name: str, about: Subjects) -> Act:
    word = kind.value.lower()
    return Act(
        actor=actor_of(caller),
        action=f"{word}.create",
        entity_type=word,
        entity_id=person_id,
        message=f"{caller.full_name} created a new {word} {full_name}",
        about=about,
        after={"full_name": full_name},
    )
