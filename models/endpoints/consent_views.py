"""Page and REST: asking a second person to agree to what decides at an endpoint of production beside its models."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from models.approvals.consent_api import ConsentSerializer
from models.approvals.models import Consent
from models.endpoints import selectors
from models.endpoints.action_views import ActionPage
from models.endpoints.asking import ask
from models.endpoints.forms import MAX_REASON
from models.endpoints.graphs import declared
from models.endpoints.models import Endpoint
from models.endpoints.steering import rule_of
from modelwright.accounts.actors import actor_of
from modelwright.accounts.api import current_user
from modelwright.accounts.idempotency import idempotent
from modelwright.accounts.permissions import Permission
from modelwright.core.api import PlatformAPIView
from projects.models import Project

Kind = Consent.Kind
_RULE, _DECLARED = "rule", "declared-rule"


class ConsentCreateSerializer(serializers.Serializer[Consent]):
    """What a second person is asked to agree to."""

    kind = serializers.ChoiceField(Kind.choices)
    graph = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=63, help_text="A graph's name in the project's file."
    )
    rule = serializers.JSONField(
        required=False, allow_null=True, default=None, help_text="Left out: what the newest commit declares."
    )
    stage = serializers.ChoiceField(
        [("lab", "Lab"), ("staging", "Staging")], required=False, default="lab", help_text="Where to from production."
    )
    reason = serializers.CharField(max_length=MAX_REASON)

    def validate_rule(self, value: Any) -> Any:
        """An object, or nothing."""
        if value is not None and not isinstance(value, dict):
            raise serializers.ValidationError("A rule is an object.")
        return value


class EndpointConsentsView(PlatformAPIView):
    """Asking for consent at an endpoint."""

    permissions = {"POST": Permission.ENDPOINT_DEPLOY}

    @extend_schema(request=ConsentCreateSerializer, responses={201: ConsentSerializer})
    @idempotent
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Ask a second person to agree to a graph, to a rule, or that the endpoint leaves production."""
        endpoint = selectors.get_endpoint(current_user(request), endpoint_id, Permission.ENDPOINT_DEPLOY)
        values = self.parse(ConsentCreateSerializer)
        return Response(ConsentSerializer(ask(endpoint, **values, acting_user=actor_of(request))).data, status=201)


class ConsentForm(forms.Form):
    """What is to be agreed to."""

    what = forms.ChoiceField(label="What")
    rule = forms.CharField(
        label="Rule",
        required=False,
        max_length=64 * 1024,
        widget=forms.Textarea(attrs={"rows": 5, "class": "code", "spellcheck": "false"}),
        help_text="As on the page Routing; for “the rule below” alone.",
    )
    reason = forms.CharField(
        label="Reason",
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What is better about it? Whoever decides reads it.",
    )

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        graphs = [(f"graph:{each.name}", f"The graph {each.name} of the newest commit") for each in declared(project)]
        self.fields["what"].choices = [  # type: ignore[attr-defined]
            (_DECLARED, "The rule that the newest commit declares for this endpoint"),
            (_RULE, "The rule below"),
            *graphs,
            ("stage:staging", "That the endpoint goes from production to staging"),
            ("stage:lab", "That the endpoint goes from production to the lab"),
        ]

    def values(self) -> dict[str, Any]:
        """What `asking.ask` takes. Raises ValidationFailed for a rule that is none."""
        what, reason = self.cleaned_data["what"], self.cleaned_data["reason"]
        kind, _, name = what.partition(":")
        if what == _RULE:
            return {"kind": Kind.RULE, "rule": rule_of(self.cleaned_data["rule"])["rule"], "reason": reason}
        if what == _DECLARED:
            return {"kind": Kind.RULE, "reason": reason}
        return {"kind": kind, "reason": reason, kind: name}


class EndpointConsentView(ActionPage):
    """Ask for consent."""

    permissions = {"GET": Permission.ENDPOINT_DEPLOY, "POST": Permission.ENDPOINT_DEPLOY}
    title, submit, crumb = "Ask for consent at", "Ask", "Consent"
    intro = (
        "What decides at an endpoint of production beside approved models, and that it leaves production, takes a "
        "second person, who agrees to exactly this."
    )

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the form."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_DEPLOY)
        return self.show(endpoint, ConsentForm(endpoint.project))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Ask for it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_DEPLOY)
        form = ConsentForm(endpoint.project, request.POST)
        made, status = self.save(form, lambda _: self._ask(request, endpoint, form))
        if not isinstance(made, Consent):
            return self.show(endpoint, form, status)
        messages.success(request, "Asked for; a second person decides.")
        return redirect("consent", made.pk)

    @staticmethod
    def _ask(request: HttpRequest, endpoint: Endpoint, form: ConsentForm) -> Consent:
        return ask(endpoint, **form.values(), acting_user=actor_of(request))
