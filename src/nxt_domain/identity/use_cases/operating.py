"""What operators do at the command line: found organizations, lock people out, hand out keys [API-54, API-182]."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from nxt_domain.identity.logins import BAN, LoginChange
from nxt_domain.identity.model import ApiKey
from nxt_domain.identity.people import Holder, NewTenant, Person, Tenant
from nxt_domain.identity.ports import Accounts, ApiKeyRegistry, IdentityProvider
from nxt_domain.identity.rules import create_api_key, may_own_key
from nxt_domain.identity.scope import PLATFORM
from nxt_domain.identity.use_cases.people_transaction import PeopleTransaction
from nxt_domain.shared.audit import Act, Actor, Subjects
from nxt_domain.shared.clock import Clock
from nxt_domain.shared.errors import Conflict, InvalidInput, NotFound
from nxt_domain.shared.paging import LONGEST_PAGE, Window
from nxt_domain.shared.unit_of_work import UnitOfWorkFactory

NO_BAN = timedelta(0)
_LONGEST_ID = 10


class OperateTenants:
    """Founds and lists organizations, and lists their members.

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[PeopleTransaction]) -> None:
        self._begin = begin

    async def found(self, actor: Actor, new: NewTenant) -> Tenant:
        """Store an organization with its wallet.

        Raises:
            InvalidInput: It has no name.
            Conflict: A live organization has this name.
        """
        if not new.name:
            raise InvalidInput("An organization needs a name", code="VALUE_REFUSED")
        async with self._begin() as tx:
            tenant = await tx.within(PLATFORM).tenants.found(new)
            await tx.audit.record(
                Act(
                    actor=actor,
                    action="organization.create",
                    entity_type="organization",
                    entity_id=tenant.id,
                    about=Subjects(organization_id=tenant.id),
                    after={"name": tenant.name, "organization_type": tenant.organization_type.value},
                )
            )
            await tx.commit()
        return tenant

    async def list(self) -> Sequence[Tenant]:
        """Return all live organizations by ascending id."""
        found: list[Tenant] = []
        after: int | None = 0
        async with self._begin() as tx:
            while after is not None:
                page = await tx.within(PLATFORM).tenants.page(Window(limit=LONGEST_PAGE, after=after))
                found += page.items
                after = page.next
        return found

    async def staff(self, *, organization_id: int | None = None) -> Sequence[Person]:
        """Return members by ascending id, of one organization or of all."""
        found: list[Person] = []
        after: int | None = 0
        async with self._begin() as tx:
            while after is not None:
                window = Window(limit=LONGEST_PAGE, after=after)
                page = await tx.within(PLATFORM).people.staff(window, organization_id=organization_id)
                found += page.items
                after = page.next
        return found


class OperateLogins:
    """Changes how people sign in.

    Args:
        begin: Opens a transaction.
        provider: Keeps logins.
    """

    def __init__(self, *, begin: UnitOfWorkFactory[PeopleTransaction], provider: IdentityProvider) -> None:
        self._begin = begin
        self._provider = provider

    async def lock(self, actor: Actor, who: str) -> Holder:
        """Forbid new sign-ins; tokens that are out work until they expire, but for routes that confirm the session.

        Args:
            actor: Who does it.
            who: E-mail, phone with plus, or account id.

        Raises:
            NotFound: There is no such account.
            Conflict: The account has no login.
        """
        return await self._change(actor, who, "login.lock", LoginChange(ban=BAN))

    async def unlock(self, actor: Actor, who: str) -> Holder:
        """Allow sign-ins again; see ``lock``."""
        return await self._change(actor, who, "login.unlock", LoginChange(ban=NO_BAN))

    async def set_password(self, actor: Actor, who: str, password: str) -> Holder:
        """Set a password; see ``lock`` for the rest.

        Raises:
            LoginRefused: It is too short.
        """
        return await self._change(actor, who, "login.set_password", LoginChange(password=password))

    async def _change(self, actor: Actor, who: str, action: str, change: LoginChange) -> Holder:
        holder = await self._holder(who)
        if holder.login_id is None:
            raise Conflict("This account has no login", code="NO_LOGIN")
        await self._provider.update(holder.login_id, change)
        async with self._begin() as tx:
            await tx.audit.record(Act(actor=actor, action=action, entity_type="account", entity_id=holder.account_id))
            await tx.commit()
        return holder

    async def _holder(self, who: str) -> Holder:
        async with self._begin() as tx:
            if who.isascii() and who.isdigit():
                found = [await tx.accounts.by_id(int(who))] if len(who) <= _LONGEST_ID else []
            else:
                is_email = "@" in who
                found = [*await tx.accounts.holders(email=who if is_email else None, phone=None if is_email else who)]
        holder = next(iter(found), None)
        if holder is None:
            raise NotFound(f"No account for {who}")
        return holder


class OperateKeys:
    """Hands out API keys, and takes them back [API-53, API-54].

    Args:
        keys: Keeps them.
        accounts: Their owners.
        clock: Tells the time.
    """

    def __init__(self, *, keys: ApiKeyRegistry, accounts: Accounts, clock: Clock) -> None:
        self._keys = keys
        self._accounts = accounts
        self._clock = clock

    async def create(
        self,
        account_id: int,
        *,
        name: str | None = None,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[int, str]:
        """Make a key and return its id and itself, which nobody can see again.

        Raises:
            NotFound: There is no such account.
            Conflict: Keys of this account would not count [API-51].
            InvalidInput: A scope is malformed.
        """
        owner = await self._accounts.get(account_id)
        if owner is None:
            raise NotFound(f"Account {account_id} not found")
        if not may_own_key(owner):
            raise Conflict("Only live members of an organization can own keys", code="NO_KEY_OWNER")
        key, stored = create_api_key(account_id, name=name, scopes=scopes, expires_at=expires_at)
        return await self._keys.add(stored), key

    async def list(self) -> Sequence[ApiKey]:
        """Return all keys, without the secrets."""
        return await self._keys.list()

    async def set_locked(self, key_id: int, *, locked: bool) -> None:
        """Lock or unlock a key; other processes follow within a minute [API-55].

        Raises:
            NotFound: There is no such key.
        """
        if not await self._keys.set_locked(key_id, locked=locked):
            raise NotFound(f"API key {key_id} not found")

    async def revoke(self, key_id: int) -> None:
        """End a key for good.

        Raises:
            NotFound: There is no such key.
        """
        if not await self._keys.revoke(key_id, at=self._clock.now()):
            raise NotFound(f"API key {key_id} not found")

    async def hash_plaintext(self) -> int:
        """Replace keys that are stored in plain text by their hashes; return how many there were."""
        return await self._keys.hash_plaintext()
