"""Every process on record: who may ask, how it is found, what is told, and what never is."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest

from jobs.models import Attempt, Run
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute.models import Environment, EnvironmentCopy, Host, Workload
from modelwright.core.crypto import encrypt
from projects.models import Project
from tests.console.usage_support import START, project, workload, workspace

pytestmark = pytest.mark.django_db
COMMIT = "c" * 40


@pytest.fixture
def churn(db: None) -> Project:
    return project(workspace("sales"), "churn")


@pytest.fixture
def trained(churn: Project) -> Workload:
    """A run that read and wrote, on a host with GPUs, in an image."""
    gpus = [
        {"index": number, "uuid": f"GPU-{number}", "name": "H100", "memory_bytes": 80, "mig": False}
        for number in (0, 1)
    ]
    host = Host.objects.create(name="big", cpu=64, memory_bytes=2**38, backend="docker", gpus=gpus)
    environment = Environment.objects.create(lock_digest="ab" * 32, lock="six==1", python_version="3.11")
    EnvironmentCopy.objects.create(environment=environment, host=host, state="ready", image="modelwright/env:abab")
    made = workload(
        churn,
        host=host,
        environment=environment,
        gpus=1,
        gpu_indexes=[1],
        state="failed",
        exit_code=3,
        detail="It ended with exit code 3.",
        peak_memory_bytes=12345,
        secrets=encrypt(json.dumps({"LAKE_PASSWORD": "correct horse"})),
        spec={
            "command": ["{python}", "train.py", "--depth", "4"],
            "environment": {"DEPTH": "4", "MY_API_KEY": "left here by mistake"},
            "source": {"archive": "d" * 64},
        },
    )
    run = Run.objects.create(
        project=churn,
        name="train",
        number=1,
        commit=COMMIT,
        script="train.py",
        workload=made,
        token_digest="0" * 64,
        trigger="by hand",
        observed={
            "read": [["data.csv", "1" * 64, 10]],
            "fetched": [["lake/iris.csv", "2" * 64, 20]],
            "written": [["model.pkl", "3" * 64, 30]],
            "sent": [],
        },
    )
    Attempt.objects.create(run=run, number=1, workload=made)
    return made


def results(client: Any, query: str) -> list[str]:
    answer = client.get(f"/api/v1/workloads/?{query}")
    assert answer.status_code == 200, answer.content
    return [row["name"] for row in answer.json()["results"]]


def test_only_administrators_and_auditors_may_ask(
    api: Any, browser_client: Any, stranger: User, auditor: User, admin: User, trained: Workload
) -> None:
    rest = ["/api/v1/workloads/", f"/api/v1/workloads/{trained.pk}/"]
    pages = ["/workloads/", f"/workloads/{trained.pk}/", "/workloads/export.csv", "/workloads/export.jsonl"]
    for person, status in ((stranger, 403), (auditor, 200), (admin, 200)):
        assert [api(person).get(path).status_code for path in rest] == [status] * len(rest)
        assert [browser_client(person).get(path).status_code for path in pages] == [status] * len(pages)


def test_all_that_is_known_of_a_process_is_told_and_no_secret(api: Any, auditor: User, trained: Workload) -> None:
    response = api(auditor).get(f"/api/v1/workloads/{trained.pk}/")
    body = response.json()
    expected = {
        "kind": "run",
        "state": "failed",
        "created_by": "ann",
        "workspace": "sales",
        "project": "churn",
        "host": "big",
        "backend": "docker",
        "command": ["{python}", "train.py", "--depth", "4"],
        "code_archive": "d" * 64,
        "environment": "ab" * 32,
        "python_version": "3.11",
        "image": "modelwright/env:abab",
        "gpus": 1,
        "gpu_devices": [{"index": 1, "name": "H100"}],
        "peak_memory_bytes": 12345,
        "exit_code": 3,
        "detail": "It ended with exit code 3.",
        "run": "train #1",
        "commit": COMMIT,
        "script": "train.py",
        "read": [
            {"path": "data.csv", "sha256": "1" * 64, "size": 10},
            {"path": "artifact lake/iris.csv", "sha256": "2" * 64, "size": 20},
        ],
        "written": [{"path": "model.pkl", "sha256": "3" * 64, "size": 30}],
    }
    assert {name: body[name] for name in expected} == expected
    assert body["variables"]["DEPTH"] == "4"
    assert "sounds like a secret" in body["variables"]["MY_API_KEY"]


@pytest.mark.parametrize(
    "path", ["/workloads/{}/", "/workloads/", "/workloads/export.csv", "/workloads/export.jsonl", "/api/v1/workloads/"]
)
def test_secrets_never_show(api: Any, browser_client: Any, admin: User, trained: Workload, path: str) -> None:
    client = api(admin) if path.startswith("/api") else browser_client(admin)
    response = client.get(path.format(trained.pk))
    content = b"".join(response.streaming_content) if response.streaming else response.content
    assert trained.name.encode() in content
    for secret in ("correct horse", "left here by mistake", trained.secrets, "LAKE_PASSWORD"):
        assert secret.encode() not in content


def test_filters(api: Any, auditor: User, churn: Project, trained: Workload) -> None:
    workload(
        name="other", created_by="bob", kind="inspection", queued_at=START + timedelta(days=2), spec={"command": []}
    )
    client = api(auditor)
    for query, found in {
        "q=train.py --depth": ["train #1"],
        "q=nothing-like-it": [],
        "person=an": ["train #1"],
        "kind=inspection": ["other"],
        "state=ended-badly": ["train #1"],
        "state=succeeded": ["other"],
        f"project={churn.pk}": ["train #1"],
        f"workspace={churn.workspace_id}": ["train #1"],
        "host=big": ["train #1"],
        f"environment={'ab' * 32}": ["train #1"],
        "since=2026-03-03": ["other"],
        "until=2026-03-03T00:00:00Z": ["train #1"],
        "": ["other", "train #1"],
    }.items():
        assert results(client, query) == found, query
    for query in ("kind=moon", "state=moon", "project=x", "since=yesterday"):
        assert client.get(f"/api/v1/workloads/?{query}").status_code == 422, query


def test_the_page_filters_sorts_and_links(browser_client: Any, auditor: User, trained: Workload) -> None:
    client = browser_client(auditor)
    assert "train #1" in client.get("/workloads/?q=depth&state=ended-badly&host=big&sort=peak").content.decode()
    assert "Nothing matches" in client.get("/workloads/?q=nothing-like-it").content.decode()
    page = client.get(f"/workloads/{trained.pk}/").content.decode()
    for text in ("model.pkl", "modelwright/env:abab", "1 (H100)", COMMIT[:10], "--depth"):
        assert text in page


def test_an_export_holds_what_the_filters_leave_and_is_on_record(
    browser_client: Any, auditor: User, trained: Workload
) -> None:
    workload(name="other")
    client = browser_client(auditor)
    lines = b"".join(client.get("/workloads/export.jsonl?q=depth&host=big").streaming_content).decode().splitlines()
    [row] = [json.loads(line) for line in lines]
    assert (row["id"], row["exit_code"], row["command"][1]) == (str(trained.pk), 3, "train.py")
    assert row["written"] == [{"path": "model.pkl", "sha256": "3" * 64, "size": 30}]
    text = b"".join(client.get("/workloads/export.csv").streaming_content).decode()
    assert {each["name"] for each in csv.DictReader(io.StringIO(text))} == {"train #1", "other"}
    taken = AuditEvent.objects.filter(action="workloads.exported").order_by("pk")
    assert [(event.after or {})["rows"] for event in taken] == [1, 2]
    assert client.get("/workloads/export.xml").status_code == 422
    assert client.get("/workloads/export.csv?kind=moon").status_code == 422


def test_a_page_of_processes_costs_a_fixed_number_of_queries(
    api: Any, auditor: User, churn: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        workload(churn, name=f"run {number}")
    client = api(auditor)
    with django_assert_max_num_queries(25):
        assert len(results(client, "limit=50")) == 50
