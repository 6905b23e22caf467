"""From the artifact to the team's tracker: what operators configure is what is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import attrs
import pytest
from tests.support.wired import wired

from nxt_domain.fieldwork.tracker import CLOSABLE, NewTicket
from nxt_entrypoints.container import Container
from nxt_entrypoints.demo.environment import DemoAddresses, new_secrets, role_environment
from nxt_entrypoints.settings import ConfigInvalid, Role, Settings, load_settings
from nxt_entrypoints.simulators.jira.simulator import Jira, JiraConfig

TICKET = NewTicket(
    title="Umuoke: meter 47001771477 not communicating",
    grid_id=70,
    grid_name="Umuoke",
    organization_name="Sunny Grids",
    meter_id=9,
    meter_number="47001771477",
    since=datetime(2026, 3, 10, 9, 15, tzinfo=UTC),
)


def settings(**variables: str) -> Settings:
    """Load the demo's configuration with Jira bound."""
    nowhere = {field.name: "http://127.0.0.1:9" for field in attrs.fields(DemoAddresses)}
    stores = {
        "relational_url": "postgresql://nxt:unused@127.0.0.1:9/nxt",
        "series_url": "postgresql://nxt:unused@127.0.0.1:9/series",
        "valkey_url": "redis://127.0.0.1:9",
        "mqtt_url": "mqtt://127.0.0.1:9",
        "chirpstack_grpc": "127.0.0.1:9",
    }
    environment = dict(role_environment(DemoAddresses(**{**nowhere, **stores}), new_secrets()))
    artifact = json.loads(environment["NXT_CONFIG_JSON"])
    artifact["capabilities"]["fieldOperations"] = {"enabled": True, "issueTracker": {"provider": "jira"}}
    artifact["deployment"] = {**artifact.get("deployment", {}), "frontendBaseUrl": "https://dashboard.example.org"}
    environment["NXT_CONFIG_JSON"] = json.dumps(artifact)
    return load_settings({**environment, "NXT_PORT": "1", **variables}, [Role.JOBS])


async def test_jira_is_bound_by_the_artifact() -> None:
    """[API-195] [AUTO-153] [AUTO-154]"""
    simulator = Jira(JiraConfig(api_key="key-1", username="robot@example.org"))
    await simulator.start()
    jira = settings(
        JIRA_API=simulator.api_url,
        JIRA_SERVICE_DESK_API=simulator.service_desk_url,
        JIRA_API_USERNAME="robot@example.org",
        JIRA_API_KEY="key-1",
    )
    container = Container(settings=jira)
    tracker = container.tracker()
    assert tracker is not None
    key = await tracker.open(TICKET)
    await tracker.comment(key, CLOSABLE)
    await tracker.close()
    await simulator.stop()
    assert key == "SBOXTOPS-1", "outside production"
    assert "https://dashboard.example.org/grid/70/meter/9" in json.dumps(simulator.tickets[key])
    assert [ticket for ticket, _ in simulator.comments] == [key]
    assert container.registers().has_tracker() is True


async def test_without_jira_nobody_is_told() -> None:
    """[API-196] Off is off: no client, no task."""
    async with wired() as container:
        assert container.tracker() is None
        assert container.registers().has_tracker() is False


def test_what_jira_needs_is_asked_for_at_once() -> None:
    """[API-195] [API-198]"""
    with pytest.raises(ConfigInvalid) as invalid:
        settings()
    missing = {problem.where for problem in invalid.value.problems}
    assert {"JIRA_API", "JIRA_SERVICE_DESK_API", "JIRA_API_USERNAME", "JIRA_API_KEY"} <= missing
