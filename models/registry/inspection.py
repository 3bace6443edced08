"""Opens a version in a workload, in its own environment, to learn its algorithm. Pickles are opened nowhere else."""

from __future__ import annotations

from django.db import transaction

from jobs.models import Run
from models.registry import services
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.compute import selectors as compute
from modelwright.compute.collecting import collect_each
from modelwright.compute.models import GIB, EnvironmentRequest, Workload
from modelwright.compute.results import RESULT, read_result
from modelwright.compute.services import DEFAULT_PYTHON, create_workload, request_environment
from modelwright.core.errors import PlatformError
from modelwright.core.text import storable

INSPECTOR = Actor.system("model inspection")
CPU, MEMORY_BYTES, TIMEOUT_SECONDS = 0.5, GIB, 600
# Libraries that take most of a GiB before they have read a model.
LARGE_FLAVORS = frozenset({"keras", "spark", "tensorflow"})


def environment_for(version: ModelVersion, *, acting_user: Actor) -> EnvironmentRequest:
    """What the version is opened and served in: the environment of the run that trained it, else of its own file."""
    run = _source_run(version)
    if run is not None and run.workload.environment_request is not None:
        return run.workload.environment_request
    python = ".".join(version.python_version.split(".")[:2]) or DEFAULT_PYTHON
    return request_environment(requirements=version.requirements, python=python, acting_user=acting_user)


def _source_run(version: ModelVersion) -> Run | None:
    if version.source_run_id is None:
        return None
    runs = Run.objects.select_related("workload__environment_request")
    run: Run | None = runs.filter(pk=version.source_run_id, project=version.model.project).first()
    return run


@transaction.atomic
def start(version: ModelVersion, *, acting_user: Actor) -> None:
    """Queue the inspection of a snapshotted version unless it has one."""
    version = ModelVersion.objects.select_for_update(of=("self",)).select_related("model__project").get(pk=version.pk)
    if version.state != "importing" or version.inspection_id is not None or not version.manifest_digest:
        return
    project = version.model.project
    model = f"{{model:{version.manifest_digest}}}"
    request = environment_for(version, acting_user=acting_user)
    version.environment_request = request
    version.inspection = create_workload(
        kind=Workload.Kind.INSPECTION,
        name=f"inspection of {version}",
        command=["{python}", "-m", "modelwright_runtime.inspect", "--model", model, "--out", RESULT],
        cpu=CPU,
        memory_bytes=MEMORY_BYTES * (2 if version.flavor in LARGE_FLAVORS else 1) + 4 * version.size,
        timeout_seconds=TIMEOUT_SECONDS,
        environment_request=request,
        models=[version.manifest_digest],
        acting_user=acting_user,
        workspace_id=project.workspace_id,
        project_id=project.pk,
    )
    version.save(update_fields=["environment_request", "inspection"])


def start_missing(*, acting_user: Actor) -> None:
    """Inspect what a person had tried again, or what a crash left without an inspection."""
    waiting = ModelVersion.objects.filter(state="importing", inspection=None).exclude(manifest_digest="")
    for version in waiting.order_by("pk")[:10]:
        try:
            start(version, acting_user=acting_user)
        except PlatformError as error:
            services.fail(version, reason=f"{error.message} {error.remedy}".strip(), acting_user=acting_user)


def collect() -> int:
    """Take what ended inspections found, as their hosts handed it in; return how many."""
    return collect_each(Workload.Kind.INSPECTION, take=_take, give_up=_give_up)


def _inspected(workload: Workload) -> ModelVersion | None:
    found: ModelVersion | None = (
        ModelVersion.objects.select_related("model__project").filter(inspection=workload).first()
    )
    return found


def _give_up(workload: Workload, error: Exception) -> None:
    if (version := _inspected(workload)) is not None:
        reason = f"Its inspection left what cannot be stored: {storable(str(error))}"
        services.fail(version, reason=reason, acting_user=INSPECTOR)


def _take(workload: Workload) -> None:
    version = _inspected(workload)
    if version is None:
        return
    result = read_result(workload, RESULT)
    algorithm = result.get("algorithm")
    if workload.state == "succeeded" and isinstance(algorithm, dict):
        summary = str(result.get("summary") or algorithm.get("name") or version.flavor)
        services.inspected(version, algorithm=algorithm, summary=summary, acting_user=INSPECTOR)
        return
    said = str(result.get("error") or "") or workload.detail or compute.log_tail(workload, 5)
    reason = f"It could not be opened in its environment ({workload.get_state_display().lower()}): {said[:2000]}"
    services.fail(version, reason=reason, acting_user=INSPECTOR)
