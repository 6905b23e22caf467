"""Bodies and paths of the routes of people, with the rules of each field (API 5.2, 5.12)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import attrs
from msgspec import UNSET, UnsetType

from nxt_domain.identity.model import MemberType
from nxt_domain.identity.people import (
    ContactChange,
    CustomerChange,
    Gender,
    GeneratorType,
    Invitation,
    MemberChange,
    NewAgent,
    NewCustomer,
)
from nxt_entrypoints.http.fields import Id
from nxt_entrypoints.http.rules import (
    EMAIL,
    LATITUDE,
    LONGITUDE,
    NOT_BLANK,
    PHONE,
    maximum,
    minimum,
    read_phone,
)

_HIGHEST_LEVEL = 32_767
_HIGHEST_FEE = 10_000_000_000

FullName = Annotated[str, NOT_BLANK]
Email = Annotated[str, EMAIL]
Phone = Annotated[str, PHONE]
Latitude = Annotated[object, LATITUDE]
Longitude = Annotated[object, LONGITUDE]


@attrs.frozen(kw_only=True)
class InvitationFields:
    """A member to be invited [API-75]."""

    email: Email
    full_name: FullName
    organization_id: Id
    member_type: MemberType
    redirectTo: str | None = None  # noqa: N815 - a field name of the contract with clients
    busy_commissioning_id: Id | None = None

    def as_invitation(self) -> Invitation:
        """Say it in the domain's words."""
        return Invitation(
            email=self.email,
            full_name=self.full_name,
            organization_id=self.organization_id,
            member_type=self.member_type,
            redirect_to=self.redirectTo,
            busy_commissioning_id=self.busy_commissioning_id,
        )


@attrs.frozen(kw_only=True)
class MemberUpdateFields:
    """New values of a member [API-76]."""

    id: Id
    full_name: FullName
    member_type: MemberType
    training_level: Annotated[int, minimum(0), maximum(_HIGHEST_LEVEL)]
    subscribed_to_telegram_revenue_notifications: bool
    hidden: bool
    busy_commissioning_id: Id | UnsetType | None = UNSET

    def as_change(self) -> MemberChange:
        """Say it in the domain's words."""
        grid_id = self.busy_commissioning_id
        return MemberChange(
            id=self.id,
            full_name=self.full_name,
            member_type=self.member_type,
            training_level=self.training_level,
            subscribed_to_telegram_revenue_notifications=self.subscribed_to_telegram_revenue_notifications,
            hidden=self.hidden,
            busy_commissioning_id=None if isinstance(grid_id, UnsetType) else grid_id,
            keeps_grid=isinstance(grid_id, UnsetType),
        )


@attrs.frozen(kw_only=True)
class AgentFields:
    """An agent to be made [API-77]."""

    full_name: FullName
    phone: Phone
    grid_id: Id
    email: Email | None = None

    def as_new(self) -> NewAgent:
        """Say it in the domain's words."""
        return NewAgent(
            full_name=self.full_name, phone=read_phone(self.phone) or self.phone, grid_id=self.grid_id, email=self.email
        )


@attrs.frozen(kw_only=True)
class ContactFields:
    """New name and contact of an agent [API-78]."""

    id: Id
    full_name: FullName
    phone: Phone
    email: Email | None = None

    def as_change(self) -> ContactChange:
        """Say it in the domain's words."""
        return ContactChange(id=self.id, full_name=self.full_name, phone=read_phone(self.phone), email=self.email)


@attrs.frozen(kw_only=True)
class CustomerFields:
    """A customer to be made [API-79]."""

    full_name: FullName
    grid_id: Id
    is_hidden_from_reporting: bool
    phone: Phone | None = None
    email: Email | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    lives_primarily_in_the_community: bool = True
    generator_owned: GeneratorType | None = None
    gender: Gender | None = None
    total_connection_fee: Annotated[Decimal, minimum(0), maximum(_HIGHEST_FEE)] = Decimal(0)

    def as_new(self) -> NewCustomer:
        """Say it in the domain's words."""
        return NewCustomer(
            full_name=self.full_name,
            grid_id=self.grid_id,
            is_hidden_from_reporting=self.is_hidden_from_reporting,
            phone=read_phone(self.phone),
            email=self.email,
            latitude=_degrees(self.latitude),
            longitude=_degrees(self.longitude),
            lives_primarily_in_the_community=self.lives_primarily_in_the_community,
            generator_owned=self.generator_owned,
            gender=self.gender,
            total_connection_fee=self.total_connection_fee,
        )


@attrs.frozen(kw_only=True)
class CustomerUpdateFields:
    """New values of a customer [API-80]."""

    id: Id
    full_name: FullName
    is_hidden_from_reporting: bool
    phone: Phone | None = None
    email: Email | None = None
    latitude: Latitude | UnsetType | None = UNSET
    longitude: Longitude | UnsetType | None = UNSET

    def as_change(self) -> CustomerChange:
        """Say it in the domain's words."""
        is_kept = isinstance(self.latitude, UnsetType) and isinstance(self.longitude, UnsetType)
        return CustomerChange(
            id=self.id,
            full_name=self.full_name,
            is_hidden_from_reporting=self.is_hidden_from_reporting,
            phone=read_phone(self.phone),
            email=self.email,
            latitude=_degrees(self.latitude),
            longitude=_degrees(self.longitude),
            keeps_position=is_kept,
        )


@attrs.frozen(kw_only=True)
class LinkFields:
    """A chat user, and the token they brought [API-115]."""

    telegram_id: Annotated[str, NOT_BLANK]
    telegram_link_token: Annotated[str, NOT_BLANK]


@attrs.frozen(kw_only=True)
class ChatUserPath:
    """A chat user [API-116]."""

    telegram_id: str


def _degrees(value: object) -> float | None:
    return None if value is None or isinstance(value, UnsetType) else float(str(value))
