"""Issues and notes as dashboards read them: names and order of the fields are those of the tables [API-95, R41]."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from nxt_domain.grids.contract_views import ConnectionView, CustomerRecord
from nxt_domain.grids.hardware_views import MpptView
from nxt_domain.grids.views import GridWithOrganization
from nxt_domain.meters.views import MeterView


@attrs.frozen(kw_only=True)
class NoteView:
    """A remark on a customer, connection or meter."""

    id: int
    created_at: datetime
    message: str
    customer_id: int | None
    connection_id: int | None
    meter_id: int | None
    author_id: int
    rls_organization_id: int | None


@attrs.frozen(kw_only=True)
class IssueView:
    """A problem of a meter, a PV charger or a grid.

    Attributes:
        external_reference: Key of its ticket.
        estimated_lost_revenue: In major units of the grid's currency.
    """

    id: int
    created_at: datetime
    issue_type: str
    issue_status: str
    external_system: str
    snoozed_until: datetime | None
    started_at: datetime | None
    closed_at: datetime | None
    estimated_lost_revenue: Decimal
    external_reference: str | None
    meter_id: int | None
    mppt_id: int | None
    grid_id: int | None
    rls_organization_id: int | None


@attrs.frozen(kw_only=True)
class IssueAccount:
    """The person behind a customer, without the link token."""

    id: int
    created_at: datetime
    full_name: str | None
    email: str | None
    phone: str | None
    telegram_id: str | None
    deleted_at: datetime | None
    organization_id: int | None


@attrs.frozen(kw_only=True, slots=False)  # listed by the hundred
class IssueCustomer(CustomerRecord):
    """Whom an issue concerns."""

    account: IssueAccount
    grid: GridWithOrganization


@attrs.frozen(kw_only=True, slots=False)  # listed by the hundred
class IssueConnection(ConnectionView):
    """What an issue concerns."""

    customer: IssueCustomer


@attrs.frozen(kw_only=True, slots=False)  # listed by the hundred
class IssueMeter(MeterView):
    """The meter of an issue; without connection while it is in stock."""

    connection: IssueConnection | None


@attrs.frozen(kw_only=True)
class IssueWithSubjects(IssueView):
    """An issue and what it is about."""

    meter: IssueMeter | None
    mppt: MpptView | None
