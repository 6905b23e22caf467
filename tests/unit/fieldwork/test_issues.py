"""Rules of issues."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nxt_domain.fieldwork.issues import Issue, IssueStatus, IssueType, ticket_closable
from nxt_domain.shared.errors import InvalidInput

NOW = datetime(2026, 3, 10, 9, 15, tzinfo=UTC)
INSTANTS = st.none() | st.integers(-9, 9).map(lambda hours: NOW + timedelta(hours=hours))
CHANGES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "issue_status": st.sampled_from(IssueStatus),
        "issue_type": st.sampled_from(IssueType),
        "closed_at": INSTANTS,
        "snoozed_until": INSTANTS,
        "external_reference": st.none() | st.just("OPS-2"),
        "grid_id": st.none() | st.just(70),
    },
)
NEW = Issue(id=5, issue_type=IssueType.TAMPER, issue_status=IssueStatus.OPEN, external_reference="OPS-1", meter_id=9)


@given(st.lists(CHANGES, max_size=6))
def test_whatever_is_changed_an_issue_makes_sense(edits: list[dict[str, Any]]) -> None:
    """[API-95] [REL-74] Property: what is over has a time; leaving the open state with a ticket is told once."""
    issue, told = NEW, []
    for changes in edits:
        before, issue = issue, issue.changed(changes, NOW)
        assert issue.is_open or issue.closed_at is not None
        assert all(getattr(issue, name) == value for name, value in changes.items() if value is not None)
        task = ticket_closable(before, issue)
        is_end = before.is_open and not issue.is_open
        assert (task is not None) is (is_end and issue.external_reference is not None)
        told += [] if task is None else [task.payload]
        assert ticket_closable(issue, issue.changed({}, NOW)) is None, "a repeat tells nothing"
    assert all(payload == {"issue_id": 5, "ticket": payload["ticket"]} for payload in told)


@pytest.mark.parametrize("name", ["issue_type", "issue_status", "estimated_lost_revenue"])
def test_what_every_issue_has(name: str) -> None:
    """[API-95] [API-10]"""
    with pytest.raises(InvalidInput, match=f"{name} should not be empty"):
        NEW.changed({name: None}, NOW)


def test_an_issue_is_about_something() -> None:
    """[API-95]"""
    of_grid = NEW.changed({"grid_id": 70}, NOW)
    assert of_grid.changed({"grid_id": None}, NOW).meter_id == 9
    alone = Issue(id=6, issue_type=IssueType.VEBUS_ERROR, issue_status=IssueStatus.OPEN, grid_id=70)
    with pytest.raises(InvalidInput, match="grid_id should not be empty"):
        alone.changed({"grid_id": None}, NOW)
