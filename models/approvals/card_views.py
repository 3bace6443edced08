"""Pages: a version's model card, and its editor."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from models.approvals import selectors, services
from models.approvals.cards import SECTIONS, newest_card, unfilled
from models.approvals.forms import CardForm
from models.approvals.models import ModelCard
from models.approvals.pages import ApprovalPage, version_crumbs
from models.approvals.prefilling import drafts
from models.registry.models import ModelVersion
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound


class CardView(ApprovalPage):
    """The card of a version."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "approvals/card.html"

    def get(self, request: HttpRequest, version_id: UUID) -> HttpResponseBase:
        """Show it, `?revision=` an earlier one."""
        version = self.version(request, version_id)
        project = version.model.project
        revisions = list(selectors.cards_of(version)[:50])
        card = _chosen(revisions, request.GET.get("revision", ""))
        sections = card.sections if card else {}
        context = {
            **self.frame(request, project),
            **self.rights(request, project),
            "version": version,
            "card": card,
            "is_newest": card is None or card is revisions[0],
            "sections": [(section, sections.get(section.key, "")) for section in SECTIONS],
            "unfilled": unfilled(sections),
            "revisions": revisions,
        }
        return self.page(context, crumbs=version_crumbs(version, ("Model card", "")))


def _chosen(revisions: list[ModelCard], wanted: str) -> ModelCard | None:
    if not wanted:
        return revisions[0] if revisions else None
    found = next((card for card in revisions if str(card.number) == wanted), None)
    if found is None:
        raise NotFound("The card has no such revision.", remedy="Choose one of its list.")
    return found


class CardEditView(ApprovalPage):
    """Write the card of a version."""

    permissions = {"GET": Permission.MODEL_EDIT, "POST": Permission.MODEL_EDIT}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, version_id: UUID) -> HttpResponseBase:
        """Show the form, with what the platform knows where nothing is written."""
        version = self.version(request, version_id, Permission.MODEL_EDIT)
        card = newest_card(version)
        values = CardForm.values_of(card.number if card else 0, card.sections if card else {}, drafts(version))
        return self._show(version, CardForm(initial=values))

    def post(self, request: HttpRequest, version_id: UUID) -> HttpResponseBase:
        """Save a revision."""
        version = self.version(request, version_id, Permission.MODEL_EDIT)
        form = CardForm(request.POST)
        saved, status = self.save(
            form,
            lambda values: services.save_card(
                version, sections=form.sections(), expected=values["revision"], acting_user=actor_of(request)
            ),
        )
        if saved is None:
            return self._show(version, form, status)
        empty = unfilled(saved.sections)
        said = f"Still empty: {', '.join(section.title for section in empty)}." if empty else "The card is filled."
        messages.success(request, f"Saved as revision {saved.number}. {said}")
        return redirect("model-version-card", version.pk)

    def _show(self, version: ModelVersion, form: CardForm, status: int = 200) -> HttpResponse:
        back = reverse("model-version-card", args=[version.pk])
        context = {"form": form, "title": f"Model card of {version}", "submit": "Save", "cancel_url": back}
        context["css"] = "wide"
        context["intro"] = (
            "Markdown. Where nothing was written yet, the platform has put down what it knows: correct it, and save it."
        )
        return self.page(context, crumbs=version_crumbs(version, ("Model card", back), ("Edit", "")), status=status)
