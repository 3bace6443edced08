"""What runs logged through the proxy, as the platform reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from jobs.models import Run
from jobs.tracking.artifacts import list_artifacts, open_artifact
from jobs.tracking.reader import metric_history, tracked_runs
from modelwright.accounts.actors import Actor
from modelwright.accounts.services import create_token
from modelwright.core.errors import NotFound, PlatformError, Unavailable
from tests.jobs.test_tracking_client import run_client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def tracked(web: str, tracking_files: Path, make_project: Any, live_run: Any) -> tuple[str, Run]:
    """(MLflow workspace, run) after the client script has tracked."""
    project = make_project("churn")
    run, token = live_run(project)
    run_client(web, token, "track", "model")
    return project.mlflow_workspace, run


def test_everything_that_was_logged_is_read(tracked: tuple[str, Run], make_project: Any) -> None:
    workspace, run = tracked
    fit, *others = tracked_runs(workspace, run.pk)
    assert fit.name == "fit"
    assert fit.status == "FINISHED"
    assert fit.parameters == {"a": "1", "b": "x", "depth": "3"}
    assert {m.key: m.value for m in fit.metrics} == {"loss": 0.25, "auc": 0.9, "batch": 1.9}
    assert fit.tags == {"team": "red"}
    assert fit.inputs[0].name == "train"
    assert fit.inputs[0].context == "training"
    assert fit.inputs[0].source == "data.csv"
    assert [r.parent for r in others if r.parent] == [fit.mlflow_id]
    assert [m.name for r in others for m in r.models] == ["model"]
    assert tracked_runs(make_project("other").mlflow_workspace, run.pk) == []


def test_history_is_thinned_to_the_points_asked_for(tracked: tuple[str, Run]) -> None:
    workspace, run = tracked
    ((_, whole),) = metric_history(workspace, run.pk, "batch")
    assert whole.points == [(step, step / 10) for step in range(20)]
    ((_, thin),) = metric_history(workspace, run.pk, "batch", points=5)
    assert thin.total == 20
    assert len(thin.points) == 5
    assert thin.points[-1] == (19, 1.9)
    assert metric_history(workspace, run.pk, "nothing") == []


def test_artifacts_are_listed_and_read(tracked: tuple[str, Run]) -> None:
    workspace, run = tracked
    listed = {a.path: a.size for a in list_artifacts(workspace, run.pk)}
    text = next(path for path in listed if path.endswith("notes/a b.txt"))
    stream, size = open_artifact(workspace, run.pk, text)
    with stream:
        assert stream.read() == b"hello"
    assert size == listed[text] == 5
    assert any(path.endswith("/MLmodel") for path in listed)


def test_only_the_runs_own_files_are_read(tracked: tuple[str, Run], tracking_files: Path, tmp_path: Path) -> None:
    workspace, run = tracked
    first = tracked_runs(workspace, run.pk)[0].mlflow_id
    folder = next(tracking_files.rglob(first)) / "artifacts"
    (tmp_path / "secret").write_text("x")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path)
    assert not any("link" in artifact.path for artifact in list_artifacts(workspace, run.pk))
    for path in (
        f"{first}/link",
        f"{first}/linked/secret",
        f"{first}/../../x",
        f"{first}/notes/../../../x",
        f"{first}/notes",
        first,
        "/etc/passwd",
        f"{first}//etc/passwd",
        "other/x",
        "",
        f"{first}/no\0te",
    ):
        with pytest.raises(PlatformError):
            open_artifact(workspace, run.pk, path)
    with pytest.raises(NotFound):
        open_artifact(workspace, run.pk, f"{first}/nothing.txt")


def test_a_database_that_does_not_answer_is_unavailable(settings: Any, db: None, tmp_path: Path) -> None:
    settings.MLFLOW_DATABASE_URL = f"postgresql://mlflow@/mlflow?host={tmp_path}"
    with pytest.raises(Unavailable):
        tracked_runs("p-x", Run().pk)


def test_a_download_comes_in_pieces_as_an_attachment(
    web: str, tracked: tuple[str, Run], make_user: Any, admin: Any
) -> None:
    workspace, run = tracked
    path = next(a.path for a in list_artifacts(workspace, run.pk) if a.path.endswith("big.bin"))
    _, token = create_token(name="t", acting_user=Actor.person(admin))
    address = f"{web}/api/v1/runs/{run.pk}/artifacts/content/"
    answer = requests.get(address, params={"path": path}, headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert answer.status_code == 200
    assert len(answer.content) == 3_000_000
    assert answer.headers["Content-Disposition"] == 'attachment; filename="big.bin"'
    assert answer.headers["Content-Type"] == "application/octet-stream"
