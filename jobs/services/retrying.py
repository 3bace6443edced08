"""Tries a run again that was lost, or that failed where its job wants that."""

from __future__ import annotations

from django.db import transaction

from jobs.models import Attempt, Run
from jobs.run_environment import record_run_reads, run_secrets
from jobs.services.facts import run_target
from jobs.tokens import new_run_token
from jobs.tracking.closing import close_tracked_runs
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import record
from modelwright.compute.models import Workload
from modelwright.compute.services import mark_collected
from modelwright.compute.services.repeating import repeat_workload
from modelwright.core.crypto import token_digest


def retry(run: Run, *, acting_user: Actor) -> bool:
    """Begin the next attempt of a run that `will_retry`; False when somebody else was faster.

    The token of the attempt before is dead for good, whatever process still holds it, and what that attempt left open
    in MLflow is ended. Nothing of it is collected but its log. Raises Unavailable while MLflow does not answer.
    """
    close_tracked_runs(run.project.mlflow_workspace, run.pk, run.workload.state)
    return _begin(run, acting_user)


@transaction.atomic
def _begin(run: Run, acting_user: Actor) -> bool:
    # Somebody may have said meanwhile that it is not wanted any more.
    before = run.workload = Workload.objects.select_for_update(of=("self",)).get(pk=run.workload_id)
    if not run.will_retry or not mark_collected(before):
        return False
    number, because = run.attempt + 1, _because(run)
    token = new_run_token()
    secret = run_secrets(run.project, before.spec["environment"], token)
    workload = repeat_workload(
        before,
        secret_variables=secret.variables,
        secret_files=secret.files,
        masked=secret.masked,
        retryable=number <= run.retries,
        acting_user=acting_user,
    )
    changes = {"workload": workload, "attempt": number, "token_digest": token_digest(token), "token_died_at": None}
    Run.objects.filter(pk=run.pk).update(**changes)
    Attempt.objects.create(run=run, number=number, workload=workload, because=because)
    record_run_reads(run, workload, secret.names, attempt=number, acting_user=acting_user)
    record(
        acting_user=acting_user,
        action=AuditAction.RUN_RETRIED,
        target=run_target(run),
        before={"attempt": run.attempt, "state": before.state, "detail": before.detail[:500]},
        after={"attempt": number, "of": run.retries + 1},
        reason=because,
        workspace_id=run.project.workspace_id,
        project_id=run.project_id,
    )
    return True


def _because(run: Run) -> str:
    detail = run.workload.detail.partition("\n")[0]
    how = "failed" if run.workload.state == "failed" else "was lost"
    return f"Attempt {run.attempt} {how}. {detail}".strip()
