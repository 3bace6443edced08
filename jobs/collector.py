"""Takes over what ended runs left, as their hosts handed it in: one tick of the control plane. Doing it twice is
harmless."""

from __future__ import annotations

import logging
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from jobs.lineage_edges import edges_of
from jobs.models import ArtifactUse, Job, Run
from jobs.observing import hash_artifacts
from jobs.services import RunRequest, start_unattended
from jobs.services.facts import run_target
from jobs.services.retrying import retry
from jobs.tracking.closing import close_tracked_runs
from jobs.tracking.reader import TrackedRun, tracked_runs
from lineage.services import add as add_lineage
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import record
from modelwright.compute.models import Workload
from modelwright.compute.observing import Observed
from modelwright.compute.results import OBSERVED, read_result
from modelwright.compute.selectors import uncollected
from modelwright.compute.services import mark_collected
from modelwright.core.errors import PlatformError

logger = logging.getLogger(__name__)
SYSTEM = Actor.system("jobs")
BATCH = 20


def collect_ended() -> int:
    """Collect the ended runs that were handed in; return how many. One run's trouble does not hold up the others."""
    done = 0
    for workload in list(uncollected(Workload.Kind.RUN)[:BATCH]):
        run: Run | None = (
            Run.objects.select_related("project__workspace", "job", "workload__environment", "workload__host")
            .filter(workload=workload)
            .first()
        )
        try:
            if run is None:
                mark_collected(workload)
            elif run.will_retry:
                retry(run, acting_user=SYSTEM)
            else:
                collect(run)
            done += 1
        except (PlatformError, DatabaseError, OSError):
            # It stays uncollected, so the next tick tries again.
            logger.exception("collecting %s", run or workload)
    return done


def collect(run: Run) -> bool:
    """Collect one ended run; False when somebody else was faster. Raises Unavailable while MLflow does not answer."""
    kill_token(run)
    workspace = run.project.mlflow_workspace
    close_tracked_runs(workspace, run.pk, run.state)
    # What an attempt before the last one logged stays to be seen, and is nothing that this run is made of.
    tracked = [one for one in tracked_runs(workspace, run.pk) if one.attempt in (None, run.attempt)]
    observed = _observe(run)
    return _write(run, observed, tracked)


def kill_token(run: Run) -> None:
    """Make the run's tracking token useless for good. No audit row: the run's end is on record."""
    Run.objects.filter(pk=run.pk, token_died_at=None).update(token_died_at=timezone.now())


def _observe(run: Run) -> Observed:
    observed = Observed.from_json(read_result(run.workload, OBSERVED))
    uses = ArtifactUse.objects.filter(run=run).order_by("pk").values_list("path", "kind")
    root = Path(settings.MLFLOW_ARTIFACTS_DIR, "workspaces", run.project.mlflow_workspace)
    hash_artifacts(root, [(path, kind == ArtifactUse.Kind.READ) for path, kind in uses], observed)
    return observed


@transaction.atomic
def _write(run: Run, observed: Observed, tracked: list[TrackedRun]) -> bool:
    if not mark_collected(run.workload):
        return False
    Run.objects.filter(pk=run.pk).update(observed=observed.as_json())
    if run.workload.started_at is not None:
        add_lineage(edges=edges_of(run, observed, tracked))
    record(
        acting_user=SYSTEM,
        action=AuditAction.RUN_ENDED,
        target=run_target(run),
        after={"state": run.state, "exit_code": run.workload.exit_code, "detail": run.workload.detail[:500]},
        workspace_id=run.project.workspace_id,
        project_id=run.project_id,
    )
    if run.state == "succeeded" and run.job is not None:
        _start_followers(run)
    return True


def _start_followers(run: Run) -> None:
    for job in Job.objects.filter(runs_after=run.job, is_active=True).select_related("profile", "project"):
        request = RunRequest(job=job, commit=run.commit, trigger=Run.Trigger.AFTER, after_run=run)
        start_unattended(request, job, acting_user=SYSTEM)
