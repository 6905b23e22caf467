"""Tickets at Jira, and internal comments at its service desk [AUTO-153, AUTO-154]."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC
from urllib.parse import quote

import attrs

from nxt_adapters.resilience import CallPolicy, Faulty, HttpCaller, HttpReply, OutboundMetrics
from nxt_domain.fieldwork.tracker import NewTicket
from nxt_domain.shared.errors import NotFound, UpstreamFailed
from nxt_domain.shared.json import Json

# One call after another, as the tracker wants it.
DEFAULT_POLICY = CallPolicy(concurrency=1)


@attrs.frozen(kw_only=True)
class JiraProject:
    """Where tickets go, and the numbers that its fields happen to have there.

    Attributes:
        key: Of the project.
        issue_type: Id of "equipment or communication".
        grid_field: Chosen from a list of grids.
        developer_field: Chosen from a list of organizations.
        meter_field: Takes the meter's number.
    """

    key: str
    issue_type: str
    grid_field: str
    developer_field: str
    meter_field: str


PRODUCTION = JiraProject(
    key="OPS",
    issue_type="10032",
    grid_field="customfield_10059",
    developer_field="customfield_10120",
    meter_field="customfield_10121",
)
ELSEWHERE = JiraProject(
    key="SBOXTOPS",
    issue_type="10041",
    grid_field="customfield_10080",
    developer_field="customfield_10083",
    meter_field="customfield_10074",
)


@attrs.frozen(kw_only=True)
class JiraSettings:
    """What the adapter needs from outside.

    Attributes:
        api_url: ``JIRA_API``, with the path of REST v3.
        service_desk_url: ``JIRA_SERVICE_DESK_API``.
        username: ``JIRA_API_USERNAME``.
        api_key: Gives ``JIRA_API_KEY``; asked at every call, so that the key can change meanwhile.
        dashboard_url: Where a ticket's link leads; None: it has none.
        project: By environment.
    """

    api_url: str
    service_desk_url: str
    username: str
    api_key: Callable[[], str] = attrs.field(repr=False)
    dashboard_url: str | None = None
    project: JiraProject = ELSEWHERE


class JiraTracker:
    """Implements ``IssueTracker``.

    Args:
        settings: Account and addresses.
        policy: Limits.
        metrics: Where outcomes are counted.
    """

    def __init__(
        self, settings: JiraSettings, *, policy: CallPolicy = DEFAULT_POLICY, metrics: OutboundMetrics | None = None
    ) -> None:
        self._settings = settings
        self._http = HttpCaller("jira", policy, metrics=metrics, max_body_bytes=1_000_000)

    async def open(self, ticket: NewTicket) -> str:
        """See ``IssueTracker.open``; never repeated here, since each call makes a ticket."""
        url = f"{self._settings.api_url.rstrip('/')}/issue"
        fields = {"fields": _fields(ticket, self._settings)}
        reply = await self._http.request("open", "POST", url, headers=self._headers(), json=fields)
        answer = _accepted(reply)
        key = answer.get("key") if isinstance(answer, Mapping) else None
        if not isinstance(key, str) or not key:
            raise Faulty("jira gave a new ticket no key")
        return key

    async def comment(self, key: str, text: str) -> None:
        """See ``IssueTracker.comment``; repeated only if it certainly did not arrive."""
        url = f"{self._settings.service_desk_url.rstrip('/')}/request/{quote(key, safe='')}/comment"
        comment = {"body": text, "public": False}
        reply = await self._http.request(
            "comment", "POST", url, headers=self._headers(), json=comment, repeat_unreached=True
        )
        if reply.status == 404:
            raise NotFound(f"jira knows no ticket {key}", code="TICKET_UNKNOWN")
        _accepted(reply)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _headers(self) -> Mapping[str, str]:
        credential = b64encode(f"{self._settings.username}:{self._settings.api_key()}".encode()).decode()
        return {"Authorization": f"Basic {credential}", "Accept": "application/json"}


def _accepted(reply: HttpReply) -> Json:
    if reply.status >= 300:
        raise UpstreamFailed(f"jira refused with HTTP {reply.status}", code="TRACKER_REFUSED")
    return reply.json()


def _fields(ticket: NewTicket, settings: JiraSettings) -> Mapping[str, Json]:
    project = settings.project
    return {
        "project": {"key": project.key},
        "issuetype": {"id": project.issue_type},
        "summary": ticket.title,
        "description": {
            "type": "doc",
            "version": 1,
            "content": [{"type": "paragraph", "content": _paragraph(ticket, settings.dashboard_url)}],
        },
        project.grid_field: {"value": ticket.grid_name},
        project.developer_field: {"value": ticket.organization_name},
        project.meter_field: ticket.meter_number,
    }


def _paragraph(ticket: NewTicket, dashboard_url: str | None) -> list[Json]:
    since = ticket.since.astimezone(UTC).strftime("%d/%m/%Y %H:%M:%S UTC")
    rest = f". Since {since}." + (f" Customer: {ticket.customer}" if ticket.customer else "")
    return [
        {"type": "text", "text": f"{ticket.title}. Details: "},
        {"type": "text", "text": "dashboard", **_link(ticket, dashboard_url)},
        {"type": "text", "text": rest},
    ]


def _link(ticket: NewTicket, dashboard_url: str | None) -> Mapping[str, Json]:
    if dashboard_url is None:
        return {}
    address = f"{dashboard_url.rstrip('/')}/grid/{ticket.grid_id}/meter/{ticket.meter_id}"
    return {"marks": [{"type": "link", "attrs": {"href": address, "title": f"Meter {ticket.meter_number}"}}]}
