"""What lenders read of all tenants: energy sold and customers, without any name [API-206, REL-121]."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Protocol

import attrs

from nxt_domain.identity.model import OrganizationType, Principal
from nxt_domain.identity.rules import require_partner
from nxt_domain.shared.errors import InvalidInput
from nxt_domain.shared.numbered_pages import Leaf, NumberedPage
from nxt_domain.shared.unit_of_work import UnitOfWork, UnitOfWorkFactory

MASKED = "*******"
"""Stands for the name of every customer."""

SEGMENT = "functions"


@attrs.frozen(kw_only=True)
class CustomerEntry:
    """A customer of a live grid; neither is hidden from reporting."""

    id: int
    full_name: str = MASKED
    grid: str | None


@attrs.frozen(kw_only=True)
class OrderEntry:
    """A completed purchase of energy that is not hidden from reporting.

    Attributes:
        amount: In major units of its currency.
        tariff: Per kWh sold, as it was then.
    """

    id: int
    created_at: datetime
    amount: Decimal
    order_status: str
    currency: str
    tariff: Decimal
    grid: str | None
    customer: str = MASKED


class PartnerRegister(Protocol):
    """What partners may see of all tenants."""

    async def customers(self, leaf: Leaf) -> NumberedPage[CustomerEntry]:
        """List customers; entries that the column can't tell apart come by id."""

    async def orders(self, leaf: Leaf) -> NumberedPage[OrderEntry]:
        """List orders; entries that the column can't tell apart come by id."""


class PartnersTransaction(UnitOfWork, Protocol):
    """A transaction that reads for partners."""

    @property
    def partner_register(self) -> PartnerRegister:
        """What partners may see."""


class ReadForLenders:
    """Shows lenders what they have financed.

    Args:
        begin: Opens a transaction.
    """

    def __init__(self, begin: UnitOfWorkFactory[PartnersTransaction]) -> None:
        self._begin = begin

    async def customers(self, caller: Principal, leaf: Leaf) -> NumberedPage[CustomerEntry]:
        """Return a page of customers.

        Raises:
            Forbidden: The caller is neither platform staff nor a lender.
            InvalidInput: There is no such column.
        """
        _check(caller, leaf, CustomerEntry)
        async with self._begin() as tx:
            return await tx.partner_register.customers(leaf)

    async def orders(self, caller: Principal, leaf: Leaf) -> NumberedPage[OrderEntry]:
        """Return a page of orders.

        Raises:
            Forbidden: The caller is neither platform staff nor a lender.
            InvalidInput: There is no such column.
        """
        _check(caller, leaf, OrderEntry)
        async with self._begin() as tx:
            return await tx.partner_register.orders(leaf)


def _check(caller: Principal, leaf: Leaf, entry: type[CustomerEntry] | type[OrderEntry]) -> None:
    require_partner(caller, OrganizationType.LENDER, segment=SEGMENT)
    if leaf.order not in attrs.fields_dict(entry):
        raise InvalidInput("Invalid order parameter", code="ORDER_UNKNOWN")
