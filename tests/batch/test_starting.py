"""Who may start what, and what is refused in words."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from models.batch import services, sources
from models.batch.models import BatchInput, BatchJob
from models.batch.sources import Wanted
from models.registry.models import CompiledModel
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.compute.models import Environment, EnvironmentRequest, Workload
from modelwright.core.errors import Conflict, NotFound, PermissionRefused, PlatformError, ValidationFailed
from projects.models import Project
from tests.conftest import MakeUser
from tests.jobs.conftest import give_roles
from tests.models_support import make_project, ready_version
from workspaces.connection_services import create_data_connection

SYSTEM = Actor.system("tests")


def add(project: Project, name: str = "rows.csv", content: bytes = b"alcohol\n1\n") -> BatchInput:
    return services.add_input(project, name=name, stream=io.BytesIO(content), acting_user=SYSTEM)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": Wanted("upload")}, "no such uploaded file"),
        ({"source": Wanted("telepathy")}, "nothing that can be scored"),
        ({"source": Wanted("table", connection="nowhere", table="t")}, "no data connection 'nowhere'. It has db, lake"),
        ({"source": Wanted("table", connection="lake", table="t")}, "it is Web address"),
        ({"source": Wanted("table", connection="db", table="t; DROP TABLE x")}, "no name of a table"),
        ({"source": Wanted("table", connection="db", table="t")}, "needs one key column"),
        ({"source": Wanted("query", connection="db")}, "1 to 20,000 characters"),
        ({"output_table": "t"}, "only where the input is a table"),
        ({"chunk_rows": 0}, "cannot have 0 rows"),
        ({"output_format": "xml"}, "is no choice"),
        ({"key_columns": ["a", "a"]}, "key columns are not right"),
        (
            {"source": Wanted("table", connection="db", table="t"), "key_columns": ["error"], "output_table": "t"},
            "cannot be called error",
        ),
    ],
)
def test_what_cannot_be_scored_is_refused_with_the_reason(
    start: Any, project: Project, changes: dict[str, Any], said: str
) -> None:
    for name, kind, config in (
        ("lake", "http", {"url": "https://example.org/x"}),
        ("db", "postgresql", {"host": "db", "database": "d", "username": "u"}),
    ):
        create_data_connection(project.workspace, name=name, kind=kind, config=config, acting_user=SYSTEM)
    with pytest.raises(PlatformError) as refused:
        start("alcohol\n1\n" if "source" not in changes else None, **changes)
    assert said in refused.value.message
    assert refused.value.remedy
    assert not BatchJob.objects.exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("rows.xlsx", b"x", "cannot be told from the name"), ("rows.csv", b"", "is empty"), ("rows.csv", None, "MiB is")],
)
def test_a_file_of_no_use_is_refused(
    project: Project, name: str, content: bytes | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is None:
        content = b"alcohol\n1\n"
        monkeypatch.setattr(sources, "MAX_INPUT_BYTES", 4)
    with pytest.raises(ValidationFailed, match=said):
        add(project, name, content)


def test_files_versions_and_endpoints_of_another_project_are_not_there(start: Any, project: Project) -> None:
    other = make_project("beer")
    theirs = add(other)
    with pytest.raises(NotFound):
        start(source=Wanted("upload", input=theirs.pk))
    with pytest.raises(ValidationFailed, match="not of the project"):
        start("alcohol\n1\n", model_version=ready_version(other, name="ale"))


def test_a_database_takes_what_a_script_takes(start: Any, project: Project, make_user: MakeUser, version: Any) -> None:
    create_data_connection(
        project.workspace,
        name="db",
        kind="postgresql",
        config={"host": "db", "database": "d", "username": "u"},
        secret="hush",
        acting_user=SYSTEM,
    )
    make_user("olga")
    give_roles(project, olga="operator")
    olga = Actor.person(User.objects.get(username="olga"))
    table = services.BatchRequest(version, Wanted("table", connection="db", table="t"), key_columns=["id"])
    with pytest.raises(PermissionRefused):
        services.start(project, table, acting_user=olga)
    file = services.BatchRequest(version, Wanted("upload", input=add(project).pk))
    assert services.start(project, file, acting_user=olga).actor_name == "olga"
    made = start(source=Wanted("table", connection="db", table="t"), key_columns=["id"])
    assert "hush" not in str(made.workload.spec)
    assert made.workload.secrets


def test_another_projects_member_finds_nothing(
    start: Any, api: Callable[..., Client], make_user: MakeUser, stranger: User
) -> None:
    job = start("alcohol\n1\n")
    make_user("bea")
    make_project("beer", bea="admin")
    for person in (User.objects.get(username="bea"), stranger):
        client = api(person)
        for path in ("", "output/", "chunks/"):
            assert client.get(f"/api/v1/batch-jobs/{job.pk}/{path}").status_code == 404
        assert client.post(f"/api/v1/batch-jobs/{job.pk}/cancellation/").status_code == 404
        assert client.get("/api/v1/batch-jobs/").json()["results"] == []


def test_a_file_is_uploaded_as_it_is_and_scored_over_rest(
    api: Callable[..., Client], ann: User, project: Project, version: Any
) -> None:
    client = api(ann)
    address = f"/api/v1/projects/{project.pk}/"
    sent = client.post(f"{address}batch-inputs/?name=w.csv", b"alcohol\n1\n", content_type="application/octet-stream")
    assert (sent.status_code, sent.json()["size"], sent.json()["format"]) == (201, 10, "csv")
    body = {"model_version": str(version.pk), "source": {"kind": "upload", "input": sent.json()["id"]}}
    made = client.post(f"{address}batch-jobs/", body, content_type="application/json")
    assert made.status_code == 201, made.content
    job = made.json()
    assert (job["state"], job["rows_done"], job["source"]["name"], job["seconds_left"]) == ("queued", 0, "w.csv", None)
    listed = client.get(f"{address}batch-jobs/?state=queued&version={version.pk}").json()["results"]
    assert [each["id"] for each in listed] == [job["id"]]
    assert client.get(f"{address}batch-jobs/?state=asleep").status_code == 422
    assert client.get(f"/api/v1/batch-jobs/{job['id']}/output/").status_code == 404


def test_what_reading_takes_is_asked_for_beside_the_versions_own_packages(
    start: Any, version: Any, project: Project
) -> None:
    pinned = ("numpy==2.4.0", "pandas==3.1.1 ; python_version >= '3.11'")
    lock = "".join(f"{each} \\\n    --hash=sha256:aa\n    # via scikit-learn\n" for each in pinned)
    environment = Environment.objects.create(lock_digest="7" * 64, lock=lock, python_version="3.11")
    version.environment_request = EnvironmentRequest.objects.create(
        requirements_digest="8" * 64, python_version="3.11", state="ready", environment=environment
    )
    version.save(update_fields=["environment_request"])
    assert start("alcohol\n1\n").workload.environment_request == version.environment_request
    asked = start("alcohol\n1\n", output_format="parquet").workload.environment_request
    assert asked.requirements.splitlines() == [*pinned, "pyarrow>=15"]
    version.environment_request = None
    version.save(update_fields=["environment_request"])
    with pytest.raises(Conflict, match="no environment"):
        start("alcohol\n1\n")


def test_it_is_scored_by_the_compiled_model_where_that_is_proved_equal(start: Any, version: Any) -> None:
    request = version.environment_request
    CompiledModel.objects.create(
        version=version, state="equal", manifest_digest="c" * 64, environment_request=request, size=1
    )
    job = start("alcohol\n1\n")
    assert job.served_by == f"onnx:{'c' * 64}"
    assert job.workload.spec["command"][-2:] == ["--compiled", f"{{model:{'c' * 64}}}"]
    assert job.workload.spec["models"] == ["c" * 64]


def test_an_environment_that_could_not_be_built_is_built_again_with_the_next_attempt(
    start: Any, version: Any, ann: User
) -> None:
    job = start("alcohol\n1\n")
    services.cancel(job, acting_user=Actor.person(ann))
    EnvironmentRequest.objects.filter(pk=version.environment_request_id).update(
        state="failed", environment=None, requirements="numpy\n"
    )
    services.retry(job, acting_user=Actor.person(ann))
    assert Workload.objects.filter(kind=Workload.Kind.ENVIRONMENT, state="queued").count() == 1
