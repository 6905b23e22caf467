"""The first person of an installation: somebody has to invite the others [REL-170]."""

from __future__ import annotations

from functools import partial

from nxt_domain.identity.logins import NewLogin, claims_of
from nxt_domain.identity.model import AccountType, MemberType
from nxt_domain.identity.people import Invitation, MemberView
from nxt_domain.identity.ports import IdentityProvider
from nxt_domain.identity.scope import PLATFORM
from nxt_domain.identity.use_cases.people_transaction import PeopleTransaction
from nxt_domain.identity.use_cases.person_maker import Draft, PersonMaker
from nxt_domain.shared.audit import Act, Actor, ActorKind, Subjects
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory

OPERATOR = Actor(kind=ActorKind.OPERATOR, label="Operator at the command line")


class EnsureSuperadmin:
    """Makes a superadmin of the platform's own organization, confirmed from the start, without anybody's invitation.

    Args:
        begin: Opens a transaction.
        provider: Keeps logins.
        maker: Makes logins with accounts, and takes them back.
        admin_organization_id: The platform's own organization.
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

    async def __call__(self, new: NewLogin) -> MemberView | None:
        """Make the person, once.

        Args:
            new: With e-mail; without password they choose one by "forgot password".

        Returns:
            None: A member of the organization has this e-mail already.

        Raises:
            InvalidInput: No e-mail.
            LoginTaken: The e-mail is somebody else's.
        """
        if not new.email:
            raise InvalidInput("A superadmin needs an e-mail address", code="VALUE_REFUSED")
        if await self._is_there(new.email):
            return None
        async with self._maker.person(self._draft(new)) as made, self._begin() as tx:
            await self._maker.hold(tx, made)
            member = await tx.within(PLATFORM).people.add_member(made.account_id, self._place(new.email, new.full_name))
            await tx.audit.record(self._made(member, new.full_name))
            await tx.commit()
        return member

    async def _is_there(self, email: str) -> bool:
        async with self._begin() as tx:
            people = [holder.person for holder in await tx.accounts.holders(email=email, phone=None)]
        return any(
            person is not None
            and person.kind is AccountType.MEMBER
            and person.organization_id == self._admin_organization_id
            and person.deleted_at is None
            for person in people
        )

    def _draft(self, new: NewLogin) -> Draft:
        return Draft(
            full_name=new.full_name,
            email=new.email,
            phone=None,
            make=partial(self._provider.create, new),
            claims=lambda account_id: claims_of(
                account_id=account_id,
                account_type=AccountType.MEMBER,
                organization_id=self._admin_organization_id,
                member_type=MemberType.SUPERADMIN,
            ),
        )

    def _place(self, email: str, full_name: str) -> Invitation:
        return Invitation(
            email=email,
            full_name=full_name,
            organization_id=self._admin_organization_id,
            member_type=MemberType.SUPERADMIN,
        )

    def _made(self, member: MemberView, full_name: str) -> Act:
        return Act(
            actor=OPERATOR,
            action="member.create",
            entity_type="member",
            entity_id=member.id,
            message=f"{OPERATOR.label} made {full_name} the first superadmin",
            about=Subjects(organization_id=self._admin_organization_id, member_id=member.id),
            after={"full_name": full_name, "member_type": MemberType.SUPERADMIN.value},
        )
