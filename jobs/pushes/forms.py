"""Forms of what starts jobs on a push. Services decide; these only parse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from jobs.models import PushStart
from workspaces.forms import description_field, name_field


class PushStartForm(forms.Form):
    """One to make; what is there already keeps its name and where the push happens."""

    name = name_field()
    via = forms.ChoiceField(label="Pushes to", choices=PushStart.Via.choices)
    branch = forms.CharField(
        label="Branch", required=False, max_length=255, help_text="Such as main; every branch where it is left empty."
    )
    description = description_field()
    is_active = forms.BooleanField(label="Switched on", required=False, initial=True)

    def __init__(self, jobs: Iterable[str], *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["job"] = forms.ChoiceField(label="Job to start", choices=[(name, name) for name in jobs])
        for name in ("is_active",) if is_new else ("name", "via"):
            del self.fields[name]
        self.order_fields(["name", "via", "branch", "job", "description", "is_active"])
