"""The sections of a project, those of the rooms above too, and the way to them."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse

from modelwright.core.pages import Crumbs
from projects.models import Project
from workspaces.pages import Tabs, workspace_crumbs

# Routes that take a project's id as their only argument. Those that this installation has not are left out.
SECTIONS = (
    ("project", "Overview"),
    ("project-files", "Files"),
    ("project-history", "History"),
    ("project-jobs", "Jobs"),
    ("project-runs", "Runs"),
    ("project-sessions", "Sessions"),
    ("project-applications", "Applications"),
    ("project-models", "Models"),
    ("project-approvals", "Approvals"),
    ("project-endpoints", "Endpoints"),
    ("project-batch-jobs", "Batch"),
    ("project-events", "Events"),
    ("project-variables", "Variables"),
    ("project-members", "Members"),
)


def project_tabs(project: Project, current: str) -> Tabs:
    """The sections for `components/tabs.html`; `current` is the name of the section's route."""
    tabs = []
    for name, label in SECTIONS:
        try:
            tabs.append((label, reverse(name, args=[project.pk]), name == current))
        except NoReverseMatch:
            continue
    return tabs


def project_crumbs(project: Project, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the project."""
    own = (project.name, reverse("project", args=[project.pk]))
    return workspace_crumbs(project.workspace, own, *more)
