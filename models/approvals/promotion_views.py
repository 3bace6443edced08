"""Pages: one promotion, and the decisions on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from models.approvals import selectors, services
from models.approvals.cards import SECTIONS, newest_card
from models.approvals.deciding import may_do
from models.approvals.forms import ApproveForm, ReasonForm
from models.approvals.models import Promotion
from models.approvals.pages import ApprovalPage, rows_of, version_crumbs
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.pages import Crumbs


def promotion_crumbs(promotion: Promotion, *more: tuple[str, str]) -> Crumbs:
    """The way to a page of the promotion."""
    approval = ("Approval", reverse("model-version-approval", args=[promotion.version_id]))
    own = (f"To {promotion.stage}", reverse("promotion", args=[promotion.pk]) if more else "")
    return version_crumbs(promotion.version, approval, own, *more)


class PromotionView(ApprovalPage):
    """A promotion: what was asked for, how its checks stand, the card, what was decided."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "approvals/promotion.html"

    def get(self, request: HttpRequest, promotion_id: UUID) -> HttpResponseBase:
        """Show it."""
        promotion = self.promotion(request, promotion_id)
        version = promotion.version
        is_open = promotion.state == "requested"
        stands = selectors.standing(version, promotion.stage) if is_open else promotion.decided_checks
        card = newest_card(version)
        before = selectors.serving_stage(version.model, promotion.stage)
        context = {
            **self.frame(request, version.model.project),
            **may_do(person_of(request), promotion),
            "promotion": promotion,
            "version": version,
            "is_open": is_open,
            "checks_title": "Needed checks, as they stand now" if is_open else "Needed checks, as they stood",
            "rows": rows_of(stands, version),
            "missing": [each for each in rows_of(stands, version) if each["outcome"] != "passed"],
            "card": card,
            "sections": [(section, (card.sections if card else {}).get(section.key, "")) for section in SECTIONS],
            "before": before,
            "figures": _figures(before.version.metrics if before else {}, version.metrics),
        }
        return self.page(context, crumbs=promotion_crumbs(promotion))


def _figures(before: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(name, before.get(name), now.get(name)) for name in sorted(before.keys() | now.keys())][:40]


class DecisionPage(ApprovalPage):
    """A decision on a promotion, asked for once more."""

    template = "components/confirm_page.html"
    needed: ClassVar[Permission] = Permission.MODEL_APPROVE
    title: ClassVar[str]
    submit: ClassVar[str]
    explanation: ClassVar[str]
    done: ClassVar[str]
    danger: ClassVar[bool] = False
    reason_required: ClassVar[bool] = True
    write: ClassVar[Callable[..., Promotion]]

    def get(self, request: HttpRequest, promotion_id: UUID) -> HttpResponseBase:
        """Ask whether to."""
        promotion = self.promotion(request, promotion_id, self.needed)
        return self._show(promotion, self.form(promotion))

    def post(self, request: HttpRequest, promotion_id: UUID) -> HttpResponseBase:
        """Decide it."""
        promotion = self.promotion(request, promotion_id, self.needed)
        form = self.form(promotion, request.POST)
        decided, status = self.save(
            form, lambda values: type(self).write(promotion, **values, acting_user=actor_of(request))
        )
        if decided is None:
            return self._show(promotion, form, status)
        messages.success(request, self.done)
        return redirect("promotion", promotion.pk)

    def form(self, promotion: Promotion, *args: Any) -> forms.Form:
        """The form of this decision."""
        return ReasonForm(*args, required=self.reason_required)

    def _show(self, promotion: Promotion, form: forms.Form, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": f"{self.title} {promotion}",
            "explanation": self.explanation,
            "submit": self.submit,
            "danger": self.danger,
            "cancel_url": reverse("promotion", args=[promotion.pk]),
        }
        return self.page(context, crumbs=promotion_crumbs(promotion, (self.submit, "")), status=status)


class PromotionApproveView(DecisionPage):
    """Approve it."""

    permissions = {"GET": Permission.MODEL_APPROVE, "POST": Permission.MODEL_APPROVE}
    title, submit, done = "Approve", "Approve", "Approved. The stage's alias points to the version now."
    explanation = (
        "The version may answer at endpoints of the stage from now on. Your name stands beside the requester's "
        "on record. Nothing is deployed by it."
    )
    write = staticmethod(services.approve)

    def form(self, promotion: Promotion, *args: Any) -> forms.Form:
        """With an override where needed checks are missing."""
        return ApproveForm(selectors.lacking(selectors.standing(promotion.version, promotion.stage)), *args)


class PromotionRefuseView(DecisionPage):
    """Refuse it."""

    permissions = {"GET": Permission.MODEL_APPROVE, "POST": Permission.MODEL_APPROVE}
    title, submit, done, danger = "Refuse", "Refuse", "Refused.", True
    explanation = "The version may not answer at the stage. It can be asked for again."
    write = staticmethod(services.refuse)


class PromotionWithdrawView(DecisionPage):
    """Withdraw it."""

    permissions = {"GET": Permission.MODEL_EDIT, "POST": Permission.MODEL_EDIT}
    needed = Permission.MODEL_EDIT
    title, submit, done, reason_required = "Withdraw", "Withdraw", "Withdrawn.", False
    explanation = "Nobody decides on it any more. It can be asked for again."
    write = staticmethod(services.withdraw)


class PromotionRevokeView(DecisionPage):
    """Take an approval back."""

    permissions = {"GET": Permission.MODEL_APPROVE, "POST": Permission.MODEL_APPROVE}
    title, submit, done, danger = "Take back", "Take back the approval", "The approval is taken back.", True
    explanation = (
        "The version cannot be deployed at the stage any more, and the stage's alias goes to what was approved before. "
        "What serves now goes on until something else is deployed or it is rolled back."
    )
    write = staticmethod(services.revoke)
