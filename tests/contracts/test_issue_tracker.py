"""Port ``IssueTracker``: one suite over the fake, and over Jira against the simulated one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import attrs
import pytest
from prometheus_client import CollectorRegistry

from nxt_adapters.jira import ELSEWHERE, PRODUCTION, JiraSettings, JiraTracker
from nxt_adapters.memory.tracker import MemoryTracker
from nxt_adapters.resilience import CallPolicy, OutboundMetrics, RetryPolicy
from nxt_domain.fieldwork.tracker import CLOSABLE, IssueTracker, NewTicket
from nxt_domain.shared.errors import NotFound, UpstreamFailed
from nxt_entrypoints.simulators.jira.simulator import Jira, JiraConfig

TICKET = NewTicket(
    title="Umuoke: meter 47001771477 tampered with",
    grid_id=70,
    grid_name="Umuoke",
    organization_name="Sunny Grids",
    meter_id=9,
    meter_number="47001771477",
    since=datetime(2026, 3, 10, 9, 15, 30, tzinfo=UTC),
    customer="Customer 1 (+2348031234567)",
)


class Team(Protocol):
    """A tracker under test, with the handles to break it."""

    port: IssueTracker

    def keys(self) -> Sequence[str]: ...
    def said(self) -> Sequence[tuple[str, str]]: ...
    def go_down(self) -> None: ...


class FakeTeam:
    def __init__(self) -> None:
        self.fake = MemoryTracker()
        self.port: IssueTracker = self.fake

    def keys(self) -> Sequence[str]:
        return list(self.fake.tickets)

    def said(self) -> Sequence[tuple[str, str]]:
        return self.fake.comments

    def go_down(self) -> None:
        self.fake.is_down = True


class SimulatedTeam:
    def __init__(self, simulator: Jira, adapter: JiraTracker) -> None:
        self.simulator = simulator
        self.port: IssueTracker = adapter

    def keys(self) -> Sequence[str]:
        return list(self.simulator.tickets)

    def said(self) -> Sequence[tuple[str, str]]:
        return [(key, str(comment["body"])) for key, comment in self.simulator.comments]

    def go_down(self) -> None:
        self.simulator.control.update({"down": True})


def jira(simulator: Jira, **settings: Any) -> JiraTracker:
    known = JiraSettings(
        api_url=simulator.api_url,
        service_desk_url=f"{simulator.service_desk_url}/",
        username="robot@example.org",
        api_key=lambda: "key-1",
        dashboard_url="https://dashboard.example.org/",
    )
    retry = RetryPolicy(attempts=2, wait_initial_s=0, wait_max_s=0, jitter_s=0)
    policy = CallPolicy(timeout_s=1.0, retry=retry)
    return JiraTracker(attrs.evolve(known, **settings), policy=policy, metrics=OutboundMetrics(CollectorRegistry()))


@pytest.fixture
async def simulator() -> AsyncIterator[Jira]:
    made = Jira(JiraConfig(api_key="key-1"))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=["memory", "jira"])
async def team(request: pytest.FixtureRequest, simulator: Jira) -> AsyncIterator[Team]:
    if request.param == "memory":
        yield FakeTeam()
        return
    adapter = jira(simulator)
    yield SimulatedTeam(simulator, adapter)
    await adapter.close()


async def test_tickets_are_made_and_commented(team: Team) -> None:
    """[AUTO-152] [AUTO-153] [AUTO-154] Each ticket has a key of its own, under which it is commented."""
    first, second = [await team.port.open(TICKET) for _ in range(2)]
    assert team.keys() == [first, second]
    await team.port.comment(second, CLOSABLE)
    assert team.said() == [(second, "This issue can be closed")]


async def test_a_ticket_that_is_gone(team: Team) -> None:
    """[AUTO-154]"""
    for key in ("OPS-99", "../issue", "a b?c#d"):
        with pytest.raises(NotFound):
            await team.port.comment(key, CLOSABLE)
    assert team.said() == []


async def test_a_tracker_that_is_away(team: Team) -> None:
    """[AUTO-155]"""
    key = await team.port.open(TICKET)
    team.go_down()
    with pytest.raises(UpstreamFailed):
        await team.port.open(TICKET)
    with pytest.raises(UpstreamFailed):
        await team.port.comment(key, CLOSABLE)
    assert (len(team.keys()), team.said()) == (1, [])


@pytest.mark.parametrize("project", [PRODUCTION, ELSEWHERE])
async def test_what_a_ticket_says(simulator: Jira, project: Any) -> None:
    """[AUTO-153] Word for word; in production and elsewhere in different projects."""
    adapter = jira(simulator, project=project)
    key = await adapter.open(TICKET)
    assert key == f"{'OPS' if project is PRODUCTION else 'SBOXTOPS'}-1"
    fields = simulator.tickets[key]
    said = fields["description"]["content"][0]["content"]
    assert said == [
        {"type": "text", "text": "Umuoke: meter 47001771477 tampered with. Details: "},
        {
            "type": "text",
            "text": "dashboard",
            "marks": [
                {
                    "type": "link",
                    "attrs": {
                        "href": "https://dashboard.example.org/grid/70/meter/9",
                        "title": "Meter 47001771477",
                    },
                }
            ],
        },
        {"type": "text", "text": ". Since 10/03/2026 09:15:30 UTC. Customer: Customer 1 (+2348031234567)"},
    ]
    assert (fields["summary"], fields["issuetype"]) == (TICKET.title, {"id": project.issue_type})
    assert fields[project.grid_field] == {"value": "Umuoke"}
    assert fields[project.developer_field] == {"value": "Sunny Grids"}
    assert fields[project.meter_field] == "47001771477"
    await adapter.comment(key, CLOSABLE)
    assert simulator.comments == [(key, {"body": CLOSABLE, "public": False})], "only the team sees it"
    await adapter.close()


async def test_answers_without_sense(simulator: Jira) -> None:
    """[AUTO-155] A wrong key, garbage, an answer that never comes."""
    stranger = jira(simulator, api_key=lambda: "rotated-away")
    with pytest.raises(UpstreamFailed, match="HTTP 401"):
        await stranger.open(TICKET)
    await stranger.close()
    for faults in (
        {"garbage_rate": 1},
        {"garbage_rate": 0, "error_rate": 1},
        {"error_rate": 0, "latency_ms": [1500, 1500]},
    ):
        adapter = jira(simulator)
        simulator.control.update(faults)
        with pytest.raises(UpstreamFailed):
            await adapter.open(TICKET)
        await adapter.close()
    assert "key-1" not in repr(jira(simulator)._settings)
