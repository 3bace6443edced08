"""Pages: the runs of a project, and one run while it goes on and after."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from jobs import selectors, services
from jobs.api import trigger_of
from jobs.dependencies import read_snapshot
from jobs.downloads import attachment
from jobs.failures import explain
from jobs.forms import CancelForm, ScriptForm
from jobs.models import Run
from jobs.tracking.artifacts import Artifact, list_artifacts
from jobs.tracking.reader import History, TrackedRun, metric_history, tracked_runs
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.compute.selectors import read_log
from modelwright.compute.states import WorkloadState
from modelwright.compute.views import log_answer
from modelwright.core.errors import PlatformError
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import Crumbs
from projects import source
from projects.models import Project
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from projects.selectors import project_permissions
from workspaces.selectors import allowed_profiles

MAX_CHARTS = 24
CHART_POINTS = 500
CHART_REFRESH_SECONDS = 5


def run_crumbs(run: Run, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the run."""
    runs = ("Runs", reverse("project-runs", args=[run.project_id]))
    return project_crumbs(run.project, runs, (str(run), reverse("run", args=[run.pk])), *more)


class RunsView(ProjectPage):
    """The runs of a project."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "jobs/runs.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """List them."""
        project = self.project(request, project_id)
        columns = [
            Column("Run", "number"),
            Column("State", "state", "workload__state"),
            Column("Commit"),
            Column("Started by", "trigger"),
            Column("Queued", "queued", "workload__queued_at"),
            Column("Ran for", numeric=True),
        ]
        filters = [
            Filter("job", "Job or script", ("name",)),
            Filter("state", "State", ("workload__state",), WorkloadState.choices),
            Filter("trigger", "Started", ("trigger",), Run.Trigger.choices),
        ]
        listing = Listing(
            selectors.runs_of(project), request.GET, columns=columns, filters=filters, default_sort="-number"
        )
        held = project_permissions(person_of(request), project)
        context = {
            **self.frame(request, project),
            "listing": listing,
            "may_start": Permission.RUN_START in held,
        }
        return self.page(context, crumbs=project_crumbs(project, ("Runs", "")))


class RunStartView(ProjectPage):
    """Start a script that no job names."""

    permissions = {"GET": Permission.RUN_START, "POST": Permission.RUN_START}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show the form."""
        project = self.project(request, project_id, Permission.RUN_START)
        return self._show(project, ScriptForm(_scripts(project), allowed_profiles(project.workspace)))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Start it."""
        project = self.project(request, project_id, Permission.RUN_START)
        form = ScriptForm(_scripts(project), allowed_profiles(project.workspace), request.POST)
        actor = actor_of(request)

        def write(values: dict[str, Any]) -> Run:
            asked = services.RunRequest(trigger=trigger_of(actor), **{**values, "commit": values["commit"] or None})
            return services.start_run(project, asked, acting_user=actor)

        run, status = self.save(form, write)
        if run is None:
            return self._show(project, form, status)
        return redirect("run", run.pk)

    def _show(self, project: Project, form: ScriptForm, status: int = 200) -> HttpResponse:
        back = reverse("project-runs", args=[project.pk])
        context = {
            "form": form,
            "title": "Start a script",
            "intro": "It runs at a commit, in an environment made from the requirements of that commit.",
            "submit": "Start",
            "cancel_url": back,
        }
        return self.page(context, crumbs=project_crumbs(project, ("Runs", back), ("Start", "")), status=status)


def _scripts(project: Project) -> list[str]:
    """The Python files of the newest commit."""
    commit = source.head(project)
    files = read_snapshot(project, commit).files if commit else frozenset()
    return sorted(path for path in files if path.endswith(".py"))


class RunPage(ProjectPage):
    """A page of one run."""

    def run(self, request: HttpRequest, run_id: UUID, permission: Permission = Permission.PROJECT_VIEW) -> Run:
        """The run, in whose project the person holds `permission`."""
        return selectors.get_run(person_of(request), run_id, permission)


class RunView(RunPage):
    """A run: state and cause, log, what it logged, environment, inputs and outputs."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "jobs/run.html"

    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponseBase:
        """Show it."""
        run = self.run(request, run_id)
        shown = attempt_of(request) or run.attempt
        text, offset, finished = read_log(selectors.attempt_workload(run, shown))
        held = project_permissions(person_of(request), run.project)
        context = {
            **self.frame(request, run.project),
            **live_facts(run),
            **_tracked(run),
            "attempts": selectors.attempts_of(run) if run.attempt > 1 else [],
            "shown": shown,
            "log": text,
            "offset": offset,
            "finished": finished,
            "may_cancel": Permission.RUN_CANCEL in held and not run.is_over,
            "may_start": Permission.RUN_START in held,
            "chart_refresh": 0 if run.is_over else CHART_REFRESH_SECONDS,
            "observed": run.observed or {},
            "digests": _digests(run),
        }
        return self.page(context, crumbs=run_crumbs(run))


def attempt_of(request: HttpRequest) -> int | None:
    """The number in `?attempt=`, None for the newest. One that is no number is the newest, too."""
    given = request.GET.get("attempt", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 4 else None


def live_facts(run: Run) -> dict[str, Any]:
    """What changes while the run goes on."""
    return {"run": run, "workload": run.workload, "cause": explain(run), "is_live": not run.is_over}


def _tracked(run: Run) -> dict[str, Any]:
    """What it logged; where MLflow's tables cannot be read, the page says so and shows the rest."""
    workspace = run.project.mlflow_workspace
    try:
        found = tracked_runs(workspace, run.pk)
        artifacts: list[Artifact] = list_artifacts(workspace, run.pk)
    except PlatformError as error:
        return {"tracking_error": error}
    return {"tracked": found, "artifacts": artifacts, "charts": _chart_keys(found)}


def _digests(run: Run) -> dict[str, str]:
    """SHA-256 of the artifacts that the run sent, by the path that the list of artifacts gives them."""
    digests = {}
    for path, sha256, _ in (run.observed or {}).get("sent", []):
        folder, _, name = path.partition("/artifacts/")
        digests[f"{folder.rsplit('/', 1)[-1]}/{name}"] = sha256
    return digests


def _chart_keys(found: list[TrackedRun]) -> list[str]:
    """Metrics with more than one point, by name."""
    keys = {metric.key for run in found for metric in run.metrics if metric.points > 1}
    return sorted(keys)[:MAX_CHARTS]


class RunStateView(RunPage):
    """The part of the page that changes while the run goes on; the whole page is read again at its end."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "jobs/run_state.html"

    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponseBase:
        """Answer the fragment."""
        run = self.run(request, run_id)
        response = self.page(live_facts(run))
        if run.is_over or request.GET.get("seen", str(run.attempt)) != str(run.attempt):
            response.headers["HX-Refresh"] = "true"
        return response


class RunLogView(RunPage):
    """New lines of a run's log."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponseBase:
        """Answer what `static/js/live.js` polls."""
        return log_answer(request, selectors.attempt_workload(self.run(request, run_id), attempt_of(request)))


class RunChartView(RunPage):
    """The figures of one chart."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponseBase:
        """Answer what `static/js/charts.js` draws: the metric `?key=` by step, a line for each MLflow run."""
        run = self.run(request, run_id)
        key = request.GET.get("key", "").replace("\0", "")
        histories = metric_history(run.project.mlflow_workspace, run.pk, key, points=CHART_POINTS)
        series = [
            {"label": _label(run, key, mlflow_id, history, len(histories)), **_columns(history.points)}
            for mlflow_id, history in histories
        ]
        return JsonResponse({"x_label": "step", "y_label": "", "time": False, "series": series})


def _label(run: Run, key: str, mlflow_id: str, history: History, lines: int) -> str:
    label = key if lines == 1 else f"{key} of {mlflow_id[:8]}"
    is_retried = run.attempt > 1 and history.attempt is not None
    return f"{label}, attempt {history.attempt}" if is_retried else label


def _columns(points: Any) -> dict[str, list[Any]]:
    return {"x": [step for step, _ in points], "y": [value for _, value in points]}


class RunArtifactView(RunPage):
    """One file that the run logged."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponseBase:
        """Answer the file at `?path=` as a download."""
        return attachment(request, self.run(request, run_id), request.GET.get("path", ""))


class RunCancelView(RunPage):
    """End a run before its time."""

    permissions = {"GET": Permission.RUN_CANCEL, "POST": Permission.RUN_CANCEL}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, run_id: UUID) -> HttpResponseBase:
        """Ask."""
        return self._show(self.run(request, run_id, Permission.RUN_CANCEL), CancelForm())

    def post(self, request: HttpRequest, run_id: UUID) -> HttpResponseBase:
        """Ask the run to end."""
        run = self.run(request, run_id, Permission.RUN_CANCEL)
        form = CancelForm(request.POST)
        done, status = self.save(
            form, lambda values: services.request_cancel(run, **values, acting_user=actor_of(request))
        )
        if done is None:
            return self._show(run, form, status)
        messages.success(request, f"{run} is being ended.")
        return redirect("run", run.pk)

    def _show(self, run: Run, form: CancelForm, status: int = 200) -> HttpResponse:
        context = {
            "title": f"Cancel {run}",
            "explanation": "Its processes are asked to end, and ended by force after ten seconds.",
            "consequences": ["What it logged so far stays.", "It cannot be resumed; start it again instead."],
            "submit": "Stop the run",
            "cancel_url": reverse("run", args=[run.pk]),
            "danger": True,
            "form": form,
        }
        return self.page(context, crumbs=run_crumbs(run, ("Cancel", "")), status=status)
