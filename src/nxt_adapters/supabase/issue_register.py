"""Issues within a scope."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import attrs
from sqlalchemy import ColumnElement, RowMapping, Select, Subquery, select, text, union
from sqlalchemy.exc import IntegrityError

from nxt_adapters.supabase.engine import dump_json
from nxt_adapters.supabase.scoping import (
    GRID,
    among,
    below,
    columns_of,
    kind_of,
    owned,
    owned_by,
    page_of,
    pages,
    pages_of_all,
)
from nxt_adapters.supabase.session import Session
from nxt_adapters.supabase.tables import (
    accounts,
    connections,
    customers,
    grids,
    issues,
    meters,
    mppts,
    organizations,
)
from nxt_adapters.supabase.written import Read
from nxt_domain.fieldwork.issues import Issue, IssueStatus, IssueType
from nxt_domain.fieldwork.views import (
    IssueAccount,
    IssueConnection,
    IssueCustomer,
    IssueMeter,
    IssueView,
    IssueWithSubjects,
)
from nxt_domain.grids.contract_views import ConnectionView, CustomerRecord
from nxt_domain.grids.hardware_views import MpptView
from nxt_domain.grids.views import GridView, GridWithOrganization, OrganizationView
from nxt_domain.identity.scope import Scope
from nxt_domain.meters.views import MeterView
from nxt_domain.shared.errors import Conflict
from nxt_domain.shared.paging import Page, Window

_ISSUE = columns_of(issues, IssueView)
_STATE = [*columns_of(issues, Issue), issues.c.rls_organization_id.label("organization_id")]

_PARTS = {
    "meter_": (meters, MeterView),
    "connection_": (connections, ConnectionView),
    "customer_": (customers, CustomerRecord),
    "account_": (accounts, IssueAccount),
    "grid_": (grids, GridView),
    "organization_": (organizations, OrganizationView),
    "mppt_": (mppts, MpptView),
}
# A leading underscore keeps the columns of the parts apart from those of the issue.
_WITH_SUBJECTS: Final = (
    select(
        *_ISSUE,
        *(column for part, (table, view) in _PARTS.items() for column in columns_of(table, view, prefix=f"_{part}")),
    )
    .select_from(issues)
    .outerjoin(mppts, mppts.c.id == issues.c.mppt_id)
    .outerjoin(meters, meters.c.id == issues.c.meter_id)
    .outerjoin(connections, connections.c.id == meters.c.connection_id)
    .outerjoin(customers, customers.c.id == connections.c.customer_id)
    .outerjoin(accounts, accounts.c.id == customers.c.account_id)
    .outerjoin(grids, grids.c.id == customers.c.grid_id)
    .outerjoin(organizations, organizations.c.id == grids.c.organization_id)
)

_SAVE: Final = text(
    """
    update public.issues issue set
        issue_type = new.issue_type, issue_status = new.issue_status, snoozed_until = new.snoozed_until,
        closed_at = new.closed_at, external_reference = new.external_reference,
        estimated_lost_revenue = new.estimated_lost_revenue
    from jsonb_populate_recordset(null::public.issues, cast(:rows as jsonb)) as new
    where issue.id = new.id
    """
)

# A statement of its own: the mere mention of the column makes a trigger derive the owner anew, of closed issues too.
_MOVE: Final = text(
    """
    update public.issues issue set grid_id = new.grid_id
    from jsonb_to_recordset(cast(:rows as jsonb)) as new (id int, grid_id int)
    where issue.id = new.id and issue.grid_id is distinct from new.grid_id
    """
)


class PostgresIssueRegister:
    """``IssueRegister`` on the relational plane.

    Args:
        session: Of the unit of work.
        scope: Whose issues.
    """

    def __init__(self, session: Session, scope: Scope) -> None:
        self._session = session
        self._scope = scope

    async def page(self, window: Window, *, grid_id: int | None = None) -> Page[IssueView]:
        """See ``IssueRegister.page``."""
        read = _pages(kind_of(self._scope), of_grid=grid_id is not None)
        return await page_of(self._session, read, self._scope, window, _shown, grid_id=grid_id)

    async def lock(self, issue_ids: Collection[int]) -> Mapping[int, Issue]:
        """See ``IssueRegister.lock``."""
        query = (
            select(*_STATE)
            .where(among(issues.c.id, issue_ids), self._owned())
            .order_by(issues.c.id)
            .with_for_update(of=issues, key_share=True)
        )
        return {row["id"]: _issue(row) for row in (await self._session.execute(query)).mappings()}

    async def save(self, issues: Sequence[Issue]) -> None:
        """See ``IssueRegister.save``."""
        if not issues:
            return
        rows = {"rows": dump_json([attrs.asdict(issue) for issue in issues])}
        with _told_of_other_open_issues():
            await self._session.execute(_SAVE, rows)
            await self._session.execute(_MOVE, rows)

    async def read(self, issue_ids: Collection[int]) -> Mapping[int, IssueWithSubjects]:
        """See ``IssueRegister.read``."""
        query = _WITH_SUBJECTS.where(among(issues.c.id, issue_ids), self._owned())
        rows = (await self._session.execute(query)).mappings()
        return {row["id"]: _with_subjects(dict(row)) for row in rows}

    def _owned(self) -> ColumnElement[bool]:
        return owned_by(self._scope, issues.c.rls_organization_id)


@contextmanager
def _told_of_other_open_issues() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if "ux_issues_open_" not in str(error.orig):
            raise
        raise Conflict("There is another open issue of the same kind", code="ISSUE_OPEN") from error


def _shown(row: Mapping[str, Any]) -> IssueView:
    return IssueView(**row)


def _issue(row: RowMapping) -> Issue:
    values = dict(row)
    kind, status = IssueType(values.pop("issue_type")), IssueStatus(values.pop("issue_status"))
    return Issue(**values, issue_type=kind, issue_status=status)


def _with_subjects(row: dict[str, Any]) -> IssueWithSubjects:
    part = {name: _take(row, f"_{name}") for name in _PARTS}
    return IssueWithSubjects(
        **row,
        meter=None if part["meter_"]["id"] is None else _meter(part),
        mppt=None if part["mppt_"]["id"] is None else MpptView(**part["mppt_"]),
    )


def _meter(part: Mapping[str, Mapping[str, Any]]) -> IssueMeter:
    if part["connection_"]["id"] is None:
        return IssueMeter(**part["meter_"], connection=None)
    grid = GridWithOrganization(**part["grid_"], organization=OrganizationView(**part["organization_"]))
    customer = IssueCustomer(**part["customer_"], account=IssueAccount(**part["account_"]), grid=grid)
    return IssueMeter(**part["meter_"], connection=IssueConnection(**part["connection_"], customer=customer))


def _take(row: dict[str, Any], prefix: str) -> Mapping[str, Any]:
    return {name.removeprefix(prefix): row.pop(name) for name in list(row) if name.startswith(prefix)}


@cache
def _pages(scope: Scope, *, of_grid: bool) -> Read:
    query: Select[Any] = select(*_ISSUE).where(owned(scope, issues.c.rls_organization_id))
    if not of_grid:
        return pages_of_all(query, scope, issues)
    found = _of_grid(query)
    return pages(select(found), found.c.id)


def _of_grid(mine: Select[Any]) -> Subquery:
    of_meter = mine.where(issues.c.meter_id == meters.c.id)
    of_mppt = mine.where(issues.c.mppt_id == mppts.c.id)
    return union(
        mine.where(issues.c.grid_id == GRID),
        below(meters, meters.c.rls_grid_id == GRID, of_meter),
        below(mppts, mppts.c.grid_id == GRID, of_mppt),
    ).subquery()
