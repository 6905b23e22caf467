"""What identity needs from outside: a verifier of tokens, accounts, keys, live sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from nxt_domain.identity.chat import ChatAccount, ChatWallet
from nxt_domain.identity.logins import IssuedTokens, Login, LoginChange, NewLogin, TokenStamp
from nxt_domain.identity.model import Account, AccountType, ApiKey, NewApiKey, TokenClaims
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
from nxt_domain.shared.paging import Page, Window


class TokenVerifier(Protocol):
    """Checks user tokens."""

    async def verify(self, token: str) -> TokenClaims:
        """Check signature, times and audience of a token and read its claims [API-44].

        Raises:
            Unauthenticated: ``Invalid or expired token``, whatever is wrong with it.
            Unavailable: The key set is needed and can't be had; the token may be fine.
        """


class Accounts(Protocol):
    """Reads accounts; one statement per call."""

    async def get(self, account_id: int) -> Account | None:
        """Find an account with its organization, member, agent and customer."""


class ApiKeys(Protocol):
    """Reads machine credentials."""

    async def find(self, *, key_hash: str, plaintext: str | None) -> ApiKey | None:
        """Find a key by its hash, else by its plain text [API-53].

        Args:
            key_hash: Lower-case hexadecimal SHA-256 of the presented key.
            plaintext: The presented key; None: stored plain keys don't count.

        Raises:
            Unavailable: The store can't be reached.
        """


class ApiKeyRegistry(Protocol):
    """Keeps machine credentials: the operator's side [API-54]."""

    async def add(self, key: NewApiKey) -> int:
        """Store a key and return its id.

        Raises:
            Conflict: There is no such account.
        """

    async def list(self) -> Sequence[ApiKey]:
        """Return all keys by ascending id; there are dozens, not thousands."""

    async def set_locked(self, key_id: int, *, locked: bool) -> bool:
        """Lock or unlock a key; False: there is no such key."""

    async def revoke(self, key_id: int, *, at: datetime) -> bool:
        """Revoke a key for good; False: there is no such key. A second call keeps the first time."""

    async def hash_plaintext(self) -> int:
        """Replace stored plain keys by their hashes and return how many there were."""


class LiveSessions(Protocol):
    """Asks the identity provider whether a user's session still exists."""

    async def confirm(self, token: str) -> None:
        """Return when the session lives [API-49].

        Raises:
            Unauthenticated: It does not; with the provider's own words.
            Unavailable: The provider can't say.
        """


class GridOwners(Protocol):
    """Tells whose a grid is."""

    async def organization_of(self, grid_id: int) -> int | None:
        """Return the organization that owns a grid; None: there is no such grid."""


class IdentityProvider(Protocol):
    """Keeps logins: who may sign in and how.

    Every method may raise, beside what it names: ``Unavailable``: it can't be reached, and what was asked may have
    happened; ``TooManyRequests``; ``UpstreamFailed``: it refuses our own credential; ``InvalidInput`` and
    ``LoginRefused``: it refuses what was asked, in its own words [API-74].
    """

    async def invite(self, email: str, *, full_name: str, redirect_to: str | None = None) -> Login:
        """Make an unconfirmed login and send its owner a mail with a link; an open invitation is sent again.

        Raises:
            LoginRefused: Somebody has confirmed a login with this e-mail.
        """

    async def create(self, new: NewLogin) -> Login:
        """Make a confirmed login, silently.

        Raises:
            LoginRefused: The e-mail or phone is taken.
        """

    async def find(
        self, *, login_id: str | None = None, email: str | None = None, phone: str | None = None
    ) -> Login | None:
        """Find a login by its id, else by e-mail or phone; a look-up by contact may take a while.

        Args:
            login_id: UUID.
            email: Compared without case.
            phone: With or without plus.
        """

    async def update(self, login_id: str, change: LoginChange) -> Login:
        """Change a login at once, without asking its owner.

        Raises:
            NotFound: There is none.
            LoginRefused: The new e-mail or phone is taken.
        """

    async def delete(self, login_id: str) -> None:
        """Remove a login for good; one that is gone already is no error."""


class AccountRegister(Protocol):
    """Accounts of all tenants inside the caller's transaction, as logins need them.

    The mirrored columns follow the login by triggers in the store; nothing here writes them [API-169].
    """

    async def holders(self, *, email: str | None, phone: str | None) -> Sequence[Holder]:
        """Find whose e-mail or phone it is; none, one, or one each.

        Args:
            email: Compared without case.
            phone: With or without plus.
        """

    async def ensure(self, login: Login) -> Holder:
        """Return a login's account, locked, and who has it; one that the store did not make by itself is made."""

    async def by_id(self, account_id: int) -> Holder | None:
        """Find an account by its own id."""

    async def discard(self, login_id: str) -> bool:
        """Remove a login's account; False: it is somebody's by now, and stays [API-171]."""

    async def close(self, account_id: int, *, at: datetime) -> None:
        """Mark an account as deleted; the first mark stays [API-177]."""


class ContactClaims(Protocol):
    """Keeps two attempts to make somebody with the same e-mail or phone apart, in whichever processes they run.

    An attempt takes several steps at two systems; without this, one could adopt what another is just making.
    """

    def claimed(self, *, email: str | None, phone: str | None) -> AbstractAsyncContextManager[bool]:
        """Hold an e-mail and a phone while the context is open; the value is False when another attempt has them.

        Args:
            email: Compared without case.
            phone: With or without plus.
        """


class PeopleRegister(Protocol):
    """Members, agents and customers of a scope, inside the caller's transaction."""

    async def find(self, kind: AccountType, person_id: int) -> Person | None:
        """Find a person, deleted ones included; None: unknown or outside the scope."""

    async def add_member(self, account_id: int, invitation: Invitation) -> MemberView:
        """Store a member.

        Raises:
            Conflict: The account is a member already.
        """

    async def add_agent(self, account_id: int, new: NewAgent) -> AgentView:
        """Store an agent with a wallet of type ``REAL`` and balance 0 [API-77]."""

    async def add_customer(self, account_id: int, new: NewCustomer) -> CustomerView:
        """Store a customer; no wallet [API-79]."""

    async def member(self, member_id: int) -> MemberView | None:
        """Return a member of the scope."""

    async def customer(self, customer_id: int) -> CustomerView | None:
        """Return a customer of the scope."""

    async def save_member(self, member: MemberView) -> None:
        """Write what user administration may change on a member."""

    async def save_customer(self, customer: CustomerView) -> None:
        """Write what user administration may change on a customer."""

    async def staff(self, window: Window, *, organization_id: int | None = None) -> Page[Person]:
        """List members by ascending id, deleted ones included; ``organization_id`` narrows the list to one tenant."""

    async def account(self, account_id: int) -> AccountView:
        """Return an account with all its columns."""

    async def has_meters(self, customer_id: int) -> bool:
        """Tell whether a meter hangs on one of the customer's connections [API-81]."""


class TenantRegister(Protocol):
    """Organizations and grids of a scope, as user administration needs them."""

    async def organization(self, organization_id: int) -> Tenant | None:
        """Find a live organization; None: unknown, deleted or outside the scope."""

    async def found(self, new: NewTenant) -> Tenant:
        """Store an organization and its wallet, of type ``REAL`` with balance 0 [API-182, REL-33].

        Raises:
            Conflict: A live organization has this name.
        """

    async def page(self, window: Window) -> Page[Tenant]:
        """List live organizations by ascending id."""

    async def organization_of_grid(self, grid_id: int) -> int | None:
        """Return the owner of a live grid; None: unknown, deleted or outside the scope."""


class PasswordLogins(Protocol):
    """Logins that this system keeps itself, and so must know passwords of [R30]."""

    async def check(self, *, email: str | None, phone: str | None, password: str) -> Login | None:
        """Find the login that a password fits, and note the sign-in; as slow for strangers as for wrong passwords."""


class SessionTokens(Protocol):
    """Makes and reads the tokens of sessions that this system keeps itself."""

    def issue(self, login: Login) -> IssuedTokens:
        """Sign an access token, which ``TokenVerifier`` accepts, and a refresh token, which it does not."""

    def read_refresh(self, token: str) -> TokenStamp:
        """Read a refresh token.

        Raises:
            Unauthenticated: It is forged, expired, or no refresh token.
        """

    def stamp_of(self, token: str) -> TokenStamp:
        """Read whose an access token is, and from when; its signature has been verified before.

        Raises:
            Unauthenticated: It says neither.
        """


class TokenSigner(Protocol):
    """Signs tokens for somebody else's tool."""

    def sign(self, claims: Mapping[str, object]) -> str:
        """Return a signed token with these claims."""


class ChatAccounts(Protocol):
    """Accounts as the chat bot knows them, inside the caller's transaction [API-115, API-116]."""

    async def by_link_token(self, token: str, *, at: datetime) -> ChatAccount | None:
        """Find the undeleted account with a link token that has not expired, locked."""

    async def by_telegram_id(self, telegram_id: str) -> ChatAccount | None:
        """Find the undeleted account of a chat user."""

    async def link(self, account_id: int, *, telegram_id: str, next_token: str) -> None:
        """Store the chat user's id, and the token for a next time.

        Raises:
            Conflict: Another account has this chat user.
        """

    async def purse(self, account_id: int) -> ChatWallet | None:
        """Find the wallet of a member's organization, an agent or a customer; None: there is none."""
