"""Forms of the model pages. Services decide; these only parse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from models.registry.models import ModelVersion
from workspaces.forms import description_field


class ModelForm(forms.Form):
    """What may be changed of a model."""

    description = description_field()


class AliasForm(forms.Form):
    """An alias and the version that it is to point to."""

    alias = forms.CharField(label="Alias", max_length=255, help_text="Such as champion. It moves if it exists already.")

    def __init__(self, versions: Iterable[ModelVersion], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(version.number), f"Version {version.number}") for version in versions]
        self.fields["version"] = forms.ChoiceField(label="Version", choices=choices)
