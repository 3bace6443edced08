"""What `/metrics` tells of promises, alerts and replicas that are wanted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.availability.models import AvailabilityAlert
from models.endpoints.models import Endpoint
from modelwright.observability import scraping
from tests.availability.conftest import Count
from tests.observability.test_scraping import scrape, value

pytestmark = pytest.mark.django_db


def test_burn_rates_open_alerts_and_wanted_replicas_are_told(
    endpoint: Endpoint, count: Count, tmp_path: Path, settings: Any
) -> None:
    settings.METRICS_TOKEN_FILE = str(tmp_path / "metrics-token")
    count(timedelta(minutes=1), answered=995, failed=3, refused=2)
    count(timedelta(minutes=30), answered=1000)
    facts = {"target": 99.9, "long_burn": 20, "short_burn": 20, "requests": 1000, "lost": 5, "severity": "page"}
    for rule, state in (("hour", "open"), ("day", "closed")):
        AvailabilityAlert.objects.create(endpoint=endpoint, rule=rule, state=state, detail="", **facts)
    Endpoint.objects.update(wanted_replicas=7, min_replicas=2, max_replicas=4)
    told = scrape(scraping.token())
    name = f"{endpoint.workspace.name}/{endpoint.name}"
    # 0.1 % of the requests may be lost: five of a thousand are five times too many.
    assert value(told, "modelwright_endpoint_burn_rate", endpoint=name, window="5m") == pytest.approx(5)
    assert value(told, "modelwright_endpoint_burn_rate", endpoint=name, window="1h") == pytest.approx(2.5)
    assert value(told, "modelwright_availability_alerts", endpoint=name, severity="page") == 1
    assert value(told, "modelwright_endpoint_wanted_replicas", endpoint=name) == 4
