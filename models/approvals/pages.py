"""What the pages of this room share."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from models.approvals import selectors
from models.approvals.deciding import to_decide
from models.approvals.models import Check, Promotion
from models.approvals.stages import CARD, REPLAY, SMOKE, STAGING_FIRST, TESTS, Stage, remedy_for, words_of
from models.approvals.states import PromotionState
from models.registry.models import ModelVersion
from models.registry.views import RegistryPage, model_crumbs
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import Crumbs
from modelwright.core.templatetags.ui import url_or_empty
from projects.models import Project
from projects.selectors import project_permissions


def version_crumbs(version: ModelVersion, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the version."""
    own = (f"Version {version.number}", reverse("model-version", args=[version.pk]))
    return model_crumbs(version.model, own, *more)


def page_for(kind: str, version: ModelVersion) -> tuple[str, str]:
    """Where a missing check is had: what the link says, and its address; empty where there is no such page."""
    if kind == CARD:
        return "Fill in the card", reverse("model-version-card-edit", args=[version.pk])
    if kind == STAGING_FIRST:
        return "Ask for staging", f"{reverse('promotion-request', args=[version.pk])}?stage=staging"
    if kind == TESTS:
        return "Start the tests", reverse("model-version-approval", args=[version.pk])
    # Endpoints belong to rooms above this one.
    url = url_or_empty("project-endpoints", version.model.project_id)
    return ("Choose an endpoint", url) if url and kind in (REPLAY, SMOKE) else ("", "")


def rows_of(stands: list[dict[str, Any]], version: ModelVersion) -> list[dict[str, Any]]:
    """How needed checks of the version stand, with words for people."""
    return [
        each
        | {
            "label": words_of(each["kind"]),
            "remedy": remedy_for(each["kind"]),
            "link": page_for(each["kind"], version),
            "when": parse_datetime(each["at"]) if each["at"] else None,
        }
        for each in stands
    ]


def checks_with_words(checks: list[Check]) -> list[dict[str, Any]]:
    """Checks with their names as people read them."""
    return [{"check": check, "label": words_of(check.kind)} for check in checks]


class ApprovalPage(RegistryPage):
    """A page of approvals."""

    def rights(self, request: HttpRequest, project: Project) -> dict[str, bool]:
        """What of these pages' actions the person may do."""
        held = project_permissions(person_of(request), project)
        return {
            "may_ask": Permission.MODEL_EDIT in held,
            "may_test": Permission.RUN_START in held,
            "may_manage": Permission.PROJECT_MANAGE in held,
        }

    def promotion(
        self, request: HttpRequest, promotion_id: UUID, permission: Permission = Permission.PROJECT_VIEW
    ) -> Promotion:
        """The promotion, in whose project the person holds `permission`."""
        return selectors.get_promotion(person_of(request), promotion_id, permission)

    def promotions(self, request: HttpRequest, project: Project | None = None) -> Listing[Promotion]:
        """Promotions of one project, or of all, as a page's list."""
        person = person_of(request)

        def mine(found: QuerySet[Any], value: str) -> QuerySet[Any]:
            return found.filter(pk__in=to_decide(person).values("pk")) if value == "mine" else found

        columns = [
            Column("Version", "version", ("version__model__name", "version__number")),
            *([] if project else [Column("Project", "project", ("version__model__project__name",))]),
            Column("Stage", "stage"),
            Column("State", "state"),
            Column("Asked by", "requester", ("requester_name",)),
            Column("Decided by", "decided", ("decided_at",)),
            Column("Asked", "created", "created_at"),
        ]
        filters = [
            Filter("q", "Model or person", ("version__model__name", "requester_name", "decided_by")),
            Filter("decide", "Decision", choices=[("mine", "Mine to make")], apply=mine),
            Filter("state", "State", ("state",), choices=PromotionState.choices),
            Filter("stage", "Stage", ("stage",), choices=Stage.choices),
        ]
        found = selectors.promotions(person)
        if project is not None:
            found = found.filter(version__model__project=project)
        return Listing(found, request.GET, columns=columns, filters=filters, default_sort="-created")
