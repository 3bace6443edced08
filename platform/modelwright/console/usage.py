"""What workloads used, as somebody asks for it: of which workspace or project, in which period, by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from modelwright.accounts.models import User
from modelwright.audit.selectors import moment_of
from modelwright.compute import metering
from modelwright.compute.metering import Period, Usage
from modelwright.compute.models import UsageRates, Workload
from modelwright.console.usage_names import GROUPINGS, Name
from modelwright.core.errors import ValidationFailed
from projects.models import Project
from projects.selectors import get_project
from workspaces.models import Workspace
from workspaces.selectors import get_workspace, visible_workspaces

LONGEST: Final = timedelta(days=3 * 366)
# Up to here a chart has a point for each hour, beyond for each day.
HOURLY: Final = timedelta(days=3)
MOST_LINES = 6
MEASURES: Final = {
    "cpu": ("CPU-hours", "cpu_hours"),
    "memory": ("GiB-hours", "gib_hours"),
    "gpu": ("GPU-hours", "gpu_hours"),
}
OTHERS = Name("Others, which you may not see")


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks. `workspace` and `project` are theirs to see."""

    period: Period
    by: str
    workspace: Workspace | None = None
    project: Project | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the answer. `key` is an id, a name, or empty for what has none; `cost` is None without prices."""

    key: str
    name: Name
    usage: Usage
    cost: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer: the rows, largest first, and all of them together."""

    question: Question
    rows: list[Row]
    total: Row
    rates: UsageRates | None


def ask(viewer: User, params: Mapping[str, Any]) -> Question:
    """The question that `workspace`, `project` (ids), `by`, `since` and `until` put; else this month, by project.

    Raises ValidationFailed on what is malformed, NotFound on what is not the viewer's to see.
    """
    by = str(params.get("by") or "project")
    if by not in GROUPINGS:
        raise ValidationFailed(f"`by` is {by[:40]!r}.", remedy=f"Give one of {', '.join(GROUPINGS)}.", field="by")
    workspace, project = _id(params, "workspace"), _id(params, "project")
    return Question(
        _period(params),
        by,
        get_workspace(viewer, workspace) if workspace else None,
        get_project(viewer, project) if project else None,
    )


def answer(viewer: User, question: Question) -> Answer:
    """What was used, as far as the viewer may know: what they may not see is one row without a name."""
    grouping, rates = GROUPINGS[question.by], metering.rates()
    groups = metering.usage(scope(viewer, question), question.period, [grouping.field])
    names = grouping.names(viewer, {group.key[0] for group in groups} - {None})
    together: dict[tuple[str, Name], Usage] = {}
    for group in groups:
        key = group.key[0]
        place = ("", grouping.none) if key is None else (str(key), names[key]) if key in names else ("", OTHERS)
        together[place] = together.get(place, metering.NOTHING) + group.usage
    rows = [_row(key, name, used, rates) for (key, name), used in together.items()]
    total = sum((row.usage for row in rows), metering.NOTHING)
    rows.sort(key=lambda row: (row.usage.cpu_hours, row.name.label), reverse=True)
    return Answer(question, rows, _row("", Name("All"), total, rates), rates)


def chart(viewer: User, question: Question, measure: str) -> dict[str, Any]:
    """What `static/js/charts.js` draws: a line for each of the largest rows and one for the others.

    Raises ValidationFailed.
    """
    if measure not in MEASURES:
        raise ValidationFailed(f"`measure` is {measure[:40]!r}.", remedy=f"Give one of {', '.join(MEASURES)}.")
    label, field = MEASURES[measure]
    found, grouping = answer(viewer, question), GROUPINGS[question.by]
    stretch = "hour" if question.period.until - question.period.since <= HOURLY else "day"
    points = metering.series(scope(viewer, question), question.period, grouping.field, stretch=stretch)
    largest = sorted(found.rows, key=lambda row: -float(getattr(row.usage, field)))[:MOST_LINES]
    lines = {row.key: row.name.label for row in largest if row.key}
    values: dict[str, dict[float, float]] = {key: {} for key in [*lines, ""]}
    for point in points:
        line = values[str(point.key) if str(point.key) in lines else ""]
        at = point.at.timestamp()
        line[at] = line.get(at, 0.0) + getattr(point.usage, field)
    moments = _moments(question.period, metering.STRETCHES[stretch])
    series = [
        {
            "label": lines.get(key, "Others" if lines else "All"),
            "x": moments,
            "y": [line.get(at, 0.0) for at in moments],
        }
        for key, line in values.items()
        if key or line
    ]
    return {"x_label": stretch, "y_label": label, "time": True, "series": series if points else []}


def scope(viewer: User, question: Question) -> QuerySet[Workload]:
    """The workloads asked for, of the workspaces that the viewer is in; of all workspaces for site roles."""
    found = Workload.objects.filter(**GROUPINGS[question.by].only)
    if question.project is not None:
        found = found.filter(project_id=question.project.pk)
    if question.workspace is not None:
        return found.filter(workspace_id=question.workspace.pk)
    if viewer.is_site_admin or viewer.is_auditor:
        return found
    return found.filter(workspace_id__in=visible_workspaces(viewer).order_by().values("pk"))


def _row(key: str, name: Name, used: Usage, rates: UsageRates | None) -> Row:
    return Row(key, name, used, metering.cost(used, rates) if rates else None)


def _moments(period: Period, step: timedelta) -> list[float]:
    """The beginnings of all hours or days (UTC) that have a part in the period, up to now."""
    length = int(step.total_seconds())
    first = int(period.since.timestamp()) // length
    last = min(period.until, timezone.now()).timestamp()
    moments = []
    while first * length < last:
        moments.append(float(first * length))
        first += 1
    return moments


def _id(params: Mapping[str, Any], name: str) -> UUID | None:
    text = str(params.get(name) or "")
    try:
        return UUID(text) if text else None
    except ValueError:
        raise ValidationFailed(f"`{name}` is not an id.", remedy="Give a UUID.", field=name) from None


def _period(params: Mapping[str, Any]) -> Period:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    since_text, until_text = str(params.get("since") or ""), str(params.get("until") or "")
    since = moment_of(since_text, "since") if since_text else today.replace(day=1)
    until = moment_of(until_text, "until") if until_text else today + timedelta(days=1)
    if since >= until:
        raise ValidationFailed(
            f"The period would begin at {since:%Y-%m-%d %H:%M} and end at {until:%Y-%m-%d %H:%M}.",
            remedy="Give an end after the beginning.",
            field="until",
        )
    if until - since > LONGEST:
        raise ValidationFailed("The period is longer than three years.", remedy="Ask for less.", field="since")
    return Period(since, until)
