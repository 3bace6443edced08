"""What a run came from and what it left, as lineage."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.models import Run
from jobs.tracking.reader import TrackedRun
from lineage import names
from lineage.kinds import EdgeKind, Origin
from lineage.services import EdgeSpec, NodeSpec
from modelwright.compute.observing import Observed, ObservedFile


def run_node(run: Run) -> NodeSpec:
    """The run's node."""
    return names.run(run.project_id, run.pk, str(run))


def edges_of(run: Run, observed: Observed, tracked: list[TrackedRun]) -> list[EdgeSpec]:
    """Commit, environment, the run before, data sets named in MLflow, files read and written."""
    return list(_edges(run, observed, tracked))


def _edges(run: Run, observed: Observed, tracked: list[TrackedRun]) -> Iterator[EdgeSpec]:
    node, project_id = run_node(run), run.project_id
    yield EdgeSpec(names.commit(project_id, run.commit), node, EdgeKind.USED, run.pk, Origin.DECLARED)
    environment = run.workload.environment
    if environment is not None:
        used = names.environment(environment.lock_digest, environment.pk)
        yield EdgeSpec(used, node, EdgeKind.USED, run.pk, Origin.DECLARED)
    for tracked_run in tracked:
        for item in tracked_run.inputs:
            data = names.tracked_dataset(
                project_id, item.name, item.digest, source=item.source[:1000], context=item.context
            )
            yield EdgeSpec(data, node, EdgeKind.READ, run.pk, Origin.DECLARED)
    for file in [*observed.read, *observed.fetched]:
        yield EdgeSpec(_file(run, file), node, EdgeKind.READ, run.pk, Origin.OBSERVED)
    for file in [*observed.written, *observed.sent]:
        yield EdgeSpec(node, _file(run, file), EdgeKind.WROTE, run.pk, Origin.OBSERVED)


def _file(run: Run, file: ObservedFile) -> NodeSpec:
    """Named by its last part: the next run reads the same content under another folder."""
    return names.file(run.project_id, file.path.rsplit("/", 1)[-1], file.sha256, size=file.size)
