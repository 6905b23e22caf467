"""Functions for lenders and data aggregators (API 10): paths, texts and statuses of the gateway that served them first.

They are not routes of the role: no document lists them, and refusals have a shape of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import attrs

from nxt_domain.identity.model import Principal
from nxt_domain.orders.partners import CustomerEntry, OrderEntry
from nxt_domain.shared.errors import DomainError, Forbidden, InvalidInput, Unauthenticated
from nxt_domain.shared.numbered_pages import Leaf, NumberedPage
from nxt_domain.telemetry.partners import Consumption, ConsumptionWindow
from nxt_entrypoints.api.services import ApiServices
from nxt_entrypoints.http.routes import Dialect, Guard, Route, route
from nxt_entrypoints.http.rules import read_instant

_LARGEST = 2_147_483_647
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "authorization, x-client-info, apikey, content-type",
}
_TAGS = ("partners",)


def _dialect(failure: str) -> Dialect:
    """Make the manner of a function.

    Args:
        failure: What partners are told when it fails.
    """

    def refuse(error: DomainError, status: int) -> tuple[int, object]:
        if isinstance(error, Unauthenticated):
            return 401, {"error": "Authentication required"}
        if isinstance(error, Forbidden):
            return 401, {"error": "Not authorized"}
        return (500, {"error": failure}) if status >= 500 else (status, {"error": error.message})

    return Dialect(headers=_CORS, refuse=refuse, no_method=InvalidInput("Method not supported", code="NO_METHOD"))


_CUSTOMERS = _dialect("Failed to retrieve customers")
_ORDERS = _dialect("Failed to retrieve orders")
_CONSUMPTION = _dialect("Failed to retrieve meter consumption data")


@attrs.frozen(kw_only=True)
class LeafQuery:
    """Which page of a list is wanted; texts, which are read one by one."""

    page: str = ""
    size: str = ""
    order: str = ""
    ascending: str = ""

    @property
    def leaf(self) -> Leaf:
        """The page; what is blank has its default.

        Raises:
            InvalidInput: A parameter has no sense.
        """
        if self.ascending not in {"", "true", "false"}:
            raise _invalid("ascending")
        return Leaf(
            page=_number("page", self.page, default=1, least=1),
            size=_number("size", self.size, default=100, least=1),
            order=self.order or "id",
            ascending=self.ascending != "false",
        )


@attrs.frozen(kw_only=True)
class ConsumptionQuery:
    """Which hours are wanted; the names of the range are upper case."""

    FROM: str = ""
    TO: str = ""
    offset: str = ""
    pageLimit: str = ""  # noqa: N815 - its name in the query
    site: str = ""

    @property
    def window(self) -> ConsumptionWindow:
        """Range and part.

        Raises:
            InvalidInput: A parameter is missing or has no sense.
        """
        if not self.FROM or not self.TO:
            raise InvalidInput("Missing required parameters: FROM, TO", code="RANGE_MISSING")
        return ConsumptionWindow(
            start=_instant("FROM", self.FROM),
            end=_instant("TO", self.TO),
            offset=_number("offset", self.offset, default=0, least=0),
            limit=_number("pageLimit", self.pageLimit, default=20, least=1),
        )


@attrs.frozen(kw_only=True)
class Reading:
    """An hour of a meter, under the names that partners know."""

    timestamp: datetime
    meterId: str | None  # noqa: N815 - its name in the answer
    energyConsumptionKwh: Decimal  # noqa: N815 - as above
    timeIntervalMinutes: int  # noqa: N815 - as above
    customerAccountId: int | None  # noqa: N815 - as above


@attrs.frozen(kw_only=True)
class Readings:
    """A part of all readings, and how many there are."""

    total: int
    offset: int
    pageLimit: int  # noqa: N815 - its name in the answer
    readings: Sequence[Reading]


@route("GET", "/functions/v1/customers", guard=Guard.USER, summary="Customers", tags=_TAGS, dialect=_CUSTOMERS)
async def partner_customers(query: LeafQuery, caller: Principal, services: ApiServices) -> NumberedPage[CustomerEntry]:
    """For lenders; names are masked."""
    return await services.registers.read_for_lenders.customers(caller, query.leaf)


@route("GET", "/functions/v1/orders", guard=Guard.USER, summary="Energy sold", tags=_TAGS, dialect=_ORDERS)
async def partner_orders(query: LeafQuery, caller: Principal, services: ApiServices) -> NumberedPage[OrderEntry]:
    """For lenders; names are masked."""
    return await services.registers.read_for_lenders.orders(caller, query.leaf)


@route(
    "GET",
    "/functions/v1/meter-consumption",
    guard=Guard.DATA_KEY,
    summary="Hourly consumption",
    tags=_TAGS,
    capability="metering",
    dialect=_CONSUMPTION,
)
async def partner_consumption(query: ConsumptionQuery, caller: Principal, services: ApiServices) -> Readings:
    """For data aggregators; of all grids, whatever site is named."""
    return await _readings(attrs.evolve(query, site=""), caller, services)


@route(
    "GET",
    "/functions/v1/meter-consumption-2",
    guard=Guard.DATA_KEY,
    summary="Hourly consumption of a site",
    tags=_TAGS,
    capability="metering",
    dialect=_CONSUMPTION,
)
async def partner_consumption_of_site(query: ConsumptionQuery, caller: Principal, services: ApiServices) -> Readings:
    """For data aggregators; without site of all grids."""
    return await _readings(query, caller, services)


async def _readings(query: ConsumptionQuery, caller: Principal, services: ApiServices) -> Readings:
    window = query.window
    total, found = await services.registers.read_for_aggregators(caller, window, site=query.site.strip() or None)
    return Readings(
        total=total, offset=window.offset, pageLimit=window.limit, readings=[_reading(hour) for hour in found]
    )


def _reading(hour: Consumption) -> Reading:
    return Reading(
        timestamp=hour.at,
        meterId=hour.meter_number,
        energyConsumptionKwh=hour.energy_kwh,
        timeIntervalMinutes=60,
        customerAccountId=hour.customer_id,
    )


def _instant(name: str, text: str) -> datetime:
    instant = read_instant(text)
    if instant is None:
        raise _invalid(name)
    return instant


def _number(name: str, text: str, *, default: int, least: int) -> int:
    if not text:
        return default
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST))
    if not is_number or not least <= int(text) <= _LARGEST:
        raise _invalid(name)
    return int(text)


def _invalid(name: str) -> InvalidInput:
    return InvalidInput(f"Invalid {name} parameter", code="PARAMETER_INVALID")


ROUTES: tuple[Route, ...] = (
    partner_customers,
    partner_orders,
    partner_consumption,
    partner_consumption_of_site,
)
