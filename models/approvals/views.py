"""Pages: approvals of all projects and of one, and a version's way to production."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from models.approvals import selectors, services
from models.approvals.cards import newest_card, unfilled
from models.approvals.consent_selectors import consents
from models.approvals.deciding import to_decide
from models.approvals.forms import PolicyForm, RequestForm
from models.approvals.models import Promotion
from models.approvals.pages import ApprovalPage, checks_with_words, rows_of, version_crumbs
from models.approvals.stages import Stage, words_of
from models.registry.models import ModelVersion
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.api import SIGNED_IN
from projects.models import Project
from projects.navigation import project_crumbs

NEWEST = 20


class ApprovalsView(ApprovalPage):
    """Every promotion that one may see, those first that one may decide."""

    permissions = {"GET": SIGNED_IN}
    template = "approvals/approvals.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List them over all projects."""
        mine = to_decide(person_of(request))
        open_consents = consents(person_of(request)).filter(state="requested")
        context = {"listing": self.promotions(request), "mine": mine[:NEWEST], "mine_total": mine.count()}
        context["consents_open"] = open_consents.count()
        return self.page(context, crumbs=[("Approvals", "")])


class ProjectApprovalsView(ApprovalPage):
    """The promotions of a project, and what it needs for a stage."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "approvals/project_approvals.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show them."""
        project = self.project(request, project_id)
        context = {**self.frame(request, project), "listing": self.promotions(request, project)}
        context["needed"] = [
            (stage.label, [words_of(kind) for kind in selectors.needed_for(project, stage)])
            for stage in (Stage.STAGING, Stage.PRODUCTION)
        ]
        return self.page(context, crumbs=project_crumbs(project, ("Approvals", "")))


class PolicyView(ApprovalPage):
    """Change which checks a project needs."""

    permissions = {"GET": Permission.PROJECT_MANAGE, "POST": Permission.PROJECT_MANAGE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show the form."""
        project = self.project(request, project_id, Permission.PROJECT_MANAGE)
        return self._show(project, PolicyForm(project, selectors.policy_of(project)))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Change it."""
        project = self.project(request, project_id, Permission.PROJECT_MANAGE)
        form = PolicyForm(project, selectors.policy_of(project), request.POST)
        changed, status = self.save(
            form, lambda values: services.change_policy(project, **values, acting_user=actor_of(request))
        )
        if changed is None:
            return self._show(project, form, status)
        messages.success(request, "Saved. It holds for what is approved from now on.")
        return redirect("project-approvals", project.pk)

    def _show(self, project: Project, form: PolicyForm, status: int = 200) -> HttpResponse:
        back = reverse("project-approvals", args=[project.pk])
        context = {"form": form, "title": f"Needed checks of {project.name}", "submit": "Save", "cancel_url": back}
        context["intro"] = "What a version must have passed before it is approved for a stage."
        crumbs = project_crumbs(project, ("Approvals", back), ("Needed checks", ""))
        return self.page(context, crumbs=crumbs, status=status)


class VersionApprovalView(ApprovalPage):
    """A version's way to production: what it has passed, what is missing, who decided what."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "approvals/version.html"

    def get(self, request: HttpRequest, version_id: UUID) -> HttpResponseBase:
        """Show it."""
        version = self.version(request, version_id)
        project = version.model.project
        context: dict[str, Any] = {**self.frame(request, project), **self.rights(request, project)}
        card = newest_card(version)
        tests = list(selectors.tests_of(version)[:NEWEST])
        context |= {
            "version": version,
            "stages": [self._stage(version, stage) for stage in (Stage.STAGING, Stage.PRODUCTION)],
            "checks": checks_with_words(list(selectors.checks_of(version)[:NEWEST])),
            "card": card,
            "unfilled": unfilled(card.sections if card else {}),
            "tests": tests,
            "tests_under_way": any(test.noted_at is None for test in tests),
            "promotions": selectors.promotions(person_of(request)).filter(version=version)[:NEWEST],
        }
        return self.page(context, crumbs=version_crumbs(version, ("Approval", "")))

    @staticmethod
    def _stage(version: ModelVersion, stage: Stage) -> dict[str, Any]:
        return {
            "stage": stage,
            "approval": selectors.approval_of(version, stage),
            "asked": Promotion.objects.filter(version=version, stage=stage, state="requested").first(),
            "rows": rows_of(selectors.standing(version, stage), version),
        }


class TestsStartView(ApprovalPage):
    """Start the tests of a version."""

    permissions = {"POST": Permission.RUN_START}

    def post(self, request: HttpRequest, version_id: UUID) -> HttpResponseBase:
        """Start them."""
        version = self.version(request, version_id, Permission.RUN_START)
        tests = services.start_tests(version, acting_user=actor_of(request))
        messages.success(request, f"Started: {', '.join(test.step for test in tests)}.")
        return redirect("model-version-approval", version.pk)


class PromotionRequestView(ApprovalPage):
    """Ask that a version be approved for a stage."""

    permissions = {"GET": Permission.MODEL_EDIT, "POST": Permission.MODEL_EDIT}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, version_id: UUID) -> HttpResponseBase:
        """Show the form; `?stage=` chooses one."""
        version = self.version(request, version_id, Permission.MODEL_EDIT)
        return self._show(version, RequestForm(initial={"stage": request.GET.get("stage", Stage.PRODUCTION)[:16]}))

    def post(self, request: HttpRequest, version_id: UUID) -> HttpResponseBase:
        """Ask for it."""
        version = self.version(request, version_id, Permission.MODEL_EDIT)
        form = RequestForm(request.POST)
        made, status = self.save(
            form, lambda values: services.request_promotion(version, **values, acting_user=actor_of(request))
        )
        if made is None:
            return self._show(version, form, status)
        said = "approved" if made.state == "approved" else "asked for; a second person decides"
        messages.success(request, f"{version} for {made.stage}: {said}.")
        return redirect("promotion", made.pk)

    def _show(self, version: ModelVersion, form: RequestForm, status: int = 200) -> HttpResponse:
        back = reverse("model-version-approval", args=[version.pk])
        context = {"form": form, "title": f"Approval of {version}", "submit": "Ask for approval", "cancel_url": back}
        return self.page(context, crumbs=version_crumbs(version, ("Approval", back), ("Ask", "")), status=status)
