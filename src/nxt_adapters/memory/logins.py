"""An identity provider in memory, with the triggers that mirror logins in accounts [REL-97, REL-98]."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs

from nxt_adapters.memory.database import MemoryDatabase, MemoryTransaction
from nxt_domain.identity.logins import EMAIL_TAKEN, PHONE_TAKEN, Login, LoginChange, LoginTaken, NewLogin
from nxt_domain.identity.people import AccountView
from nxt_domain.identity.rules import bare_phone, same_contact
from nxt_domain.shared.errors import DomainError, InvalidInput, NotFound, Unavailable
from nxt_domain.shared.idempotency import preparing


@attrs.frozen(kw_only=True)
class StoredLogin:
    """A login as it is kept.

    Attributes:
        is_confirmed: False: invited, and not signed in yet.
    """

    login: Login
    password: str | None = None
    is_confirmed: bool = True


class MemoryIdentityProvider:
    """``IdentityProvider`` over the table ``logins`` of a ``MemoryDatabase``.

    Attributes:
        sent: E-mails that an invitation went to, with where its link leads.
        refusals: What a method raises instead of doing anything, by its name.
        losses: Methods that do their work and lose their answer.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._logins: dict[str, StoredLogin] = database.table("logins")
        self._accounts: dict[int, AccountView] = database.table("account_rows")
        self.sent: list[tuple[str, str | None]] = []
        self.refusals: dict[str, DomainError] = {}
        self.losses: set[str] = set()

    async def invite(self, email: str, *, full_name: str, redirect_to: str | None = None) -> Login:
        """See ``IdentityProvider.invite``."""
        self._refuse("invite")
        known = self._by_contact(email=email)
        if known is not None and known.is_confirmed:
            raise LoginTaken(EMAIL_TAKEN)
        login = known.login if known else Login(id=str(uuid.uuid4()), email=email.lower(), full_name=full_name)
        await self._store(StoredLogin(login=login, is_confirmed=False))
        self.sent.append((email, redirect_to))
        return self._answer("invite", login)

    async def create(self, new: NewLogin) -> Login:
        """See ``IdentityProvider.create``."""
        self._refuse("create")
        if not new.email and not new.phone:
            raise InvalidInput("Cannot create a user without either an email or phone")
        self._require_free(new.email, new.phone)
        login = Login(
            id=str(uuid.uuid4()),
            email=new.email.lower() if new.email else None,
            phone=bare_phone(new.phone) if new.phone else None,
            full_name=new.full_name,
        )
        await self._store(StoredLogin(login=login, password=new.password))
        return self._answer("create", login)

    async def find(
        self, *, login_id: str | None = None, email: str | None = None, phone: str | None = None
    ) -> Login | None:
        """See ``IdentityProvider.find``."""
        self._refuse("find")
        stored = self._logins.get(login_id) if login_id else self._by_contact(email=email, phone=phone)
        return stored.login if stored else None

    async def update(self, login_id: str, change: LoginChange) -> Login:
        """See ``IdentityProvider.update``."""
        self._refuse("update")
        stored = self._logins.get(login_id)
        if stored is None:
            raise NotFound("User not found")
        self._require_free(change.email, change.phone, but=login_id)
        changed = self._changed(stored, change)
        await self._store(changed)
        return self._answer("update", changed.login)

    async def check(self, *, email: str | None, phone: str | None, password: str) -> Login | None:
        """See ``PasswordLogins.check``."""
        stored = self._by_contact(email=email, phone=phone)
        return stored.login if stored is not None and stored.password == password else None

    async def delete(self, login_id: str) -> None:
        """See ``IdentityProvider.delete``."""
        self._refuse("delete")
        if any(account.supabase_id == login_id for account in self._accounts.values()):
            raise Unavailable("Database error deleting user")
        async with self._begin() as tx:
            self._logins.pop(login_id, None)
            await tx.commit()
        self._answer("delete", None)

    def password_of(self, login_id: str) -> str | None:
        """Tell a test what was stored."""
        return self._logins[login_id].password

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[MemoryTransaction]:
        with preparing():
            async with MemoryTransaction(self._database) as tx:
                yield tx

    async def _store(self, stored: StoredLogin) -> None:
        async with self._begin() as tx:
            self._logins[stored.login.id] = stored
            self._mirror(stored.login)
            await tx.commit()

    def _mirror(self, login: Login) -> None:
        organization_id = login.app_metadata.get("organization_id")
        mirrored: dict[str, Any] = {
            "email": login.email,
            "phone": login.phone,
            "full_name": login.full_name,
            "organization_id": organization_id if isinstance(organization_id, int) else None,
        }
        for key, account in self._accounts.items():
            if account.supabase_id == login.id:
                self._accounts[key] = attrs.evolve(account, **mirrored)
                return
        fresh = new_account(self._database, login)
        self._accounts[fresh.id] = fresh

    def _changed(self, stored: StoredLogin, change: LoginChange) -> StoredLogin:
        login, now = stored.login, self._database.clock.now()
        metadata: Mapping[str, object] = {**login.app_metadata, **(change.app_metadata or {})}
        banned_until = login.banned_until
        if change.ban is not None:
            banned_until = now + change.ban if change.ban else None
        changed = attrs.evolve(
            login,
            email=change.email.lower() if change.email else login.email,
            phone=bare_phone(change.phone) if change.phone else login.phone,
            full_name=change.full_name or login.full_name,
            app_metadata=metadata,
            banned_until=banned_until,
        )
        return attrs.evolve(stored, login=changed, password=change.password or stored.password)

    def _require_free(self, email: str | None, phone: str | None, *, but: str | None = None) -> None:
        for text, stored in (
            (EMAIL_TAKEN, self._by_contact(email=email)),
            (PHONE_TAKEN, self._by_contact(phone=phone)),
        ):
            if stored is not None and stored.login.id != but:
                raise LoginTaken(text)

    def _by_contact(self, *, email: str | None = None, phone: str | None = None) -> StoredLogin | None:
        def is_wanted(login: Login) -> bool:
            return same_contact(login.email, email) or same_contact(login.phone, phone)

        return next((stored for stored in self._logins.values() if is_wanted(stored.login)), None)

    def _refuse(self, method: str) -> None:
        if method in self.refusals:
            raise self.refusals[method]

    def _answer(self, method: str, login: Login | None) -> Login:
        if method in self.losses:
            raise Unavailable("The identity provider can't be reached")
        return login or Login(id="")


def new_account(database: MemoryDatabase, login: Login) -> AccountView:
    """Make the account that mirrors a new login."""
    return AccountView(
        id=database.next_id("account_rows"),
        created_at=database.clock.now(),
        full_name=login.full_name,
        email=login.email,
        phone=login.phone,
        telegram_id=None,
        telegram_link_token=str(uuid.uuid4()),
        deleted_at=None,
        supabase_id=login.id,
        organization_id=None,
    )
