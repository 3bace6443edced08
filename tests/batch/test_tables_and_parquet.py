"""Batch jobs over Parquet and over a table of PostgreSQL that gets the predictions back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from lineage.models import Edge
from models.batch.models import BatchJob
from models.batch.sources import Wanted
from models.endpoints import services as endpoints
from models.endpoints.models import Endpoint
from models.predictions.models import Prediction
from modelwright.accounts.actors import Actor
from modelwright.compute.selectors import log_tail
from modelwright.storage.settings import blob_store
from projects.models import Project
from tests.batch.environment import run
from tests.batch.wine import row
from workspaces.models import DataConnection

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]
Finish = Callable[[BatchJob], BatchJob]
SYSTEM = Actor.system("tests")
COUNT = 700

WRITE = """
import json, sys, pyarrow, pyarrow.parquet
rows = [dict(zip("id alcohol malic_acid proline shade region".split(), row)) for row in json.load(sys.stdin)]
pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), sys.argv[1], row_group_size=150)
"""
READ = """
import json, sys, pyarrow.parquet
table = pyarrow.parquet.read_table(sys.argv[1])
print(json.dumps({"names": table.column_names, "types": [str(each) for each in table.schema.types],
                  "rows": table.to_pylist()}))
"""


@pytest.fixture
def wines() -> Iterator[str]:
    """A table in which the rows are, in no order of their keys."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE batch_wines (id bigint PRIMARY KEY, alcohol float8 NOT NULL, malic_acid float8,"
            " proline int NOT NULL, shade text NOT NULL, region text NOT NULL, prediction text)"
        )
        cursor.executemany(
            "INSERT INTO batch_wines VALUES (%s, %s, %s, %s, %s, %s, 'not yet')",
            [row(number) for number in range(COUNT, 0, -1)],
        )
    yield "batch_wines"
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE batch_wines")


@pytest.fixture
def cellar(project: Project) -> DataConnection:
    """A data connection to the database of the tests, which has no port."""
    values: dict[str, Any] = settings.DATABASES["default"]
    config = {"host": str(values["HOST"]), "database": str(values["NAME"]), "username": str(values["USER"])}
    made: DataConnection = DataConnection.objects.create(
        workspace=project.workspace, name="cellar", kind="postgresql", config=config
    )
    return made


def output_of(job: BatchJob, folder: Path) -> dict[str, Any]:
    """The Parquet output, read in an environment that can."""
    path = folder / "output.parquet"
    path.write_bytes(blob_store().read(job.output_sha256))
    found: dict[str, Any] = json.loads(run(READ, str(path)))
    return found


def test_a_table_gets_its_predictions_back(
    start: Any, finish: Finish, cellar: DataConnection, wines: str, tmp_path: Path
) -> None:
    job = finish(
        start(
            source=Wanted("table", connection="cellar", table=wines),
            key_columns=["id"],
            output_table=wines,
            output_format="parquet",
            chunk_rows=100,
        )
    )
    assert job.state == "succeeded", (job.detail, log_tail(job.workload))
    assert (job.rows_done, job.rows_failed, job.chunks_done) == (COUNT, 0, 7)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, prediction, probabilities, prediction_id FROM {wines} ORDER BY id")
        rows = cursor.fetchall()
    recorded = {each.pk: each.outputs[0] for each in Prediction.objects.filter(deployment_id=job.pk)}
    assert len(rows) == COUNT
    assert {id_: prediction for _, prediction, _, id_ in rows} == recorded
    assert set(json.loads(rows[0][2])) == {"one:0", "one:1", "one:2"}
    output = output_of(job, tmp_path)
    assert output["names"][:3] == ["id", "row", "prediction"]
    assert [each["id"] for each in output["rows"]] == list(range(1, COUNT + 1))
    assert [each["prediction"] for each in output["rows"]] == [prediction for _, prediction, _, _ in rows]
    assert dict(zip(output["names"], output["types"], strict=True))["probability_one:0"] == "double"
    wrote = {(e.src.kind, e.dst.name) for e in Edge.objects.filter(kind="wrote").select_related("src", "dst")}
    assert ("predictions", wines) in wrote


def test_parquet_is_scored_by_the_rules_of_an_endpoint(
    start: Any, finish: Finish, project: Project, tmp_path: Path
) -> None:
    endpoint: Endpoint = endpoints.create_endpoint(project=project, name="wine", acting_user=SYSTEM)
    Endpoint.objects.filter(pk=endpoint.pk).update(redacted_columns=["region", "proline"])
    endpoint.refresh_from_db()
    path = tmp_path / "wine.parquet"
    rows: list[Any] = [list(row(number)) for number in range(1, 401)]
    rows[6][5] = None
    run_with_input(WRITE, json.dumps(rows), str(path))
    # Beside it, so that it costs no time: one whose columns are wrong.
    wrong = start("id,alcohol,malic_acid\n1,2,3\n")
    job = start(path.read_bytes(), name="wine.parquet", endpoint=endpoint, key_columns=["id", "shade"], chunk_rows=170)
    finish(job)
    assert job.state == "succeeded", (job.detail, log_tail(job.workload))
    assert (job.rows_done, job.rows_failed, job.chunks_done, job.rows_total) == (400, 1, 3, 400)
    recorded = Prediction.objects.filter(endpoint_id=endpoint.pk)
    assert recorded.count() == 400
    assert {each.endpoint_name for each in recorded} == {endpoint.path}
    for each in recorded:
        (values,) = each.inputs
        assert set(values["proline"]) == {"redacted"}
        assert values["region"] is None or set(values["region"]) == {"redacted"}
    (failed,) = recorded.exclude(status=200)
    assert "region" not in json.dumps(failed.error)
    header = blob_store().read(job.output_sha256).decode().partition("\n")[0]
    assert header.startswith("id,shade,row,prediction,probability_one:0,")
    finish(wrong)
    assert (wrong.state, wrong.rows_done) == ("failed", 0)
    assert wrong.detail.startswith("The input lacks the columns proline, shade, region, which the model needs.")
    assert wrong.remedy


def run_with_input(code: str, text: str, *arguments: str) -> None:
    """`run` for code that reads its standard input, by way of a file."""
    source = Path(arguments[0]).with_suffix(".json")
    source.write_text(text)
    run(f"import sys; sys.stdin = open({str(source)!r})\n{code}", *arguments)
