"""Members, agents and customers as user administration makes and shows them; field names are a contract [API-167]."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs

from nxt_domain.identity.model import AccountType, MemberType, OrganizationType


class Gender(StrEnum):
    """As stated in the contract; absent: undisclosed."""

    MALE = "MALE"
    FEMALE = "FEMALE"


class GeneratorType(StrEnum):
    """Size of the fossil generator that a customer had before."""

    SMALL = "SMALL"
    LARGE = "LARGE"


def _trimmed(text: str) -> str:
    return text.strip()


@attrs.frozen(kw_only=True)
class AccountView:
    """An account, all its columns [API-79]."""

    id: int
    created_at: datetime
    full_name: str | None
    email: str | None
    phone: str | None
    telegram_id: str | None
    telegram_link_token: str | None
    deleted_at: datetime | None
    supabase_id: str | None
    organization_id: int | None


@attrs.frozen(kw_only=True)
class MemberView:
    """A member, all its columns [API-75]."""

    id: int
    created_at: datetime
    subscribed_to_telegram_revenue_notifications: bool
    member_type: MemberType
    account_id: int
    busy_commissioning_id: int | None
    training_level: int
    rls_organization_id: int | None
    hidden: bool


@attrs.frozen(kw_only=True)
class AgentView:
    """An agent, all its columns [API-77]."""

    id: int
    created_at: datetime
    grid_id: int
    account_id: int
    rls_organization_id: int | None


@attrs.frozen(kw_only=True)
class CustomerView:
    """A customer, all its columns [API-79]. Money in the grid's currency; position in WGS84 degrees."""

    id: int
    created_at: datetime
    gender: Gender | None
    total_connection_fee: Decimal
    total_connection_paid: Decimal
    is_hidden_from_reporting: bool
    lives_primarily_in_the_community: bool
    latitude: float | None
    longitude: float | None
    generator_owned: GeneratorType | None
    grid_id: int
    account_id: int
    rls_organization_id: int | None


@attrs.frozen(kw_only=True)
class NewCustomerView(CustomerView):
    """A customer that was just made, with the account."""

    account: AccountView


@attrs.frozen(kw_only=True)
class AccountKey:
    """What answers to updates say of the account."""

    id: int
    supabase_id: str | None
    organization_id: int | None


@attrs.frozen(kw_only=True)
class ChangedMember:
    """Answer to an update of a member [API-76]."""

    id: int
    account: AccountKey


@attrs.frozen(kw_only=True)
class ChangedResident:
    """Answer to an update of an agent or customer [API-78, API-80]."""

    id: int
    grid_id: int
    account: AccountKey


@attrs.frozen(kw_only=True)
class DeletedPerson:
    """Answer to a deletion; the first name is spelled as old clients read it [API-81]."""

    accountType: AccountType  # noqa: N815 - a field name of the contract with clients
    full_name: str
    deleted: bool = True


@attrs.frozen(kw_only=True)
class Person:
    """A member, agent or customer with what every act on one needs.

    Attributes:
        kind: Which of the three.
        id: Of the member, agent or customer row.
        grid_id: Of agents and customers.
        deleted_at: Of the account.
    """

    kind: AccountType
    id: int
    account_id: int
    supabase_id: str | None
    organization_id: int | None
    full_name: str | None = None
    email: str | None = None
    phone: str | None = None
    grid_id: int | None = None
    member_type: MemberType | None = None
    deleted_at: datetime | None = None

    @property
    def account(self) -> AccountKey:
        """The account as answers show it."""
        return AccountKey(id=self.account_id, supabase_id=self.supabase_id, organization_id=self.organization_id)


@attrs.frozen(kw_only=True)
class Holder:
    """Whoever has an account.

    Attributes:
        login_id: Their login.
        person: None: an account that is nobody yet, left by a creation that was cut off [API-171].
    """

    account_id: int
    login_id: str | None
    email: str | None
    phone: str | None
    person: Person | None


@attrs.frozen(kw_only=True)
class Tenant:
    """An organization that lives."""

    id: int
    name: str
    organization_type: OrganizationType


@attrs.frozen(kw_only=True)
class NewTenant:
    """An organization to be founded [API-182]."""

    name: str = attrs.field(converter=_trimmed)
    formal_name: str | None = None
    email: str | None = None
    organization_type: OrganizationType = OrganizationType.SOLAR_DEVELOPER


@attrs.frozen(kw_only=True)
class Invitation:
    """A member to be invited by mail [API-75].

    Attributes:
        redirect_to: Where the link in the mail leads; None: the provider's own setting.
        busy_commissioning_id: Grid on which they install meters.
    """

    email: str
    full_name: str = attrs.field(converter=_trimmed)
    organization_id: int
    member_type: MemberType
    redirect_to: str | None = None
    busy_commissioning_id: int | None = None


@attrs.frozen(kw_only=True)
class MemberChange:
    """New values of a member [API-76].

    Attributes:
        keeps_grid: Whether ``busy_commissioning_id`` stays as it is.
    """

    id: int
    full_name: str = attrs.field(converter=_trimmed)
    member_type: MemberType
    training_level: int
    subscribed_to_telegram_revenue_notifications: bool
    hidden: bool
    busy_commissioning_id: int | None = None
    keeps_grid: bool = True


@attrs.frozen(kw_only=True)
class NewAgent:
    """An agent to be made [API-77]; the phone with plus."""

    full_name: str = attrs.field(converter=_trimmed)
    phone: str
    grid_id: int
    email: str | None = None


@attrs.frozen(kw_only=True)
class ContactChange:
    """New name and contact of an agent or customer; None leaves phone or e-mail as it is [API-78]."""

    id: int
    full_name: str = attrs.field(converter=_trimmed)
    phone: str | None = None
    email: str | None = None


@attrs.frozen(kw_only=True)
class NewCustomer:
    """A customer to be made [API-79]; see ``CustomerView`` for units."""

    full_name: str = attrs.field(converter=_trimmed)
    grid_id: int
    is_hidden_from_reporting: bool
    phone: str | None = None
    email: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    lives_primarily_in_the_community: bool = True
    generator_owned: GeneratorType | None = None
    gender: Gender | None = None
    total_connection_fee: Decimal = Decimal(0)


@attrs.frozen(kw_only=True)
class CustomerChange(ContactChange):
    """New values of a customer [API-80].

    Attributes:
        keeps_position: Whether the coordinates stay as they are.
    """

    is_hidden_from_reporting: bool
    latitude: float | None = None
    longitude: float | None = None
    keeps_position: bool = True
