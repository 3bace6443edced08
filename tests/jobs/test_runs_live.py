"""Runs that are executed: real processes, a real web process, a real MLflow; only the two loops are turned by hand."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.failures import explain
from jobs.models import Run
from jobs.selectors import run_of_token
from jobs.services import RunRequest, create_job, request_cancel, start_run
from jobs.tracking.reader import tracked_runs
from lineage.models import Edge
from modelwright.accounts.actors import Actor
from modelwright.audit.models import AuditEvent
from modelwright.compute.layout import work_folder
from modelwright.compute.selectors import log_tail
from projects.models import Project
from tests.jobs.turning import execute, fresh, turn_until

SYSTEM = Actor.system("tests")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TRACKING = """
import os, sys, mlflow
open("data.csv", "w").write("x\\n1\\n")
mlflow.set_experiment(os.environ["MLFLOW_EXPERIMENT_NAME"])
mlflow.start_run()
mlflow.log_param("depth", sys.argv[2])
mlflow.log_metric("auc", 0.9)
print("tracked", flush=True)
"""


@pytest.fixture
def start(
    web: str, tracking_files: Path, platform_python: Any, make_project: Any, commit_files: Any, profiles: None
) -> Callable[..., Run]:
    """Start a script: `start("print(1)", timeout_seconds=5)`."""
    project = make_project("churn")

    def make(code: str, **changes: Any) -> Run:
        commit_files(project, {"train.py": code})
        return start_run(project, RunRequest(script="train.py", **changes), acting_user=SYSTEM)

    return make


def test_a_run_tracks_is_collected_and_leaves_lineage(start: Any) -> None:
    run = execute(start(TRACKING + "mlflow.end_run()\n", parameters={"depth": 3}))
    assert run.state == "succeeded", log_tail(run.workload)
    assert explain(run) is None
    (tracked,) = tracked_runs(run.project.mlflow_workspace, run.pk)
    assert (tracked.status, tracked.parameters) == ("FINISHED", {"depth": "3"})
    assert run.token_died_at is not None
    assert run.observed is not None
    assert "data.csv" in [path for path, _, _ in run.observed["written"]]
    edges = {(e.src.kind, e.kind, e.dst.kind) for e in Edge.objects.select_related("src", "dst")}
    assert {("commit", "used", "run"), ("environment", "used", "run"), ("run", "wrote", "file")} <= edges
    assert AuditEvent.objects.filter(action="run.ended", target_id=str(run.pk)).count() == 1


def test_the_same_content_under_the_same_name_is_one_node(start: Any) -> None:
    first = execute(start("open('table.csv', 'w').write('same content')"))
    second = execute(start("import os\nos.mkdir('in'); open('in/table.csv', 'w').write('same content')\n"))
    wrote = Edge.objects.filter(run_id__in=[first.pk, second.pk], kind="wrote").select_related("dst")
    assert len({edge.dst_id for edge in wrote if edge.dst.name == "table.csv"}) == 1


def test_a_run_that_fetches_what_another_sent_comes_from_it(start: Any) -> None:
    first = execute(
        start(
            "import mlflow\nopen('churn.csv', 'w').write('x\\n1\\n')\n"
            "with mlflow.start_run(): mlflow.log_artifact('churn.csv', 'data')\n"
        )
    )
    second = execute(
        start(
            "import mlflow\nfound = mlflow.search_runs(search_all_experiments=True, output_format='list')[0]\n"
            "path = mlflow.artifacts.download_artifacts("
            "run_id=found.info.run_id, artifact_path='data/churn.csv', dst_path='in')\n"
            "open('features.csv', 'w').write(open(path).read() * 2)\n"
        )
    )
    assert (first.state, second.state) == ("succeeded", "succeeded"), log_tail(second.workload)
    rows = Edge.objects.filter(src__kind__in=["run", "file"], dst__kind__in=["run", "file"])
    edges = {(e.src.title, e.kind, e.dst.title) for e in rows.select_related("src", "dst")}
    assert edges == {
        ("train #1", "wrote", "churn.csv"),
        ("churn.csv", "read", "train #2"),
        ("train #2", "wrote", "features.csv"),
    }


def test_a_script_that_raises_says_so(start: Any) -> None:
    run = execute(start(TRACKING + "raise ValueError('no such column: tenure')\n", parameters={"depth": 1}))
    cause = explain(run)
    assert cause is not None
    assert run.state == "failed"
    assert "exit code 1" in cause.message
    assert "no such column: tenure" in cause.message
    assert "ValueError" in cause.tail
    assert cause.remedy


def test_a_missing_library_names_the_file_to_mend(start: Any) -> None:
    cause = explain(execute(start("import no_such_library")))
    assert cause is not None
    assert "requirements.txt" in cause.remedy
    assert "no_such_library" in cause.message


def test_a_killed_script_ends_its_mlflow_run(start: Any) -> None:
    code = TRACKING + "import signal; os.kill(os.getpid(), signal.SIGKILL)\n"
    run = execute(start(code, parameters={"depth": 1}))
    cause = explain(run)
    assert run.state == "failed"
    assert cause is not None
    assert "SIGKILL" in cause.message
    assert tracked_runs(run.project.mlflow_workspace, run.pk)[0].status == "FAILED"
    assert tracked_runs(run.project.mlflow_workspace, run.pk)[0].ended_at is not None


def test_too_much_memory_names_the_limit(start: Any) -> None:
    run = execute(start("x = []\nwhile True: x.append(bytearray(50_000_000))", profile="small"))
    cause = explain(run)
    assert run.state == "out_of_memory", (run.state, log_tail(run.workload))
    assert cause is not None
    assert "1 GiB" in cause.message


def test_a_script_that_never_ends_is_stopped(start: Any) -> None:
    run = execute(start("import time\nprint('begun', flush=True)\ntime.sleep(3600)", timeout_seconds=8))
    cause = explain(run)
    assert run.state == "timed_out"
    assert cause is not None
    assert "8 s" in cause.message
    assert cause.tail == "begun"


def test_a_running_script_is_cancelled(start: Any) -> None:
    run = start(TRACKING + "import time; time.sleep(3600)\n", parameters={"depth": 1})
    turn_until(lambda: "tracked" in log_tail(fresh(run).workload))
    request_cancel(fresh(run), acting_user=Actor(user=None, kind="system", name="ann"))
    run = execute(run)
    assert run.state == "cancelled"
    cause = explain(run)
    assert cause is not None
    assert cause.message == "ann cancelled it."
    assert tracked_runs(run.project.mlflow_workspace, run.pk)[0].status == "KILLED"


def test_a_run_whose_supervisor_is_killed_is_lost(start: Any) -> None:
    run = start("import os, time\nprint(os.getppid(), flush=True)\ntime.sleep(3600)")
    turn_until(lambda: bool(log_tail(fresh(run).workload).strip()))
    os.kill(int(log_tail(fresh(run).workload)), signal.SIGKILL)
    run = execute(run)
    cause = explain(run)
    assert run.state == "lost"
    assert cause is not None
    assert "Start it again" in cause.remedy


def test_the_token_works_only_while_the_run_lives(start: Any, tmp_path: Path) -> None:
    # Backwards, as logs show no token.
    run = start(
        "import os, time\nprint(os.environ['MLFLOW_TRACKING_TOKEN'][::-1], flush=True)\n"
        f"while not os.path.exists({str(tmp_path / 'seen')!r}): time.sleep(0.1)"
    )
    turn_until(lambda: log_tail(fresh(run).workload).strip().endswith("_rwm"))
    token = log_tail(fresh(run).workload).strip()[::-1]
    assert run_of_token(token) == run
    (tmp_path / "seen").touch()
    execute(run)
    assert run_of_token(token) is None


def test_the_next_job_starts_after_success_alone(start: Any) -> None:
    project: Project = start("print(1)").project
    first = create_job(project, name="first", script="train.py", acting_user=SYSTEM)
    create_job(project, name="second", script="train.py", runs_after="first", acting_user=SYSTEM)
    execute(start_run(project, RunRequest(job=first), acting_user=SYSTEM))
    follower = Run.objects.get(name="second")
    assert follower.trigger == "after"
    assert follower.after_run is not None
    assert follower.after_run.name == "first"
    execute(follower)
    assert Run.objects.filter(name="second").count() == 1


def test_the_work_folder_goes_and_the_log_stays(start: Any) -> None:
    run = execute(start("print('kept')"))
    folder = work_folder(run.workload)
    assert folder is not None
    turn_until(lambda: not folder.exists())
    assert log_tail(fresh(run).workload) == "kept"
