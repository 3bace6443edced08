"""Models in containers: one is compiled and takes over, a batch job is killed and goes on, another one reads a database
that containers may reach, PMML comes from a run.

Its own platform, on which versions are compiled. `MODELWRIGHT_E2E_KEEP_MODELS` names a folder whose platform is used if
it runs and is left running: for writing tests.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelwright.local.demo.client import sign_in
from modelwright.local.keeper import instance
from modelwright.local.layout import Layout
from tests import engine
from tests.compose.journey import serve_iris
from tests.e2e.cellar import PASSWORD, Cellar, cellar
from tests.e2e.model_journey import Journey, check_pmml_answers
from tests.e2e.stack import DEMO_END, Stack, wait_for
from tests.e2e.test_docker import containers
from tests.ports import free_port

pytestmark = pytest.mark.containers

KEEP = "MODELWRIGHT_E2E_KEEP_MODELS"
ROWS = 12_000


@pytest.fixture(scope="module")
def database() -> Iterator[Cellar | None]:
    """Somebody's database, which containers may reach by their network; None where that cannot be made."""
    engine.require_engine().close()
    if os.geteuid() != 0:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="mwc-", dir="/tmp"))
    try:
        with cellar(folder) as made:
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def stack(database: Cellar | None) -> Iterator[Stack]:
    """A platform with containers; nothing of it is left in the engine when it has stopped."""
    kept = os.environ.get(KEEP)
    folder = Path(kept).absolute() if kept else Path(tempfile.mkdtemp(prefix="mwm-", dir="/tmp"))
    settings = {"MODELWRIGHT_COMPILE": "on"}
    if database is not None:
        settings["MODELWRIGHT_CONTAINER_NETWORK"] = database.network
    running = Stack(folder, "up", "--backend", "docker", **settings)
    try:
        running.wait_for_line(DEMO_END, 0, 300)
        yield running
    finally:
        if not kept:
            running.stop()
            left = containers(running)
            engine.clear(instance(Layout(running.directory)))
            shutil.rmtree(folder, ignore_errors=True)
            assert left == []


@pytest.fixture(scope="module")
def journey(stack: Stack) -> Journey:
    """Iris, registered and served."""
    api = sign_in(stack.web_url, "admin", stack.password, "tests")
    try:
        return Journey(api, serve_iris(api, f"boxes-{os.getpid()}"))
    except Exception as error:
        raise AssertionError(f"{error}\n{stack.log_tails()}") from error


def test_what_was_compiled_in_a_container_takes_over_in_another(stack: Stack, journey: Journey) -> None:
    before = journey.served.ask()
    made = journey.compiled()
    assert made["state"] == "equal", made
    path = f"onnx:{made['manifest_digest']}"
    journey.wait_served_by(path)

    def replicas() -> list[str]:
        return [each["Command"] for each in containers(stack, kind="replica") if each["State"] == "running"]

    # The original's container goes once the gateway has the new table.
    wait_for("one replica, the compiled one", lambda: len(replicas()) == 1, 120, lambda: str(replicas()))
    journey.wait_answered_by(path)
    assert journey.served.ask() == before


def test_a_batch_job_whose_container_is_killed_goes_on_in_another(stack: Stack, journey: Journey) -> None:
    job = journey.batch(ROWS, chunk_rows=100)
    assert job["served_by"].startswith("onnx:"), "a batch job answers by the path by which the endpoint does"
    journey.under_way(job)
    (running,) = containers(stack, kind="scoring")
    client = engine.client()
    client.api.kill(running["Id"])
    client.close()
    assert journey.job(job)["rows_done"] < ROWS
    # A container that somebody else killed is a lost one, and what is lost goes on by itself.
    done = journey.over(job)
    assert (done["state"], done["rows_done"], done["attempt"]) == ("succeeded", ROWS, 2), done
    journey.check_scored_once(job, ROWS)
    wait_for("the end of its containers", lambda: not containers(stack, kind="scoring"))


def test_a_batch_job_reads_and_writes_a_database_that_containers_may_reach(
    journey: Journey, database: Cellar | None
) -> None:
    if database is None:
        pytest.skip("NOT ROOT: rules of a firewall cannot be made")
    rows = 300
    database.fill("flowers", journey.flowers(rows))
    journey.connect("cellar", database.config, PASSWORD)
    # A port of the same machine that nobody has opened.
    journey.connect("locked", {**database.config, "port": str(free_port())}, PASSWORD)
    source = {"kind": "table", "connection": "cellar", "table": "flowers"}
    locked = journey.score({**source, "connection": "locked"})
    done = journey.over(journey.score(source, output_table="flowers", chunk_rows=100))
    assert (done["state"], done["rows_done"], done["rows_failed"]) == ("succeeded", rows, 0), done
    journey.check_scored_once(done, rows)
    written = database.read("SELECT prediction, prediction_id FROM flowers WHERE predicted_at IS NOT NULL")
    assert len({identity for _, identity in written}) == rows
    assert {said for said, _ in written} <= {"setosa", "versicolor", "virginica"}
    refused = journey.over(locked)
    assert (refused["state"], refused["rows_done"]) == ("failed", 0), refused
    assert "connect" in refused["detail"], refused


def test_a_pmml_document_goes_from_a_run_to_an_endpoint(journey: Journey) -> None:
    check_pmml_answers(journey)
