"""Pages: what may be changed of an endpoint."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from models.endpoints.action_views import ActionPage
from models.endpoints.changing import LONGEST_RETENTION_DAYS, change_endpoint, columns_of
from models.endpoints.models import Endpoint
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.compute.models import ResourceProfile
from modelwright.compute.words import size_words
from workspaces.forms import description_field


class EndpointSettingsForm(forms.Form):
    """What an endpoint's administrators may change."""

    description = description_field()
    stage = forms.ChoiceField(
        label="Stage",
        choices=Endpoint.Stage.choices,
        help_text="At staging and in production only versions answer that were approved for it. What serves must be "
        "approved before the stage can be raised.",
    )
    serving_path = forms.ChoiceField(
        label="Answer by",
        choices=Endpoint.ServingPath.choices,
        help_text="A compiled model is served only where it was proved to give the same answers.",
    )
    profile = forms.ChoiceField(
        label="Size of each replica",
        required=False,
        help_text="Holds for replicas that start from now on; those that run keep theirs. With GPUs the original model "
        "answers.",
    )
    retention_days = forms.IntegerField(
        label="Keep predictions for (days)", required=False, min_value=1, max_value=LONGEST_RETENTION_DAYS
    )

    reason = forms.CharField(
        label="Reason",
        max_length=1000,
        required=False,
        help_text="Needed where the endpoint leaves production, besides a second person's consent.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, endpoint: Endpoint, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["profile"].choices = _sizes(endpoint)  # type: ignore[attr-defined]  # of a ChoiceField
        self.fields["retention_days"].help_text = f"Left empty: {default_words()}. Older ones are deleted for good."
        self._columns = columns_of(endpoint)
        self.fields["redacted_columns"] = forms.MultipleChoiceField(
            label="Columns with personal data",
            required=False,
            choices=[(str(number), name or "(the nameless input)") for number, name in enumerate(self._columns)],
            widget=forms.CheckboxSelectMultiple,
            help_text="From now on their values are kept off the record: only a keyed digest is, so that equal values "
            "can still be told from different ones. What is on record already stays as it is until it is deleted."
            if self._columns
            else "The endpoint serves nothing with named columns yet.",
        )
        self.order_fields([name for name in self.fields if name != "reason"])

    def clean_redacted_columns(self) -> list[str]:
        """The names of the columns."""
        return [self._columns[int(number)] for number in self.cleaned_data["redacted_columns"]]

    @staticmethod
    def values_of(endpoint: Endpoint) -> dict[str, Any]:
        """What the form shows first."""
        columns = columns_of(endpoint)
        return {
            "description": endpoint.description,
            "stage": endpoint.stage,
            "serving_path": endpoint.serving_path,
            "profile": endpoint.profile,
            "retention_days": endpoint.retention_days,
            "redacted_columns": [str(columns.index(name)) for name in endpoint.redacted_columns],
        }


def _sizes(endpoint: Endpoint) -> list[tuple[str, str]]:
    """Those that there are; the endpoint's own also where it is no more."""
    usual = Endpoint()
    found = {"": f"The usual: {size_words(usual.cpu, usual.memory_bytes)}"}
    if endpoint.profile:
        found[endpoint.profile] = endpoint.profile
    for one in ResourceProfile.objects.order_by("name"):
        found[one.name] = f"{one.name}: {size_words(one.cpu, one.memory_bytes, one.gpus)}"
    return list(found.items())


def default_words() -> str:
    """How long predictions are kept where the endpoint does not say, in words."""
    days = settings.PREDICTION_RETENTION_DAYS
    return f"the installation's {days} days" if days else "for ever, the installation's default"


class EndpointSettingsView(ActionPage):
    """Change an endpoint."""

    permissions = {"GET": Permission.ENDPOINT_MANAGE, "POST": Permission.ENDPOINT_MANAGE}
    title, submit, crumb = "Settings of", "Save", "Settings"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the form."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        return self.show(endpoint, EndpointSettingsForm(endpoint, initial=EndpointSettingsForm.values_of(endpoint)))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Save it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        form = EndpointSettingsForm(endpoint, request.POST)
        changed, status = self.save(
            form, lambda values: change_endpoint(endpoint, **values, acting_user=actor_of(request))
        )
        if changed is None:
            return self.show(endpoint, form, status)
        messages.success(request, "The settings are saved; the gateway knows them within a second or so.")
        return redirect("endpoint", endpoint.pk)
