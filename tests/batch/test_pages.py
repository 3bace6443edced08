"""Pages of batch jobs: what each state says, lists, forms that are refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from models.batch import services, working
from models.batch.models import BatchJob
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from projects.models import Project
from tests.batch.test_work import header
from workspaces.connection_services import create_data_connection


@pytest.fixture
def client_of_ann(ann: User, project: Project, browser_client: Callable[[User], Client]) -> Client:
    return browser_client(ann)


def test_a_job_says_in_each_state_what_matters(start: Any, ann: User, client_of_ann: Client) -> None:
    waiting, running, failed, cancelled = (start("alcohol\n1\n2\n", chunk_rows=2) for _ in range(4))
    working.begin(running)
    running.refresh_from_db()
    working.set_total(running, 4)
    error = {"place": 1, "code": "signature", "message": "alcohol: it is missing.", "key": ""}
    working.store_chunk(running, 0, {**header(1), "errors": [error]}, io.BytesIO(b"x"))
    working.begin(failed)
    failed.refresh_from_db()
    working.give_up(failed, message="The input lacks the column proline.", remedy="Give it.")
    services.cancel(cancelled, reason="The wrong file.", acting_user=Actor.person(ann))
    for job, words in (
        (waiting, ("Nothing is stored yet", "every 1s", "Cancel")),
        (running, ("of 4", "rows a second", "alcohol: it is missing.", "Predictions on record", "Lineage")),
        (failed, ("lacks the column proline.", "Give it.", "Try again")),
        (cancelled, ("The wrong file.", "Try again")),
    ):
        page = client_of_ann.get(f"/batch-jobs/{job.pk}/").content.decode()
        assert [word for word in words if word not in page] == []
    assert "HX-Refresh" not in client_of_ann.get(f"/batch-jobs/{running.pk}/state/").headers
    assert client_of_ann.get(f"/batch-jobs/{failed.pk}/state/").headers["HX-Refresh"] == "true"
    again = client_of_ann.post(f"/batch-jobs/{cancelled.pk}/retry/", follow=True).content.decode()
    assert "goes on after row 0" in again
    refused = client_of_ann.post(f"/batch-jobs/{running.pk}/retry/", follow=True).content.decode()
    assert "has not ended yet" in refused


def test_the_list_is_filtered_sorted_and_says_when_it_is_empty(start: Any, ann: User, client_of_ann: Client) -> None:
    assert "No batch jobs yet" in client_of_ann.get("/batch-jobs/").content.decode()
    first, second = start("alcohol\n1\n", name="first.csv"), start("alcohol\n1\n", name="second.csv")
    services.cancel(second, acting_user=Actor.person(ann))

    def shown(query: str) -> list[bool]:
        page = client_of_ann.get(f"/batch-jobs/?{query}").content.decode()
        return [f"/batch-jobs/{job.pk}/" in page for job in (first, second)]

    assert shown("state=cancelled&sort=rows") == [False, True]
    assert shown("q=first.csv&sort=-version") == [True, False]
    assert shown("since=2999-01-01") == [False, False]


@pytest.mark.parametrize(
    ("source", "values", "said"),
    [
        ("database", {"table": "a", "query": "SELECT 1"}, "Give either a table or a query."),
        ("database", {}, "Give either a table or a query."),
        ("database", {"table": "a b"}, "is no name of a table"),
        ("upload", {"file": SimpleUploadedFile("rows.xls", b"x")}, "cannot be told from the name"),
        ("repository", {"path": "data.csv"}, "has no commit"),
    ],
)
def test_a_form_that_is_refused_says_why_beside_the_field(
    project: Project, version: Any, client_of_ann: Client, source: str, values: dict[str, Any], said: str
) -> None:
    config = {"host": "db.example.org", "database": "cellar", "username": "reader"}
    create_data_connection(
        project.workspace, name="cellar", kind="postgresql", config=config, acting_user=Actor.system("tests")
    )
    usual = {"model_version": version.pk, "output_format": "csv", "on_error": "record", "chunk_rows": 10}
    more = {"connection": "cellar", "key_columns": "id"} if source == "database" else {}
    address = f"/projects/{project.pk}/batch-jobs/new/?source={source}"
    answer = client_of_ann.post(address, {**usual, **more, **values})
    assert answer.status_code in (404, 422)
    assert said in answer.content.decode()
    assert not BatchJob.objects.exists()
