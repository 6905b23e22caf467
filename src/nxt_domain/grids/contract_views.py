"""Customers and connections as dashboards read them: names and order of the fields are those of the tables [R41]."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs


@attrs.frozen(kw_only=True, slots=False)  # listed by the hundred
class CustomerRecord:
    """A paying customer.

    Attributes:
        total_connection_fee: Owed for connections, in major units of their currency.
        total_connection_paid: Paid of it.
    """

    id: int
    created_at: datetime
    gender: str | None
    total_connection_fee: Decimal
    total_connection_paid: Decimal
    is_hidden_from_reporting: bool
    lives_primarily_in_the_community: bool
    latitude: float | None
    longitude: float | None
    generator_owned: str | None
    grid_id: int
    account_id: int
    rls_organization_id: int | None


@attrs.frozen(kw_only=True, slots=False)  # listed by the hundred
class ListedCustomer(CustomerRecord):
    """A customer with the name and phone of the account, as in the view ``customers_with_account`` [REL-87].

    Attributes:
        phone: As stored, without leading plus [API-30].
    """

    full_name: str | None
    phone: str | None


@attrs.frozen(kw_only=True, slots=False)  # listed by the hundred
class ConnectionView:
    """A supply contract.

    Attributes:
        paid: Of its fees, in major units of its currency.
    """

    id: int
    created_at: datetime
    deleted_at: datetime | None
    document_type: str | None
    document_id: str | None
    upload_uuid: str | None
    external_system: str | None
    paid: Decimal
    currency: str
    women_impacted: int
    is_lifeline: bool | None
    is_public: bool
    is_commercial: bool
    is_residential: bool
    is_building_wired: bool | None
    is_using_led_bulbs: bool | None
    customer_id: int
    rls_organization_id: int | None
