"""What the use cases of user administration ask of a transaction, and the checks that they share."""

from __future__ import annotations

from typing import Protocol

from nxt_domain.identity.model import AccountType
from nxt_domain.identity.people import Person
from nxt_domain.identity.ports import AccountRegister, PeopleRegister, TenantRegister
from nxt_domain.identity.scope import Scoped
from nxt_domain.shared.audit import AuditedTransaction, Subjects
from nxt_domain.shared.errors import Conflict, InvalidInput, NotFound
from nxt_domain.shared.unit_of_work import UnitOfWork


class HasPeople(Protocol):
    """Repositories of tenants' rows, people among them."""

    @property
    def people(self) -> PeopleRegister:
        """The scope's members, agents and customers."""

    @property
    def tenants(self) -> TenantRegister:
        """The scope's organizations."""


class PeopleTransaction(UnitOfWork, Scoped[HasPeople], AuditedTransaction, Protocol):
    """A transaction over accounts and the people below them."""

    @property
    def accounts(self) -> AccountRegister:
        """Accounts of all tenants, by their logins."""


async def owner_of_grid(tenants: TenantRegister, grid_id: int) -> int:
    """Return the organization of a grid.

    Raises:
        NotFound: Unknown, deleted, or another tenant's [R39].
    """
    organization_id = await tenants.organization_of_grid(grid_id)
    if organization_id is None:
        raise NotFound(f"Grid {grid_id} not found")
    return organization_id


async def living(people: PeopleRegister, kind: AccountType, person_id: int) -> Person:
    """Return a person who is not deleted.

    Raises:
        NotFound: Unknown, deleted, or another tenant's [R39].
    """
    person = await known(people, kind, person_id)
    if person.deleted_at is not None:
        raise _no_such(kind, person_id)
    return person


async def known(people: PeopleRegister, kind: AccountType, person_id: int) -> Person:
    """Return a person, deleted or not.

    Raises:
        NotFound: Unknown, or another tenant's [R39].
    """
    person = await people.find(kind, person_id)
    if person is None:
        raise _no_such(kind, person_id)
    return person


def login_of(person: Person) -> str:
    """Return the login that an act changes.

    Raises:
        Conflict: The account has none: it was imported by hand.
    """
    if person.supabase_id is None:
        raise Conflict("This account has no login", code="NO_LOGIN")
    return person.supabase_id


def require_position(latitude: float | None, longitude: float | None) -> None:
    """Refuse half a position.

    Raises:
        InvalidInput: One coordinate without the other.
    """
    if (latitude is None) != (longitude is None):
        raise InvalidInput("latitude and longitude must be given together", code="VALUE_REFUSED")


def subjects_of(person: Person) -> Subjects:
    """Name a person in the feed, with tenant and grid [API-217]."""
    return Subjects(
        organization_id=person.organization_id,
        grid_id=person.grid_id,
        member_id=person.id if person.kind is AccountType.MEMBER else None,
        agent_id=person.id if person.kind is AccountType.AGENT else None,
        customer_id=person.id if person.kind is AccountType.CUSTOMER else None,
    )


def _no_such(kind: AccountType, person_id: int) -> NotFound:
    return NotFound(f"{kind.value.capitalize()} {person_id} not found")
