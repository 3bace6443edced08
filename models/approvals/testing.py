"""Tests of a version: the project's steps of kind `test`, run on it; their ends make the check `tests`."""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone

from jobs.models import Run
from jobs.services import RunRequest, start_run
from models.approvals.checks import record_check
from models.approvals.models import Check, VersionTest
from models.approvals.stages import TESTS
from models.registry.models import ModelVersion
from models.registry.services import audit, target_of
from modelwright.accounts.actors import Actor
from modelwright.accounts.permissions import Permission
from modelwright.audit.actions import AuditAction
from modelwright.core.errors import Conflict, PlatformError
from modelwright.core.ids import new_id
from projects import source
from projects.manifest import TEST, Step, read_manifest
from projects.selectors import authorize

logger = logging.getLogger(__name__)
SYSTEM = Actor.system("approvals")
AT_ONCE = 20


@transaction.atomic
def start_tests(version: ModelVersion, *, acting_user: Actor) -> list[VersionTest]:
    """Start every test step of the version's model at the newest commit; their ends are taken by `note_ended`.

    Raises PermissionRefused; Conflict where the version is not ready, tests are under way, or there are none; and
    whatever starting a run raises.
    """
    project = version.model.project
    role = authorize(acting_user, Permission.RUN_START, project)
    if version.state != "ready":
        raise Conflict(f"{version} is not ready.", remedy="Wait until it is ready, or choose another version.")
    ModelVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version.pk)
    if VersionTest.objects.filter(version=version, noted_at=None).exists():
        raise Conflict(f"Tests of {version} are under way already.", remedy="Wait until they have ended.")
    commit = source.check_commit(project, None)
    steps = [step for step in read_manifest(project, commit).steps if step.kind == TEST]
    steps = [step for step in steps if step.model == version.model.name]
    if not steps:
        raise Conflict(
            f"The project's file declares no test of the model {version.model.name}.",
            remedy="Add a step of kind `test` with this model to modelwright.yaml; docs/project-file.md shows one.",
        )
    batch_id = new_id()
    tests = [_start(version, step, commit, batch_id, acting_user) for step in steps]
    audit(
        AuditAction.MODEL_TESTS_STARTED,
        target_of(version),
        project,
        acting_user=acting_user,
        role=role,
        after={"steps": [step.name for step in steps], "commit": commit, "runs": [str(test.run_id) for test in tests]},
    )
    return tests


def _start(version: ModelVersion, step: Step, commit: str, batch_id: UUID, acting_user: Actor) -> VersionTest:
    request = RunRequest(
        script=step.script,
        arguments=step.arguments,
        parameters={"model": version.model.name, "version": version.number},
        commit=commit,
        profile=step.profile,
        timeout_seconds=step.timeout_seconds,
        image=step.image,
        retries=step.retries,
        trigger=Run.Trigger.HAND,
    )
    run = start_run(version.model.project, request, acting_user=acting_user)
    test: VersionTest = VersionTest.objects.create(version=version, step=step.name, batch_id=batch_id, run=run)
    return test


def note_ended() -> int:
    """Record the check `tests` of every version whose tests have all ended; return how many. Twice is harmless."""
    waiting = VersionTest.objects.filter(noted_at=None).order_by("batch_id").values_list("batch_id", flat=True)
    done = 0
    for batch_id in list(waiting.distinct()[:AT_ONCE]):
        try:
            done += _note(batch_id)
        except (PlatformError, DatabaseError):
            # It stays as it is, so the next tick tries again; one version's trouble does not hold up the others.
            logger.exception("noting the tests %s", batch_id)
    return done


@transaction.atomic
def _note(batch_id: UUID) -> bool:
    rows = VersionTest.objects.select_for_update(of=("self",), skip_locked=True).filter(
        batch_id=batch_id, noted_at=None
    )
    tests = list(rows.select_related("run__workload", "version__model__project").order_by("pk"))
    if not tests or not all(test.run.is_over and test.run.workload.collected_at for test in tests):
        return False
    failed = [test for test in tests if test.run.state != "succeeded"]
    facts = [
        {
            "step": test.step,
            "run": str(test.run_id),
            "number": test.run.number,
            "state": test.run.state,
            "script": test.run.script,
            "commit": test.run.commit,
        }
        for test in tests
    ]
    said = ", ".join(f"{test.step} (run {test.run.number}: {test.run.state.replace('_', ' ')})" for test in failed)
    VersionTest.objects.filter(pk__in=[test.pk for test in tests]).update(noted_at=timezone.now())
    record_check(
        tests[0].version,
        TESTS,
        Check.Outcome.FAILED if failed else Check.Outcome.PASSED,
        f"Failed: {said}." if failed else f"Passed: {', '.join(test.step for test in tests)}.",
        {"runs": facts},
        acting_user=SYSTEM,
    )
    return True
