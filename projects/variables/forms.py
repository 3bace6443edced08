"""Forms of variables. Services decide; these only parse."""

from __future__ import annotations

from typing import Any

from django import forms

from projects.models import Variable
from projects.variables.services import MAX_VALUE

_CODE = {"class": "code", "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}


class VariableForm(forms.Form):
    """A variable to set."""

    name = forms.CharField(
        label="Name",
        max_length=128,
        help_text="Such as REGION. One that is there already gets the new value.",
        widget=forms.TextInput(attrs=_CODE),
    )
    value = forms.CharField(
        label="Value",
        max_length=MAX_VALUE,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={**_CODE, "rows": 3}),
    )
    is_secret = forms.BooleanField(
        label="Secret",
        required=False,
        initial=True,
        help_text="Kept encrypted and never shown again. From 4 characters on, logs show *** in its place.",
    )
    delivery = forms.ChoiceField(label="Given", choices=Variable.Delivery.choices, required=False)
    description = forms.CharField(label="What it is for", max_length=200, required=False)

    def clean_delivery(self) -> str:
        """The usual one where none is named."""
        return self.cleaned_data["delivery"] or Variable.Delivery.ENVIRONMENT.value

    def hide_secret(self) -> None:
        """Leave what was typed for a secret out of the page that comes back with an error."""
        if self.data.get("is_secret"):
            self.data = {**dict(self.data.items()), "value": ""}


class VariableChangeForm(VariableForm):
    """A variable to change. A secret's value that is left empty stays."""

    def __init__(self, variable: Variable, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._was_secret = variable.is_secret
        del self.fields["name"]
        if variable.is_secret:
            self.fields["value"].help_text = "Leave it empty to keep the value that is there."

    def changes(self) -> dict[str, Any]:
        """What to change."""
        values = dict(self.cleaned_data)
        if self._was_secret and not values["value"]:
            del values["value"]
        return values
