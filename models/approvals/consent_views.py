"""Pages: consents to what decides in production beside models, and the decision on one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import yaml
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from models.approvals import consent_selectors
from models.approvals.consents import GIVE, REFUSE, WITHDRAW, decide, revoke
from models.approvals.deciding import may_take_back
from models.approvals.forms import ReasonForm, reason_field
from models.approvals.models import Consent
from models.approvals.pages import ApprovalPage
from models.approvals.states import ConsentState
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.api import SIGNED_IN
from modelwright.core.listing import Column, Filter, Listing
from projects.selectors import project_permissions

_COLUMNS = [
    Column("What", "kind"),
    Column("Endpoint", "endpoint", ("endpoint_name",)),
    Column("State", "state"),
    Column("Asked by", "requester", ("requester_name",)),
    Column("Decided by", "decided", ("decided_at",)),
    Column("Asked", "created", "created_at"),
]
_FILTERS = [
    Filter("q", "Endpoint or person", ("endpoint_name", "requester_name", "decided_by")),
    Filter("state", "State", ("state",), choices=ConsentState.choices),
    Filter("kind", "What", ("kind",), choices=Consent.Kind.choices),
]


class DecisionForm(forms.Form):
    """Yes, no, or taken back."""

    decision = forms.ChoiceField(label="Decision")
    reason = reason_field("Needed to refuse it. It stands in the audit log.")

    def __init__(self, is_own: bool, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = [] if is_own else [(GIVE, "Agree"), (REFUSE, "Refuse")]
        self.fields["decision"].choices = [*others, (WITHDRAW, "Withdraw")]  # type: ignore[attr-defined]


class ConsentsView(ApprovalPage):
    """Every consent that one may see."""

    permissions = {"GET": SIGNED_IN}
    template = "approvals/consents.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List them over all projects."""
        found = consent_selectors.consents(person_of(request))
        listing = Listing(found, request.GET, columns=_COLUMNS, filters=_FILTERS, default_sort="-created")
        crumbs = [("Approvals", reverse("approvals")), ("Consents", "")]
        return self.page({"listing": listing}, crumbs=crumbs)


class ConsentView(ApprovalPage):
    """A consent: to what, why, what was decided."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "approvals/consent.html"

    def get(self, request: HttpRequest, consent_id: UUID) -> HttpResponseBase:
        """Show it."""
        person = person_of(request)
        consent = consent_selectors.get_consent(person, consent_id)
        is_open = consent.state == "requested"
        held = project_permissions(person, consent.project)
        context = {
            "consent": consent,
            "content": yaml.safe_dump(consent.content, sort_keys=False, allow_unicode=True),
            "is_open": is_open,
            "is_own": consent.requester_id == person.pk,
            "may_decide": is_open and Permission.MODEL_APPROVE in held,
            "may_revoke": consent.state == "given" and may_take_back(person, consent.approver_id, held),
        }
        return self.page(context, crumbs=_crumbs(consent))


class ConsentDecideView(ApprovalPage):
    """Decide on a consent."""

    permissions = {"GET": Permission.MODEL_APPROVE, "POST": Permission.MODEL_APPROVE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, consent_id: UUID) -> HttpResponseBase:
        """Show the form."""
        consent, is_own = self._consent(request, consent_id)
        return self._show(consent, DecisionForm(is_own))

    def post(self, request: HttpRequest, consent_id: UUID) -> HttpResponseBase:
        """Decide it."""
        consent, is_own = self._consent(request, consent_id)
        form = DecisionForm(is_own, request.POST)
        decided, status = self.save(form, lambda values: decide(consent, **values, acting_user=actor_of(request)))
        if decided is None:
            return self._show(consent, form, status)
        messages.success(request, f"{consent}: {decided.get_state_display().lower()}.")
        return redirect("consent", consent.pk)

    def _consent(self, request: HttpRequest, consent_id: UUID) -> tuple[Consent, bool]:
        person = person_of(request)
        consent = consent_selectors.get_consent(person, consent_id, Permission.MODEL_APPROVE)
        return consent, consent.requester_id == person.pk

    def _show(self, consent: Consent, form: forms.Form, status: int = 200) -> HttpResponse:
        back = reverse("consent", args=[consent.pk])
        context = {"form": form, "title": f"Decide: {consent}", "submit": "Decide", "cancel_url": back}
        return self.page(context, crumbs=_crumbs(consent, ("Decide", "")), status=status)


class ConsentRevokeView(ApprovalPage):
    """Take back what was given."""

    permissions = {"GET": Permission.MODEL_APPROVE, "POST": Permission.MODEL_APPROVE}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, consent_id: UUID) -> HttpResponseBase:
        """Ask whether to."""
        return self._show(self._consent(request, consent_id), ReasonForm())

    def post(self, request: HttpRequest, consent_id: UUID) -> HttpResponseBase:
        """Take it back."""
        consent = self._consent(request, consent_id)
        form = ReasonForm(request.POST)
        revoked, status = self.save(form, lambda values: revoke(consent, **values, acting_user=actor_of(request)))
        if revoked is None:
            return self._show(consent, form, status)
        messages.success(request, "The consent is taken back. Nothing is deployed by it any more.")
        return redirect("consent", consent.pk)

    def _consent(self, request: HttpRequest, consent_id: UUID) -> Consent:
        return consent_selectors.get_consent(person_of(request), consent_id, Permission.MODEL_APPROVE)

    def _show(self, consent: Consent, form: forms.Form, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": f"Take back: {consent}",
            "explanation": "Nothing is deployed to production by this consent any more; asking again takes a second "
            "person again. What serves now goes on until something else is deployed or it is rolled back.",
            "submit": "Take back the consent",
            "danger": True,
            "cancel_url": reverse("consent", args=[consent.pk]),
        }
        return self.page(context, crumbs=_crumbs(consent, ("Take back", "")), status=status)


def _crumbs(consent: Consent, *more: tuple[str, str]) -> list[tuple[str, str]]:
    own = (str(consent), reverse("consent", args=[consent.pk]) if more else "")
    return [("Approvals", reverse("approvals")), ("Consents", reverse("consents")), own, *more]
