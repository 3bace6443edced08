"""Forms of the pages of applications. Services decide; these only parse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from modelwright.compute.models import ResourceProfile
from modelwright.compute.words import size_words

_CODE = {"class": "code", "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}


class ApplicationForm(forms.Form):
    """An application to make."""

    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs=_CODE))
    command = forms.CharField(
        label="Command",
        max_length=1000,
        help_text="A script such as app.py, or a program: streamlit run app.py, flask --app app run. "
        "The port to listen at stands in MODELWRIGHT_APP_PORT and under the usual names.",
        widget=forms.TextInput(attrs=_CODE),
    )
    description = forms.CharField(label="Description", required=False, max_length=2000)

    def __init__(self, branches: Iterable[str], profiles: Iterable[ResourceProfile], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["branch"] = forms.ChoiceField(
            label="From branch", choices=[("", "The main one"), *((name, name) for name in branches)], required=False
        )
        choices = [("", "The usual")]
        choices += [(p.name, f"{p.name}: {size_words(p.cpu, p.memory_bytes, p.gpus)}") for p in profiles]
        self.fields["profile"] = forms.ChoiceField(label="Size", choices=choices, required=False)
