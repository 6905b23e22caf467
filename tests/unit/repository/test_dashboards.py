"""Dashboards and what fills them: they parse, and name only figures that the roles have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from tests.unit.repository.repository_files import ROOT

from nxt_adapters.resilience.metrics import OutboundMetrics
from nxt_domain.messaging.stages import Stage
from nxt_entrypoints import background
from nxt_entrypoints.http.observation import metrics_of
from nxt_entrypoints.jobs import relay, settlement_worker
from nxt_entrypoints.jobs.messaging_metrics import PrometheusMessagingMetrics
from nxt_entrypoints.jobs.money_metrics import PrometheusMoneyMetrics
from nxt_entrypoints.messaging.metrics import PrometheusEventMetrics
from nxt_entrypoints.settings.roles import Role

GRAFANA = ROOT / "deploy/grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
NAME = re.compile(r"\b(?:nxt|device_messaging)_\w+")
WORDS_OF_THE_QUERY = {"le", "plugin"}
"""Labels that a query makes or every histogram has."""


def exposed() -> dict[str, set[str]]:
    """Every series of the product with its labels, as registries hold them."""
    registry = CollectorRegistry()
    PrometheusMessagingMetrics(registry)
    PrometheusMoneyMetrics(registry)
    metrics_of(registry)
    PrometheusEventMetrics(registry)
    OutboundMetrics(registry)
    shared = [relay.TASKS, settlement_worker.SETTLED, background.FAILURES]
    assert {metric for metric in shared if metric in REGISTRY._collector_to_names} == set(shared)
    made = [metric for metric in registry._collector_to_names if isinstance(metric, MetricWrapperBase)]
    return {
        metric._name + suffix: set(metric._labelnames)
        for metric in (*made, *shared)
        for suffix in SUFFIXES[metric._type]
    }


EXPOSED = exposed()


def dashboard(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(file.read_text())
    return read


def queries(file: Path) -> Iterator[tuple[str, str, str]]:
    for panel in dashboard(file)["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target["legendFormat"]


def used_labels(query: str) -> set[str]:
    selected = {
        word for part in re.findall(r"\{([^}]*)\}", query) for word in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", part)
    }
    grouped = {word.strip() for part in re.findall(r"\bby \(([^)]*)\)", query) for word in part.split(",")}
    return selected | grouped


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_figure_is_one_that_the_roles_have(file: Path) -> None:
    """[DM-169] With the labels that it has."""
    found = list(queries(file))
    assert len(found) > 10
    for title, query, legend in found:
        names = NAME.findall(query)
        assert names, f"{title} asks for nothing"
        assert set(names) <= set(EXPOSED), (title, set(names) - set(EXPOSED))
        known = set().union(*(EXPOSED[name] for name in names)) | WORDS_OF_THE_QUERY
        shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
        assert used_labels(query) | shown <= known, (title, used_labels(query) | shown, known)
        assert shown <= used_labels(query), f"{title}: {shown} is grouped away"


def test_every_series_of_messaging_is_shown() -> None:
    """[DM-169] What is counted is looked at."""
    text = "".join(query for file in FILES for _, query, _ in queries(file))
    families = {
        name for name in EXPOSED if name.startswith("device_messaging") and not name.endswith(("_sum", "_count"))
    }
    assert {name for name in families if name not in text} == set()


def test_stages_are_named_as_they_are_exposed() -> None:
    """[DM-33] [DM-169] A stage that is renamed would leave its panel empty."""
    selected = re.findall(r'queue=~"([\w|]+)"', (GRAFANA / "dashboards/messaging.json").read_text().replace('\\"', '"'))
    assert selected
    assert {frozenset(each.split("|")) for each in selected} == {frozenset(stage.value for stage in Stage)}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_panels_have_their_place_and_source(file: Path) -> None:
    """No two overlap; all ask the provisioned source."""
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    taken: set[tuple[int, int]] = set()
    panels = dashboard(file)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at: Mapping[str, int] = panel["gridPos"]
        cells = {(at["x"] + right, at["y"] + down) for right in range(at["w"]) for down in range(at["h"])}
        assert not taken & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == source["uid"]


def test_dashboards_are_told_apart() -> None:
    assert len({dashboard(file)["uid"] for file in FILES}) == len(FILES) >= 2


def test_compose_mounts_what_provisioning_names() -> None:
    """The dashboards' folder, the source's address, and every role among what is asked."""
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/nxt.yml").read_text())["providers"]
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    mounts = dict(volume.split(":")[:2] for volume in COMPOSE["services"]["grafana"]["volumes"])
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert re.fullmatch(r"http://(\w+):9090", source["url"])[1] in COMPOSE["services"]  # type: ignore[index]
    scraped, stand_alone = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert scraped["metrics_path"] == "/metrics"
    (names,) = scraped["dns_sd_configs"]
    assert set(names["names"]) == {role.value for role in Role}
    assert names["port"] == 8000
    assert stand_alone["dns_sd_configs"][0]["port"] == 3100
