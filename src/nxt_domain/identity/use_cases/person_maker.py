"""Login first, person after: a creation over two systems that leaves nothing half-made [API-171, REL-100]."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import attrs

from nxt_domain.identity.logins import EMAIL_TAKEN, PHONE_TAKEN, Login, LoginChange, LoginTaken
from nxt_domain.identity.people import Holder
from nxt_domain.identity.ports import ContactClaims, IdentityProvider
from nxt_domain.identity.rules import same_contact
from nxt_domain.identity.use_cases.people_transaction import PeopleTransaction
from nxt_domain.shared.alerts import alert
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import DomainError, Unavailable
from nxt_domain.shared.idempotency import preparing
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory

HALF_MADE = "HALF_MADE_PERSON"


@attrs.frozen(kw_only=True)
class Draft:
    """A person to be.

    Attributes:
        make: Makes the login at the provider.
        claims: Writes its application metadata, once the account's id is known.
        is_nameless: The e-mail was made up: nobody could ask for it again, so a lost login is looked for at once.
    """

    full_name: str
    email: str | None
    phone: str | None
    make: Callable[[], Awaitable[Login]]
    claims: Callable[[int], Mapping[str, object]]
    is_nameless: bool = False


@attrs.frozen(kw_only=True)
class Made:
    """A login with its account, ready for the person's own row."""

    login: Login
    account_id: int


class PersonMaker:
    """Makes the login and the account of a person, and takes them back when what follows fails.

    Args:
        begin: Opens a transaction.
        provider: Keeps logins.
        contacts: Keeps attempts with the same e-mail or phone apart.
        clock: Tells the time.
    """

    def __init__(
        self,
        *,
        begin: UnitOfWorkFactory[PeopleTransaction],
        provider: IdentityProvider,
        contacts: ContactClaims,
        clock: Clock,
    ) -> None:
        self._begin = begin
        self._provider = provider
        self._contacts = contacts
        self._clock = clock

    @asynccontextmanager
    async def person(self, draft: Draft) -> AsyncIterator[Made]:
        """Lend a login with its account; whatever fails inside, both are gone afterwards.

        What a failed clean-up left behind is adopted by the next attempt with the same e-mail or phone.

        Raises:
            LoginTaken: The e-mail or phone is somebody's.
            DomainError: Of the step that failed.
        """
        async with self._contacts.claimed(email=draft.email, phone=draft.phone) as is_alone:
            if not is_alone:
                raise LoginTaken(EMAIL_TAKEN if draft.phone is None else PHONE_TAKEN)
            login, is_ours = await self._obtain(draft)
            try:
                account_id = await self._account(login)
                await self._provider.update(login.id, LoginChange(app_metadata=draft.claims(account_id)))
                yield Made(login=login, account_id=account_id)
            except BaseException:
                if is_ours:
                    await self._undo(login)
                raise

    async def hold(self, tx: PeopleTransaction, made: Made) -> None:
        """Lock the account until the person's row is committed, and make sure that it is still nobody's.

        Raises:
            LoginTaken: Another attempt was first.
        """
        _require_vacant(await tx.accounts.ensure(made.login))

    async def _obtain(self, draft: Draft) -> tuple[Login, bool]:
        """Make the login, or adopt one that an earlier attempt left; the flag says whether it is new."""
        half_made = await self._half_made(draft)
        try:
            return await draft.make(), half_made is None
        except LoginTaken:
            login = await self._left_behind(draft, half_made)
            if login is None:
                raise
        except Unavailable:
            if draft.is_nameless:
                await self._look_for(draft)
            raise
        change = LoginChange(full_name=draft.full_name, email=draft.email, phone=draft.phone)
        return await self._provider.update(login.id, change), False

    async def _half_made(self, draft: Draft) -> Holder | None:
        async with self._begin() as tx:
            holders = await tx.accounts.holders(email=draft.email, phone=draft.phone)
        for holder in holders:
            if holder.person is not None:
                is_email = draft.email is not None and same_contact(holder.email, draft.email)
                raise LoginTaken(EMAIL_TAKEN if is_email else PHONE_TAKEN)
        return next(iter(holders), None)

    async def _left_behind(self, draft: Draft, half_made: Holder | None) -> Login | None:
        if half_made is not None and half_made.login_id is not None:
            return await self._provider.find(login_id=half_made.login_id)
        return await self._provider.find(email=draft.email, phone=draft.phone)

    async def _look_for(self, draft: Draft) -> None:
        with suppress(DomainError):
            lost = await self._provider.find(email=draft.email)
            if lost is not None:
                await self._undo(lost)

    async def _account(self, login: Login) -> int:
        with preparing():
            async with self._begin() as tx:
                holder = await tx.accounts.ensure(login)
                await tx.commit()
        _require_vacant(holder)
        return holder.account_id

    async def _undo(self, login: Login) -> None:
        try:
            with preparing():
                async with self._begin() as tx:
                    is_nobodys = await tx.accounts.discard(login.id)
                    await tx.commit()
            # A commit of unknown fate may have made the person after all: then the login is theirs.
            if is_nobodys:
                await self._provider.delete(login.id)
        except DomainError as trouble:
            await self._call_for_help(login, trouble)

    async def _call_for_help(self, login: Login, trouble: DomainError) -> None:
        # While the database is away nobody can be told; the next attempt adopts the login all the same.
        with suppress(DomainError), preparing():
            async with self._begin() as tx:
                task = alert(
                    HALF_MADE,
                    f"login:{login.id}",
                    "A login without a person could not be removed; the next attempt with its e-mail or phone takes it",
                    at=self._clock.now(),
                    facts={"login_id": login.id, "reason": trouble.code},
                )
                await tx.outbox.add([task])
                await tx.commit()


def _require_vacant(holder: Holder) -> None:
    if holder.person is not None:
        raise LoginTaken(EMAIL_TAKEN if holder.phone is None else PHONE_TAKEN)
