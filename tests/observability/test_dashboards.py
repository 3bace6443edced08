"""Dashboards and documentation against Grafana's types, PromQL's grammar and what the platform tells."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from modelwright.core import counting
from modelwright.core.exposition import render
from modelwright.observability.collecting import everything
from tests.observability.documented import documented
from tests.observability.queries import expressions, load, selectors

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
CUSTOM = "modelwright_model_"

plugins.register_default_plugins()


def understood(board: dict[str, Any]) -> dict[str, Any]:
    """What is left of it after a way through Grafana's types."""
    found: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(board)))
    return found


def lost(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """Where something of the first is not in the second, which may have more."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key, value in one.items():
            yield from lost(value, other[key], f"{place}/{key}") if key in other else [f"{place}/{key}"]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from lost(mine, theirs, f"{place}/{number}")
    elif one != other:
        yield place


def test_there_are_dashboards() -> None:
    assert {path.stem for path in FILES} == {"platform", "endpoint", "hosts"}
    boards = [load(path) for path in FILES]
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_grafana_understands_all_of_it(path: Path) -> None:
    """What Grafana's own types do not know is lost on the way through them."""
    board = load(path)
    assert list(lost(board, understood(board))) == []
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert panel["title"]
        assert panel["targets"]


def test_a_word_that_grafana_does_not_know_is_noticed() -> None:
    board = load(FILES[0])
    panel = board["panels"][0]
    panel["options"]["legend"]["placment"] = "bottom"
    panel["targets"][0]["expression"] = "up"
    panel["fieldConfig"]["defaults"]["units"] = "s"
    assert set(lost(board, understood(board))) == {
        "/panels/0/options/legend/placment",
        "/panels/0/targets/0/expression",
        "/panels/0/fieldConfig/defaults/units",
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_data_source_is_named_but_the_one_that_is_chosen(path: Path) -> None:
    board = load(path)
    used = set(re.findall(r'"uid": "([^"]*)"', path.read_text())) - {board["uid"]}
    assert used == {"${datasource}"}
    assert board["templating"]["list"][0]["type"] == "datasource"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_query_is_promql_and_reads_metrics_and_labels_that_there_are(path: Path) -> None:
    known = documented()
    for text in set(expressions(load(path))):
        found = selectors(text)
        assert found, text
        for selector in found:
            matchers = {matcher.name: matcher.value for matcher in selector.matchers.matchers}
            if selector.name is None:
                assert matchers.pop("__name__").startswith(CUSTOM)
                assert set(matchers) <= {"endpoint"}
                continue
            name, suffix = selector.name, ""
            if name not in known:
                name, _, suffix = name.rpartition("_")
                assert known[name].kind == "histogram", text
                assert suffix in {"bucket", "sum", "count"}, text
            assert set(matchers) <= set(known[name].labels), text


@pytest.mark.django_db
def test_what_the_pages_tell_is_documented_word_for_word() -> None:
    families = {family.name: family for family in everything()}
    told = {name: entry for name, entry in documented().items() if entry.section == "pages"}
    assert set(told) == set(families)
    for name, family in families.items():
        assert told[name].kind == family.kind
        if name in counting.DECLARED:
            assert told[name].labels == (*counting.DECLARED[name].labels, "host")
        for sample in family.samples:
            assert set(told[name].labels) == {label for label, _ in sample.labels} - {"le"}


def test_grafana_and_prometheus_are_told_of_both_addresses() -> None:
    config = yaml.safe_load((ROOT / "grafana" / "prometheus.yml").read_text())
    targets = {
        target for job in config["scrape_configs"] for each in job["static_configs"] for target in each["targets"]
    }
    assert targets == {"web:8000", "gateway:8001"}
    assert all("credentials_file" in job["authorization"] for job in config["scrape_configs"])
    (source,) = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/modelwright.yaml").read_text())["providers"]
    overlay = yaml.safe_load((ROOT / "grafana" / "docker-compose.yml").read_text())["services"]
    assert (source["type"], source["url"]) == ("prometheus", "${PROMETHEUS_URL}")
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in overlay["grafana"]["volumes"]


@pytest.mark.django_db
def test_prometheus_own_tool_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed: Debian's package prometheus has it")
    (tmp_path / "token").write_text("token")
    config = tmp_path / "prometheus.yml"
    config.write_text((ROOT / "grafana/prometheus.yml").read_text().replace("/run/secrets/metrics-token", "token"))
    subprocess.run([tool, "check", "config", str(config)], check=True, capture_output=True)
    subprocess.run([tool, "check", "metrics"], input=render(everything()), check=True, capture_output=True)
