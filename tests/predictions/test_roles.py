"""Shadows, fallbacks and assignments on record: kept, counted apart, found and shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from models.endpoints.models import Deployment
from models.predictions.counting import tally
from models.predictions.feedback_selectors import coverage
from models.predictions.models import Prediction, PredictionBucket
from models.predictions.rates import buckets_of
from models.predictions.records import row_of
from models.predictions.search import find, read
from models.predictions.storing import NoPrediction, store
from models.registry.models import ModelVersion
from modelwright.accounts.models import User
from tests.predictions.test_shipping import ship_all, write

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
UNIT = {"by": "unit", "unit": "ab" * 16}


@pytest.fixture
def versions(deployment: Deployment) -> list[str]:
    """Ids of the version that is live, and of three others."""
    first = deployment.targets.get().model_version
    others = [
        ModelVersion.objects.create(model=first.model, number=number, state="ready", source="x") for number in (4, 5, 6)
    ]
    return [str(version.pk) for version in (first, *others)]


@pytest.fixture
def told(make_record: Any, versions: list[str]) -> dict[str, dict[str, Any]]:
    """A record of each kind, all of one minute."""
    _, canary, shadow, stand_in = versions
    plain = make_record()
    at = plain["at"]
    error = {"code": "model_error", "message": "no such value"}
    by_version = {
        "role": "fallback",
        "fallback": "model_error",
        "error": error,
        "model_version_id": stand_in,
        "assignment": {"by": "weight", "instead_of": canary, "in_role": "canary"},
    }
    by_rule = {"role": "live", "fallback": "no_replica", "served_by": "rule:0123456789abcdef", "outputs": ["refuse"]}
    return {
        "plain": plain,
        "canary": make_record(at=at, role="canary", assignment=UNIT, model_version_id=canary),
        "shadow": make_record(at=at, role="shadow", shadow_of=plain["id"], model_version_id=shadow, inputs=[{}, {}]),
        "version": make_record(at=at, **by_version),
        "rule": make_record(at=at, **by_rule),
    }


def test_each_is_on_record_as_the_gateway_told_it(told: dict[str, dict[str, Any]], spool: Path) -> None:
    write(spool, list(told.values()))
    ship_all(spool)
    rows = {row.pk.hex: row for row in Prediction.objects.all()}
    plain, canary, shadow, by_version, by_rule = (rows[each["id"]] for each in told.values())
    assert (plain.role, plain.assignment, plain.fallback, plain.shadow_of) == ("live", None, "", None)
    assert (canary.role, canary.assignment) == ("canary", UNIT)
    assert (shadow.role, shadow.shadow_of) == ("shadow", plain.pk)
    assert (by_version.role, by_version.fallback, by_version.status) == ("fallback", "model_error", 200)
    assert by_version.error == told["version"]["error"]
    assert (by_rule.role, by_rule.fallback, by_rule.served_by) == ("live", "no_replica", "rule:0123456789abcdef")


def test_shadows_are_no_traffic_and_a_fallback_counts_for_the_version_that_was_meant(
    told: dict[str, dict[str, Any]], versions: list[str], deployment: Deployment
) -> None:
    records = list(told.values())
    assert store(records) == 5
    assert store(records) == 0
    counted = {
        str(bucket.model_version_id): (bucket.role, bucket.count, bucket.rows, bucket.fallbacks)
        for bucket in PredictionBucket.objects.all()
    }
    assert counted == dict(
        zip(versions, [("live", 2, 2, 1), ("canary", 2, 2, 1), ("shadow", 1, 2, 0), ("fallback", 1, 1, 0)], strict=True)
    )
    since = datetime.fromtimestamp(told["plain"]["at"] // 60 * 60, UTC)
    (rate,) = buckets_of(deployment.endpoint, since, since + MINUTE, MINUTE)
    assert (rate.count, rate.rows, rate.fallbacks, rate.fallback_share) == (4, 4, 2, 0.5)
    (shadows,) = buckets_of(deployment.endpoint, since, since + MINUTE, MINUTE, role="shadow")
    assert (shadows.count, shadows.rows) == (1, 2)
    found = coverage(deployment.endpoint, days=1)
    assert found.records == 4


def test_what_a_fallback_failed_is_a_failure_of_the_version_that_was_meant(make_record: Any) -> None:
    version = "00000000-0000-7000-8000-00000000000a"
    record = make_record(
        role="fallback", fallback="timed_out", status=502, outputs=[], error={"code": "x", "message": "y"},
        assignment={"by": "weight", "instead_of": version, "in_role": "live"},
    )  # fmt: skip
    tallies = tally([row_of(record, lambda _: b"")])
    counts = {key[3]: (each.role, each.count, each.errors, each.fallbacks) for key, each in tallies.items()}
    assert counts == {version: ("live", 1, 1, 0), record["model_version_id"]: ("fallback", 1, 1, 0)}


@pytest.mark.parametrize("wrong", [{"role": "boss"}, {"role": "shadow", "shadow_of": "x"}])
def test_a_role_or_an_id_that_is_none_is_no_prediction(make_record: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(NoPrediction):
        store([make_record(**wrong), make_record()])
    assert not Prediction.objects.exists()


def test_they_are_found_by_role(told: dict[str, dict[str, Any]], deployment: Deployment) -> None:
    store(list(told.values()))
    endpoint = deployment.endpoint

    def ids(**params: str) -> set[str]:
        search, problems = read(endpoint, params)
        assert not problems
        return {row.pk.hex for row in find(endpoint, search).rows}

    assert ids(role="shadow") == {told["shadow"]["id"]}
    assert ids(role="canary") == {told["canary"]["id"]}
    assert ids(role="fallback") == {told["version"]["id"], told["rule"]["id"]}
    assert ids(role="live") == {told["plain"]["id"], told["rule"]["id"]}
    assert len(ids()) == 5
    assert len(read(endpoint, {"role": "boss"})[1]) == 1


def test_a_predictions_page_says_in_which_role_and_why(
    told: dict[str, dict[str, Any]], ann: User, client: Client
) -> None:
    store(list(told.values()))
    client.force_login(ann)

    def page(name: str) -> str:
        return " ".join(client.get(f"/predictions/{told[name]['id']}/").content.decode().split())

    assert "assigned to the unit" in page("canary")
    assert 'Shadow of</dt><dd><a class="mono small"' in page("shadow")
    assert "the model failed: no such value; meant was" in page("version")
    by_rule = page("rule")
    assert "no replica answered" in by_rule
    assert "the rule" in by_rule
    assert "<dt>Role" not in page("plain")
    told_of = client.get(f"/api/v1/predictions/{told['version']['id']}/").json()
    assert told_of["assignment"]["in_role"] == "canary"
    assert (told_of["role"], told_of["fallback"], told_of["shadow_of"]) == ("fallback", "model_error", None)
