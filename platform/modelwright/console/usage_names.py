"""By what usage can be grouped, and what the groups are called for somebody."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from django.urls import reverse

from models.endpoints.selectors import endpoints
from models.registry.models import ModelVersion
from modelwright.accounts.models import User
from modelwright.compute.models import Workload
from projects.selectors import visible_projects
from workspaces.selectors import visible_workspaces


@dataclass(frozen=True, slots=True)
class Name:
    """What a group is called, and where there is more about it."""

    label: str
    url: str = ""


Names = Mapping[Any, Name]


@dataclass(frozen=True, slots=True)
class Grouping:
    """`field` is a field of workloads, `only` which of them count, `none` what those without a value are called.

    `names` answers the name of each key that the viewer may know.
    """

    label: str
    field: str
    names: Callable[[User, Set[Any]], Names]
    none: Name = Name("None")
    only: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def _plain(_viewer: User, keys: Set[Any]) -> Names:
    return {key: Name(str(key)) for key in keys}


def _kinds(_viewer: User, keys: Set[Any]) -> Names:
    labels = dict(Workload.Kind.choices)
    return {key: Name(labels.get(key, key)) for key in keys}


def _workspaces(viewer: User, keys: Set[Any]) -> Names:
    found = visible_workspaces(viewer).filter(pk__in=keys)
    return {each.pk: Name(each.name, reverse("workspace", args=[each.pk])) for each in found}


def _projects(viewer: User, keys: Set[Any]) -> Names:
    found = visible_projects(viewer).filter(pk__in=keys)
    return {each.pk: Name(f"{each.workspace.name} / {each.name}", reverse("project", args=[each.pk])) for each in found}


def _models(viewer: User, keys: Set[Any]) -> Names:
    found = _versions(viewer).filter(model_id__in=keys)
    return {
        each.model_id: Name(f"{each.model.project.name} / {each.model.name}", reverse("model", args=[each.model_id]))
        for each in found
    }


def _model_versions(viewer: User, keys: Set[Any]) -> Names:
    found = _versions(viewer).filter(pk__in=keys)
    return {each.pk: Name(str(each), reverse("model-version", args=[each.pk])) for each in found}


def _versions(viewer: User) -> Any:
    visible = visible_projects(viewer).order_by().values("pk")
    return ModelVersion.objects.select_related("model__project").filter(model__project__in=visible)


def _endpoints(viewer: User, keys: Set[Any]) -> Names:
    found = endpoints(viewer).filter(pk__in=keys)
    return {each.pk: Name(each.path, reverse("endpoint", args=[each.pk])) for each in found}


_REPLICAS: Final = {"replica__isnull": False}
GROUPINGS: Final[dict[str, Grouping]] = {
    "workspace": Grouping("Workspace", "workspace_id", _workspaces, Name("Of no workspace, such as shared builds")),
    "project": Grouping("Project", "project_id", _projects, Name("Of no project, such as shared builds")),
    "person": Grouping("Person", "created_by", _plain),
    "kind": Grouping("Kind", "kind", _kinds),
    "host": Grouping("Host", "host__name", _plain),
    "model": Grouping("Model", "replica__model_version__model_id", _models, only=_REPLICAS),
    "version": Grouping("Model version", "replica__model_version_id", _model_versions, only=_REPLICAS),
    "endpoint": Grouping("Endpoint", "replica__endpoint_id", _endpoints, only=_REPLICAS),
}
