"""Forms of the pages of sinks. Services decide; these only parse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from models.endpoints.models import Endpoint
from models.events.guarding import MOST_CHARACTERS
from models.events.models import Family, Sink
from models.events.services import NEWEST, OLDEST
from workspaces.forms import description_field, name_field


class SinkForm(forms.Form):
    """Where events go and which."""

    description = description_field()
    url = forms.CharField(
        label="Address",
        max_length=MOST_CHARACTERS,
        help_text="Such as https://events.example.org/in. Events are posted there; 200 to 299 takes them.",
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    mode = forms.ChoiceField(label="Send", choices=Sink.Mode.choices)
    families = forms.MultipleChoiceField(
        label="Events", choices=Family.choices, widget=forms.CheckboxSelectMultiple, initial=Family.values
    )

    def __init__(self, endpoints: Iterable[Endpoint], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["endpoint_ids"] = forms.MultipleChoiceField(
            label="Endpoints",
            required=False,
            choices=[(str(endpoint.pk), endpoint.name) for endpoint in endpoints],
            widget=forms.CheckboxSelectMultiple,
            help_text="None chosen: of all there are and will be, and what is of no endpoint, such as approvals.",
        )


class NewSinkForm(SinkForm):
    """A sink to add."""

    name = name_field()
    start = forms.ChoiceField(
        label="Begin",
        choices=[(NEWEST, "With what comes from now on"), (OLDEST, "With the oldest event that is still kept")],
    )
    field_order = ("name", "description", "url", "mode", "families", "endpoint_ids", "start")

    def __init__(self, endpoints: Iterable[Endpoint], *args: Any, **kwargs: Any) -> None:
        super().__init__(endpoints, *args, **kwargs)
        self.order_fields(self.field_order)


class ReasonForm(forms.Form):
    """Why."""

    reason = forms.CharField(label="Reason", required=False, max_length=1000, help_text="Stands in the audit trail.")
