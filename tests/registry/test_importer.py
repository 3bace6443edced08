"""From a registration through the unmodified mlflow client to a version that may be deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lineage.models import Edge
from models.registry import inspection, selectors, services
from models.registry.importer import IMPORTER, Importer
from models.registry.models import ModelAlias, ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.compute.backends.factory import LocalBackend
from modelwright.compute.fetching import fetch_model
from modelwright.compute.models import Host
from modelwright.core.errors import Conflict
from projects.models import Project
from tests.models_support import Tracking, make_project, ready_environment, wait_for, watch

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

REGISTER = """
import mlflow, os, pandas
model = mlflow.sklearn.load_model(os.environ["MODELS"] + "/one")
table = pandas.DataFrame({"alcohol": [13.2], "malic_acid": [1.8], "proline": [1050],
                          "shade": ["light"], "region": ["north"]})
with mlflow.start_run(run_name="train") as run:
    mlflow.log_param("C", 1.0)
    mlflow.log_metric("accuracy", 0.91)
    for step in range(2):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_input(mlflow.data.from_pandas(table, source="wine.csv", name="wine"), context="training")
    info = mlflow.sklearn.log_model(model, name="model", input_example=table,
        signature=mlflow.models.infer_signature(table, model.predict(table)), registered_model_name="wine",
        pip_requirements=["scikit-learn"], serialization_format="cloudpickle")
mlflow.MlflowClient().set_registered_model_alias("wine", "champion", 1)
print(info.model_id, run.info.run_id)
"""


@pytest.fixture
def project(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(inspection, "request_environment", lambda **_: ready_environment())
    project = make_project("wine")
    tracking.add_workspace(project.mlflow_workspace)
    return project


def insert_version(tracking: Tracking, project: Project, source: str, name: str = "stolen", run: str = "") -> None:
    """A registration as a client could make it by itself, with any source."""
    with psycopg.connect(tracking.database_url, autocommit=True) as connection:
        key = [project.mlflow_workspace, name]
        connection.execute("INSERT INTO registered_models (workspace, name) VALUES (%s, %s)", key)
        connection.execute(
            "INSERT INTO model_versions (workspace, name, version, source, run_id, status, current_stage) "
            "VALUES (%s, %s, 1, %s, %s, 'READY', 'None')",
            [*key, source, run],
        )


def test_who_registered_it_is_taken_from_what_the_proxy_stamped(
    tracking: Tracking, importer: Importer, project: Project, make_user: Any
) -> None:
    ann = make_user("ann")
    insert_version(tracking, project, "models:/m-nothing", name="stamped")
    insert_version(tracking, project, "models:/m-nothing", name="unknown")
    with psycopg.connect(tracking.database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO model_version_tags (workspace, name, version, key, value) "
            "VALUES (%s, 'stamped', 1, 'modelwright.user', 'ann')",
            [project.mlflow_workspace],
        )
    import_all(importer)
    found = {each.model.name: each.registered_by for each in ModelVersion.objects.filter(model__project=project)}
    assert found == {"stamped": ann, "unknown": None}


def import_all(importer: Importer) -> None:
    while importer.tick():
        pass


def test_a_registered_model_becomes_ready(
    tracking: Tracking, importer: Importer, project: Project, host: Host, backend: LocalBackend, admin: Any
) -> None:
    tracking.client(project.mlflow_workspace, REGISTER)
    import_all(importer)
    version = ModelVersion.objects.get(model__project=project)
    assert (version.state, version.flavor, version.number) == ("importing", "sklearn", 1)
    assert version.metrics == {"accuracy": 0.91, "loss": 0.5}
    assert version.parameters == {"C": "1.0"}
    assert version.signature is not None
    assert [column["name"] for column in version.signature["inputs"]][:2] == ["alcohol", "malic_acid"]
    assert version.example is not None
    assert version.example["proline"] == 1050
    assert ModelAlias.objects.get().version == version

    def inspected() -> bool:
        watch(host, backend)
        inspection.collect()
        version.refresh_from_db()
        return version.state != "importing"

    wait_for(inspected)
    assert (version.state, version.detail) == ("ready", "")
    assert version.algorithm_name == "LogisticRegression"
    assert "ColumnTransformer" in json.dumps(version.algorithm)
    entry = selectors.files_of(version).find("model.pkl")
    assert entry is not None
    assert entry.sha256 == version.artifact_digest
    kinds = set(Edge.objects.values_list("src__kind", "dst__kind"))
    assert kinds == {("dataset", "run"), ("run", "model_version")}
    graph = selectors.lineage_of(admin, version)
    assert graph is not None
    assert len(graph.nodes) == 3
    actions = set(AuditEvent.objects.filter(project_id=project.pk).values_list("action", flat=True))
    assert {
        AuditAction.MODEL_REGISTERED,
        AuditAction.MODEL_VERSION_CREATED,
        AuditAction.MODEL_VERSION_INSPECTED,
        AuditAction.MODEL_ALIAS_SET,
    } <= actions
    before = AuditEvent.objects.count()
    import_all(importer)
    inspection.collect()
    assert AuditEvent.objects.count() == before


def test_files_changed_after_registration_do_not_reach_the_snapshot(
    tracking: Tracking, importer: Importer, project: Project, data: Path
) -> None:
    tracking.client(project.mlflow_workspace, REGISTER)
    import_all(importer)
    version = ModelVersion.objects.get(model__project=project)
    folder = next(tracking.artifacts.glob(f"workspaces/{project.mlflow_workspace}/*/models/*/artifacts"))
    (folder / "model.pkl").write_bytes(b"evil")
    checkout = fetch_model(version.manifest_digest)
    assert checkout.is_relative_to(data)
    assert (checkout / "model.pkl").read_bytes() != b"evil"


def test_what_is_another_projects_is_refused(tracking: Tracking, importer: Importer, project: Project) -> None:
    model_id, run_id = tracking.client(project.mlflow_workspace, REGISTER).split()[-2:]
    import_all(importer)
    thief = make_project("thief")
    tracking.add_workspace(thief.mlflow_workspace)
    stolen = f"workspaces/{project.mlflow_workspace}"
    sources = [
        f"models:/{model_id}",
        f"runs:/{run_id}/model",
        f"mlflow-artifacts:/{stolen}/1/models/{model_id}/artifacts",
        f"mlflow-artifacts:/../{project.mlflow_workspace}/1/models/{model_id}/artifacts",
        f"mlflow-artifacts:/%2e%2e/{project.mlflow_workspace}/1",
        "models:/wine/1",
        "file:///etc",
        "s3://bucket/key",
        "/etc",
    ]
    for index, source in enumerate(sources):
        insert_version(tracking, thief, source, f"m{index}")
    insert_version(tracking, thief, "mlflow-artifacts:/mine", "claims", run=run_id)
    import_all(importer)
    versions = ModelVersion.objects.filter(model__project=thief)
    assert {(version.model.name, version.state) for version in versions} == {
        *((f"m{index}", "refused") for index in range(len(sources))),
        ("claims", "refused"),
    }
    assert not versions.exclude(manifest_digest="").exists()
    refused = AuditEvent.objects.filter(action=AuditAction.MODEL_REFUSED, project_id=thief.pk)
    assert refused.count() == len(sources) + 1
    assert all(event.reason for event in refused)


def test_symbolic_links_among_the_files_are_refused(
    tracking: Tracking, importer: Importer, project: Project, tmp_path: Path
) -> None:
    root = tracking.artifacts / "workspaces" / project.mlflow_workspace
    (root / "linked").mkdir(parents=True)
    (root / "linked" / "MLmodel").symlink_to("/etc/passwd")
    (root / "jump").symlink_to(tmp_path)
    insert_version(tracking, project, "mlflow-artifacts:/linked", "linked")
    insert_version(tracking, project, "mlflow-artifacts:/jump", "jump")
    import_all(importer)
    states = dict(ModelVersion.objects.filter(model__project=project).values_list("model__name", "state"))
    assert states == {"linked": "failed", "jump": "refused"}


def test_a_version_without_files_fails_and_can_be_tried_again(
    tracking: Tracking, importer: Importer, project: Project, make_user: Any
) -> None:
    ann = make_user("ann", is_site_admin=True)
    insert_version(tracking, project, "mlflow-artifacts:/late", "late")
    import_all(importer)
    version = ModelVersion.objects.get(model__project=project)
    assert version.state == "failed"
    assert "no files" in version.detail
    folder = tracking.artifacts / "workspaces" / project.mlflow_workspace / "late"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {sklearn: {pickled_model: model.pkl}}")
    (folder / "model.pkl").write_bytes(b"no pickle")
    services.import_again(version, acting_user=Actor.person(ann))
    import_all(importer)
    version.refresh_from_db()
    assert (version.state, bool(version.manifest_digest)) == ("importing", True)
    with pytest.raises(Conflict):
        services.import_again(version, acting_user=Actor.person(ann))


def test_a_model_that_cannot_be_opened_fails_with_the_reason(
    tracking: Tracking, importer: Importer, project: Project, host: Host, backend: LocalBackend
) -> None:
    folder = tracking.artifacts / "workspaces" / project.mlflow_workspace / "broken"
    folder.mkdir(parents=True)
    (folder / "MLmodel").write_text(
        "flavors: {python_function: {loader_module: mlflow.sklearn, model_path: model.pkl}, "
        "sklearn: {pickled_model: model.pkl, serialization_format: pickle}}"
    )
    (folder / "model.pkl").write_bytes(b"no pickle")
    insert_version(tracking, project, "mlflow-artifacts:/broken", "broken")
    import_all(importer)
    inspection.start_missing(acting_user=IMPORTER)
    version = ModelVersion.objects.get(model__project=project)

    def inspected() -> bool:
        watch(host, backend)
        inspection.collect()
        version.refresh_from_db()
        return version.state != "importing"

    wait_for(inspected)
    assert version.state == "failed"
    assert "could not be opened" in version.detail
    assert "UnpicklingError" in version.detail


def test_one_entry_in_trouble_does_not_keep_others_waiting(
    tracking: Tracking, importer: Importer, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = services.register

    def register(**kwargs: Any) -> ModelVersion:
        if kwargs["name"] == "bad":
            raise OSError(28, "No space left on device")
        return real(**kwargs)

    monkeypatch.setattr(services, "register", register)
    insert_version(tracking, project, "file:///etc", "bad")
    insert_version(tracking, project, "file:///etc", "good")
    import_all(importer)
    assert [version.model.name for version in ModelVersion.objects.all()] == ["good"]
    monkeypatch.undo()
    wait_for(lambda: importer.tick() or ModelVersion.objects.filter(model__name="bad").exists(), seconds=30)
    assert ModelVersion.objects.filter(model__name="bad").exists()


def test_a_stage_comes_from_an_approval_to_mlflow_and_never_the_other_way(
    tracking: Tracking, importer: Importer, project: Project
) -> None:
    insert_version(tracking, project, "models:/m-0", name="wine")
    place = [project.mlflow_workspace, "wine"]
    with psycopg.connect(tracking.database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO registered_model_aliases (workspace, name, alias, version) VALUES (%s, %s, 'Production', 1)",
            place,
        )
    import_all(importer)
    version = ModelVersion.objects.get(model__project=project)
    assert not ModelAlias.objects.exists()
    services.set_stage(version.model, stage="production", version=version, acting_user=Actor.system("tests"))
    import_all(importer)
    assert ModelAlias.objects.get().name == "production"
    with psycopg.connect(tracking.database_url) as connection:
        where = "WHERE workspace = %s AND name = %s AND alias = 'production'"
        found = f"SELECT version FROM registered_model_aliases {where}"
        assert connection.execute(found.encode(), place).fetchone() == (1,)
    services.set_stage(version.model, stage="production", version=None, acting_user=Actor.system("tests"))
    with psycopg.connect(tracking.database_url) as connection:
        assert connection.execute(found.encode(), place).fetchone() is None
