"""Routes that read MLflow's database say so, and what to do, when it does not answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.matrix.world import World

ROUTES = ("metrics/", "metrics/history/?key=accuracy", "artifacts/", "artifacts/content/?path=a/b")


@pytest.mark.parametrize("path", ROUTES)
def test_what_runs_logged_is_unavailable(path: str, world: World, client_of: Any, settings: Any) -> None:
    settings.MLFLOW_DATABASE_URL = "postgresql://nobody@127.0.0.1:1/mlflow?connect_timeout=2"
    response = client_of("viewer").send("GET", f"/api/v1/runs/{world.values['run_id']}/{path}")
    assert response.status_code == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.headers["Retry-After"]
    assert response.json()["remedy"]


def test_the_run_itself_is_still_to_be_seen(world: World, client_of: Any, settings: Any) -> None:
    settings.MLFLOW_DATABASE_URL = "postgresql://nobody@127.0.0.1:1/mlflow?connect_timeout=2"
    assert client_of("viewer").send("GET", f"/api/v1/runs/{world.values['run_id']}/").status_code == 200
