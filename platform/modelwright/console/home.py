"""What a person sees first: what runs, what serves, and what is theirs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from jobs.models import Run
from models.endpoints.models import Deployment, DeploymentTarget, Endpoint
from models.endpoints.selectors import endpoints
from modelwright.accounts.models import User
from modelwright.compute.states import WORKLOAD
from projects.models import Project
from projects.selectors import visible_projects
from workspaces.models import Workspace
from workspaces.selectors import visible_workspaces

SHOWN = 8
DAY = timedelta(days=1)
_FAILURES = ("failed", "timed_out", "out_of_memory", "lost")


@dataclass(frozen=True, slots=True)
class Serving:
    """An endpoint, the deployment that answers now, and one that is on its way."""

    endpoint: Endpoint
    live: Deployment | None
    coming: Deployment | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The start page. Each list holds at most `SHOWN` rows, newest first."""

    tiles: list[tuple[str, int, str]]
    workspaces: list[Workspace]
    projects: list[Project]
    runs: list[Run]
    serving: list[Serving]

    @property
    def is_empty(self) -> bool:
        """Whether the person has nothing at all yet."""
        return not self.workspaces and not self.projects


def overview(viewer: User) -> Overview:
    """What the person may see of everything."""
    workspaces, projects = visible_workspaces(viewer), visible_projects(viewer)
    runs = _runs(projects)
    live_runs = runs.filter(workload__state__in=WORKLOAD.live)
    failed = runs.filter(workload__state__in=_FAILURES, created_at__gt=timezone.now() - DAY)
    served = endpoints(viewer)
    rooms = workspaces.count()
    tiles = [
        ("Projects", projects.count(), f"in {rooms} workspace" + ("" if rooms == 1 else "s")),
        ("Runs under way", live_runs.count(), ""),
        ("Failed runs", failed.count(), "started in the last 24 hours"),
        ("Endpoints that serve", served.filter(state="active", deployments__state="live").count(), ""),
    ]
    return Overview(
        tiles=tiles,
        workspaces=list(workspaces[:SHOWN]),
        projects=list(projects[:SHOWN]),
        runs=_live_first(live_runs, runs),
        serving=[_serving(endpoint) for endpoint in _with_deployments(served)[:SHOWN]],
    )


def _runs(projects: QuerySet[Project]) -> QuerySet[Run]:
    return (
        Run.objects.filter(project__in=projects.order_by().values("pk"))
        .select_related("project__workspace", "workload", "created_by")
        .order_by("-id")
    )


def _live_first(live: QuerySet[Run], every: QuerySet[Run]) -> list[Run]:
    shown = list(live[:SHOWN])
    others = every.exclude(pk__in=[run.pk for run in shown])
    return shown + list(others[: SHOWN - len(shown)])


def _with_deployments(served: QuerySet[Endpoint]) -> QuerySet[Endpoint]:
    targets = DeploymentTarget.objects.select_related("model_version__model")
    current = Deployment.objects.filter(state__in=("pending", "starting", "live")).order_by("-number")
    current = current.prefetch_related(Prefetch("targets", targets))
    return served.prefetch_related(Prefetch("deployments", current, to_attr="current_deployments"))


def _serving(endpoint: Endpoint) -> Serving:
    current: list[Deployment] = endpoint.current_deployments  # type: ignore[attr-defined]
    return Serving(
        endpoint,
        next((one for one in current if one.state == "live"), None),
        next((one for one in current if one.state != "live"), None),
    )
