"""Jobs, runs, models, endpoints, predictions and lineage of the matrix's project, made by the rooms' own services."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from django.utils import timezone

from jobs import services as job_services
from jobs.pushes.services import create_push_start
from jobs.pushes.signatures import Told
from jobs.pushes.starting import take
from lineage import names
from lineage.kinds import EdgeKind
from lineage.services import EdgeSpec
from lineage.services import add as add_lineage
from models.availability.models import AvailabilityAlert
from models.endpoints import services as endpoint_services
from models.endpoints import transitions
from models.endpoints.models import Deployment, Endpoint
from models.predictions.models import Prediction
from models.registry import services as registry_services
from models.registry import snapshots
from models.registry.models import CompiledModel, ModelVersion
from models.registry.sources import Source
from modelwright.accounts.actors import Actor
from modelwright.core.ids import new_id
from modelwright.storage.settings import blob_store
from projects.models import Project
from projects.variables.services import set_variable
from tests.matrix.evidence import add_evidence

SYSTEM = Actor.system("tests")
_COLUMNS = json.dumps([{"type": "double", "name": "tenure", "required": True}])
_OUTPUTS = json.dumps([{"type": "long", "required": True}])
MLMODEL = f"""
flavors:
  python_function: {{loader_module: mlflow.sklearn, python_version: 3.11.2, model_path: model.pkl}}
  sklearn: {{pickled_model: model.pkl}}
signature:
  inputs: '{_COLUMNS}'
  outputs: '{_OUTPUTS}'
"""


def add_jobs(project: Project) -> dict[str, Any]:
    """A job, a run of it that is still queued and was given a secret, and a webhook that was told of a push."""
    set_variable(project, name="TOKEN", value="a secret of the lake", acting_user=SYSTEM)
    job = job_services.create_job(project, name="nightly", script="train.py", acting_user=SYSTEM)
    run = job_services.start_run(project, job_services.RunRequest(job=job), acting_user=SYSTEM)
    start, _ = create_push_start(project, name="on-push", via="github", job=job.name, branch="main", acting_user=SYSTEM)
    take(start, Told("other", "0123456789" * 4), key="told", commit=None)
    return {"job_id": job.pk, "run_id": run.pk, "start_id": start.pk, "hook_id": start.pk}


def add_models(project: Project) -> dict[str, Any]:
    """A model with two versions, an endpoint that served first one and then the other, a key and a prediction."""
    first, second = (_version(project, number) for number in (1, 2))
    failed = registry_services.register(
        project=project, name="churn", number=3, source="models:/m-3", acting_user=SYSTEM
    )
    registry_services.fail(failed, reason="Its files could not be read.", acting_user=SYSTEM)
    CompiledModel.objects.create(version=second, state="impossible", reason="A part has no counterpart in ONNX.")
    registry_services.set_alias(first.model, name="champion", version=first, acting_user=SYSTEM)
    endpoint = endpoint_services.create_endpoint(project=project, name="churn", acting_user=SYSTEM)
    counts = {
        "target": 99.9,
        "long_burn": 20.0,
        "short_burn": 20.0,
        "requests": 1000,
        "lost": 20,
        "detail": "Much failed.",
    }
    AvailabilityAlert.objects.create(endpoint=endpoint, rule="fast", severity="page", **counts)
    earlier, live = (_deployed(endpoint, version) for version in (first, second))
    key, _ = endpoint_services.create_key(endpoint, name="shop", acting_user=SYSTEM)
    prediction = _prediction(project, endpoint, live, second)
    version_node = names.model_version(project.pk, second.pk, str(second), second.manifest_digest)
    deployed = names.deployment(project.pk, live.pk, str(live))
    nodes = add_lineage(edges=[EdgeSpec(version_node, deployed, EdgeKind.DEPLOYED)])
    return {
        "model_id": first.model_id,
        "version_id": second.pk,
        "failed_version_id": failed.pk,
        "alias": "champion",
        "endpoint_id": endpoint.pk,
        "deployment_id": earlier.pk,
        "other_id": live.pk,
        "key_id": key.pk,
        "prediction_id": prediction.pk,
        **add_evidence(prediction, second),
        "node_id": nodes[version_node],
    }


def _version(project: Project, number: int) -> ModelVersion:
    version = registry_services.register(
        project=project, name="churn", number=number, source=f"models:/m-{number}", acting_user=SYSTEM
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "MLmodel").write_text(MLMODEL)
        (Path(folder) / "requirements.txt").write_text("scikit-learn\n")
        (Path(folder) / "model.pkl").write_bytes(b"never opened here %d" % number)
        snapshot = snapshots.take(blob_store(), Path(folder))
    registry_services.take_over(version, source=Source(Path()), snapshot=snapshot, acting_user=SYSTEM)
    algorithm = {"name": "LogisticRegression", "parameters": {}, "steps": []}
    registry_services.inspected(version, algorithm=algorithm, summary="LogisticRegression", acting_user=SYSTEM)
    version.refresh_from_db()
    return version


def _deployed(endpoint: Endpoint, version: ModelVersion) -> Deployment:
    deployment = endpoint_services.deploy(endpoint, model_version=version, acting_user=SYSTEM)
    for before in Deployment.objects.filter(endpoint=endpoint, state="live"):
        assert transitions.supersede(before)
    assert transitions.start(deployment)
    assert transitions.go_live(deployment)
    deployment.refresh_from_db()
    return deployment


def _prediction(project: Project, endpoint: Endpoint, deployment: Deployment, version: ModelVersion) -> Prediction:
    prediction: Prediction = Prediction.objects.create(
        id=new_id(),
        at=timezone.now(),
        project_id=project.pk,
        endpoint_id=endpoint.pk,
        deployment_id=deployment.pk,
        model_version_id=version.pk,
        inputs=[{"tenure": 3.0}],
        outputs=[1],
        latency_ms=4.2,
        endpoint_name=endpoint.path,
        deployment_number=deployment.number,
        model_name=version.model.name,
        version_number=version.number,
        key_name="shop",
    )
    return prediction
