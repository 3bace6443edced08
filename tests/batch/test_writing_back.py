"""A table that gets predictions back holds none that is not on record, whenever the process ends."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from modelwright_runtime.scoring import outputs, tables
from modelwright_runtime.scoring.work import CONNECTION, Work
from modelwright_runtime.server.results import Outcome

from models.batch.models import BatchJob
from models.batch.sources import Wanted
from models.predictions.models import Prediction
from models.registry.models import ModelVersion
from projects.models import Project
from tests.batch.test_limits import Nearby
from tests.batch.test_work import token_of
from workspaces.models import DataConnection

pytestmark = pytest.mark.django_db
TABLE, TARGET = "batch_written_from", "batch_written_to"


class Ended(Exception):
    """The process is no more."""


class Mortal(Nearby):
    """Ends before or after a chunk is stored."""

    dies: tuple[str, int] = ("", -1)

    def store(self, number: int, header: bytes, part: bytes) -> None:
        if self.dies == ("before", number):
            raise Ended
        super().store(number, header, part)
        if self.dies == ("after", number):
            raise Ended


class Shares:
    """Answers texts that a spreadsheet would run, with probabilities; the third row fails."""

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Outcome:
        if any(row[0] == 3 for row in rows):
            raise ValueError("=three")
        return Outcome([f"={row[0]:.0f}" for row in rows], ["=a", "b"], [[0.25, 0.75] for _ in rows])


@pytest.fixture
def database() -> Iterator[Any]:
    """A connection of its own to the database of the tests, in which five rows wait."""
    values: dict[str, Any] = settings.DATABASES["default"]
    config = {"host": str(values["HOST"]), "database": str(values["NAME"]), "username": str(values["USER"])}
    connection = tables.connect(config, "")
    connection.execute(f"DROP TABLE IF EXISTS {TABLE}, {TARGET}")
    connection.execute(f"CREATE TABLE {TABLE} AS SELECT id, id::float8 AS x FROM generate_series(1, 5) id")
    yield connection, config
    connection.execute(f"DROP TABLE IF EXISTS {TABLE}, {TARGET}")
    connection.close()


@pytest.mark.parametrize(("output_format", "kind"), [("csv", ""), ("parquet", "jsonb")])
def test_what_is_written_back_is_on_record_and_what_is_on_record_is_written_back(
    start: Any,
    project: Project,
    version: ModelVersion,
    database: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    output_format: str,
    kind: str,
) -> None:
    connection, config = database
    monkeypatch.setattr(tables, "connect", lambda *_given: connection)
    DataConnection.objects.create(workspace=project.workspace, name="cellar", kind="postgresql", config=config)
    ModelVersion.objects.filter(pk=version.pk).update(signature={"inputs": [{"name": "x", "type": "double"}]})
    version.refresh_from_db()
    if kind:
        connection.execute(f"CREATE TABLE {TARGET} (id int PRIMARY KEY, prediction {kind})")
    wanted = Wanted("table", connection="cellar", table=TABLE)
    job: BatchJob = start(
        source=wanted, key_columns=["id"], output_table=TARGET, output_format=output_format, chunk_rows=2
    )

    def attempt(folder: str, *dies: Any) -> dict[int, tuple[Any, ...]]:
        """The table after an attempt that ends so."""
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        monkeypatch.setenv(CONNECTION, json.dumps({"config": config, "secret": ""}))
        platform = Mortal(token_of(job))
        platform.dies = dies or platform.dies
        work = Work(platform, platform.job(), Shares())
        if dies:
            with pytest.raises(Ended):
                work.run()
        else:
            work.run()
        rows = connection.execute(f"SELECT id, prediction, probabilities, error, prediction_id FROM {TARGET}")
        found = {row[0]: row[1:] for row in rows.fetchall()}
        recorded = set(Prediction.objects.filter(deployment_id=job.pk).values_list("pk", flat=True))
        assert {values[-1] for values in found.values()} <= recorded
        return found

    shares = {"=a": 0.25, "b": 0.75}
    assert attempt("first", "before", 0) == {}
    assert attempt("second", "after", 0) == {}
    # What was stored before is read from what is stored.
    first = attempt("third", "before", 1)
    assert {key: values[:3] for key, values in first.items()} == {1: ("=1", shares, None), 2: ("=2", shares, None)}
    assert set(attempt("fourth", "after", 1)) == {1, 2}
    fifth = attempt("fifth", "after", 2)
    third, fourth = fifth[3], fifth[4]
    assert third[:2] == (None, None)
    assert "=three" in third[2]
    assert fourth[:3] == ("=4", shares, None)
    last = attempt("sixth")
    assert [last[key][0] for key in (1, 2, 4, 5)] == ["=1", "=2", "=4", "=5"]
    job.refresh_from_db()
    assert (job.state, job.rows_done, job.rows_failed) == ("succeeded", 5, 1)
    recorded = Prediction.objects.filter(deployment_id=job.pk)
    assert {values[-1] for values in last.values()} == {each.pk for each in recorded}


def test_a_part_in_csv_is_read_as_it_was_written(tmp_path: Path) -> None:
    columns = outputs.columns_of(
        {"@id": ["=1", "-7", "'a"]}, [1, 2, 3], ["x\ny", "+", ""], [None] * 3, None, ["i"] * 3, [None, "=e", None]
    )
    (tmp_path / "part").write_bytes(outputs.csv_part(columns))
    assert outputs.read_csv(tmp_path / "part") == {**columns, "row": ["1", "2", "3"], "prediction": ["x\ny", "+", None]}
