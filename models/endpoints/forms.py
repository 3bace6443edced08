"""Forms of the endpoint pages. Services decide; these only parse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms

from models.endpoints.estimating import Estimate
from models.endpoints.models import Deployment, Endpoint
from models.endpoints.version_choices import choices_for, why_refused
from models.registry.models import ModelVersion
from workspaces.forms import description_field, name_field

MAX_REASON = 1000


def _reason(*, required: bool, help_text: str) -> forms.CharField:
    return forms.CharField(
        label="Reason",
        max_length=MAX_REASON,
        required=required,
        help_text=help_text,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class EndpointForm(forms.Form):
    """An endpoint to make."""

    name = name_field()
    description = description_field()


class DeployForm(forms.Form):
    """A version to serve."""

    def __init__(self, endpoint: Endpoint, versions: Sequence[ModelVersion], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = str(self.initial.get("model_version", ""))
        self.fields["model_version"] = forms.ChoiceField(
            label="Version",
            choices=choices_for(endpoint, versions),
            help_text=why_refused(endpoint, versions, chosen),
        )
        self.fields["reason"] = _reason(required=False, help_text="What is better about it?")


class RollbackForm(forms.Form):
    """What to go back to, and why."""

    def __init__(self, choices: Iterable[Estimate], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        options = [(str(choice.deployment.pk), f"{_words(choice.deployment)}, {choice.words}") for choice in choices]
        self.fields["deployment"] = forms.ChoiceField(label="Go back to", choices=options)
        self.fields["reason"] = _reason(required=True, help_text="Why? It stands in the time line.")
        self.fields["emergency"] = forms.BooleanField(
            label="It is an emergency",
            required=False,
            help_text="It needs neither checks nor a second person, and the audit log says so. In production it goes "
            "back to what was deployed there, or approved for it once.",
        )


class StopForm(forms.Form):
    """Why an endpoint is stopped."""

    reason = _reason(required=False, help_text="It stands in the audit log.")


class KeyForm(forms.Form):
    """A key to make."""

    name = forms.CharField(label="Name", max_length=100, help_text="The client that will use it, such as shop.")


def _words(deployment: Deployment) -> str:
    versions = ", ".join(str(target.model_version) for target in deployment.targets.all())
    return f"Deployment {deployment.number}: {versions}"
