"""Every process that the platform started for somebody: what an auditor asks for, and how it is found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.fields.json import KeyTextTransform

from modelwright.accounts.models import User
from modelwright.audit.selectors import moment_of
from modelwright.compute import selectors
from modelwright.compute.models import Host, Workload
from modelwright.compute.states import WorkloadState
from modelwright.core.errors import ValidationFailed
from modelwright.core.listing import Column, Filter, Listing
from projects.selectors import visible_projects
from workspaces.selectors import visible_workspaces

MAX_CHOICES = 200
ENDED_BADLY: Final = ("failed", "timed_out", "out_of_memory", "lost")


COLUMNS: Final = [
    Column("Process", "name"),
    Column("Kind", "kind"),
    Column("State", "state"),
    Column("Project"),
    Column("Host", "host", "host__name"),
    Column("CPUs", "cpu", numeric=True),
    Column("Memory", "memory", "memory_bytes", numeric=True),
    Column("Peak", "peak", "peak_memory_bytes", numeric=True),
    Column("GPUs", "gpus", numeric=True),
    # Ids are time-ordered, and theirs is the index that a long list needs.
    Column("Queued", "queued", "id"),
    Column("Ran for", numeric=True),
    Column("By", "by", "created_by"),
]


def processes(viewer: User) -> QuerySet[Workload]:
    """All workloads, newest first. Raises PermissionRefused unless the viewer is an administrator or auditor."""
    return selectors.workloads(viewer).defer("secrets")


def listing(viewer: User, params: Mapping[str, Any]) -> Listing[Workload]:
    """The list of a page, filtered by its parameters. Raises PermissionRefused."""
    found = processes(viewer)
    return Listing(found, params, columns=COLUMNS, filters=filters(viewer), default_sort="-queued")


def filters(viewer: User) -> list[Filter]:
    """By what the list can be narrowed."""
    projects = visible_projects(viewer).order_by("workspace__name", "name")[:MAX_CHOICES]
    return [
        Filter("q", "Name or command", apply=_text),
        Filter("person", "Person", ("created_by",)),
        Filter("kind", "Kind", ("kind",), Workload.Kind.choices),
        Filter("state", "State", ("state",), [("ended-badly", "Ended badly"), *WorkloadState.choices], apply=_state),
        Filter(
            "project",
            "Project",
            ("project_id",),
            [(str(each.pk), f"{each.workspace.name} / {each.name}") for each in projects],
            kind="choice",
        ),
        Filter(
            "workspace",
            "Workspace",
            ("workspace_id",),
            [(str(each.pk), each.name) for each in visible_workspaces(viewer)[:MAX_CHOICES]],
            kind="choice",
        ),
        Filter("host", "Host", ("host__name",), [(n, n) for n in _hosts()], kind="choice"),
        Filter("environment", "Environment's lock", ("environment__lock_digest",), rare=True),
        Filter("since", "From day", kind="date", apply=_since),
        Filter("until", "Before day", kind="date", apply=_until),
    ]


def search(viewer: User, params: Mapping[str, Any]) -> QuerySet[Workload]:
    """The same for the API, where what is malformed is refused. Raises ValidationFailed, PermissionRefused."""
    found = processes(viewer)
    for each in filters(viewer):
        value = str(params.get(each.name) or "")
        if not value:
            continue
        if each.name in ("project", "workspace"):
            found = found.filter(**{f"{each.name}_id": _id(each.name, value)})
        elif each.name == "host":
            found = found.filter(host__name=value)
        else:
            try:
                found = each.narrow(found, value)
            except ValueError as error:
                raise ValidationFailed(str(error), remedy="See the API's description.", field=each.name) from None
    return found


def command_of(workload: Workload) -> list[str]:
    """Its command with placeholders, as it was ordered."""
    return [str(part) for part in workload.spec.get("command", [])]


def _hosts() -> Sequence[str]:
    return list(Host.objects.order_by("name").values_list("name", flat=True)[:MAX_CHOICES])


def _text(rows: QuerySet[Workload], text: str) -> QuerySet[Workload]:
    # The command as JSON: each word stands in it as it is, unless it holds quotation marks or backslashes.
    found = rows.annotate(command_text=KeyTextTransform("command", "spec"))
    for word in text.split():
        found = found.filter(Q(name__icontains=word) | Q(command_text__icontains=word))
    return found


def _state(rows: QuerySet[Workload], value: str) -> QuerySet[Workload]:
    states: Iterable[str] = ENDED_BADLY if value == "ended-badly" else (value,)
    return rows.filter(state__in=states)


def _since(rows: QuerySet[Workload], text: str) -> QuerySet[Workload]:
    return rows.filter(queued_at__gte=_moment(text, "since"))


def _until(rows: QuerySet[Workload], text: str) -> QuerySet[Workload]:
    return rows.filter(queued_at__lt=_moment(text, "until"))


def _moment(text: str, field: str) -> datetime:
    try:
        return moment_of(text, field)
    except ValidationFailed as error:
        raise ValueError(f"{error.message} {error.remedy}") from None


def _id(name: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValidationFailed(f"`{name}` is not an id.", remedy="Give a UUID.", field=name) from None
