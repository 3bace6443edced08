"""REST of predictions: the list of an endpoint, and one with all that it came from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lineage import names
from lineage.services import EdgeSpec, add
from models.endpoints.models import Deployment
from models.registry.models import ModelVersion
from modelwright.accounts.models import User
from modelwright.core.ids import new_id
from tests.predictions.test_shipping import ship_all, write

pytestmark = pytest.mark.django_db
Api = Callable[[User], Any]


def test_predictions_are_listed_newest_first_and_paged(
    api: Api, ann: User, spool: Path, deployment: Deployment, make_record: Any
) -> None:
    records = [make_record() for _ in range(5)]
    write(spool, records)
    ship_all(spool)
    address = f"/api/v1/endpoints/{deployment.endpoint_id}/predictions/"
    body = api(ann).get(f"{address}?limit=2").json()
    assert [row["id"].replace("-", "") for row in body["results"]] == [records[4]["id"], records[3]["id"]]
    assert body["next"]
    assert len(api(ann).get(address, {"deployment": str(deployment.pk)}).json()["results"]) == 5
    assert api(ann).get(address, {"deployment": str(new_id())}).json()["results"] == []
    assert api(ann).get(address, {"deployment": "x"}).status_code == 422


def test_a_prediction_leads_back_to_the_data(
    api: Api, ann: User, spool: Path, deployment: Deployment, make_record: Any, stranger: User
) -> None:
    version = ModelVersion.objects.get()
    version.manifest_digest = "b" * 64
    version.save()
    project_id = deployment.endpoint.project_id
    node = names.model_version(project_id, version.pk, str(version), version.manifest_digest)
    run = names.run(project_id, new_id(), "train #1")
    data = names.file(project_id, "wine.csv", "c" * 64)
    add(edges=[EdgeSpec(data, run, "read"), EdgeSpec(run, node, "trained")])
    record = make_record()
    write(spool, [record])
    ship_all(spool)
    address = f"/api/v1/predictions/{record['id']}/"
    body = api(ann).get(address).json()
    assert body["version"]["artifact_digest"] == "a" * 64
    assert [item["title"] for item in body["training_data"]] == ["wine.csv"]
    assert body["outputs"] == ["one:0"]
    assert api(stranger).get(address).status_code == 404
    assert api(ann).get(f"/api/v1/predictions/{new_id()}/").status_code == 404
