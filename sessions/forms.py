"""Forms of the pages of sessions. Services decide; these only parse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms

from modelwright.compute.models import ResourceProfile
from modelwright.compute.words import size_words

_CODE = {"class": "code", "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}
HOURS = 3600


class StartForm(forms.Form):
    """A session to start."""

    commit = forms.CharField(
        label="Commit",
        required=False,
        max_length=64,
        help_text="Full id of an older commit; the newest of the branch where it is left empty.",
        widget=forms.TextInput(attrs=_CODE),
    )
    idle_hours = forms.FloatField(
        label="Ends when idle for (hours)",
        required=False,
        min_value=0.02,
        max_value=720,
        help_text="A kernel at work is not idle. Two hours where it is left empty.",
    )
    life_hours = forms.FloatField(
        label="Ends in any case after (hours)",
        required=False,
        min_value=0.02,
        max_value=720,
        help_text="A day where it is left empty. It can be resumed with what was saved.",
    )

    def __init__(
        self,
        branches: Iterable[str],
        profiles: Iterable[ResourceProfile],
        images: Sequence[str],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """`images` are patterns of ready images; without any there is no field for one."""
        super().__init__(*args, **kwargs)
        if images:
            self.fields["image"] = forms.CharField(
                label="Image",
                required=False,
                max_length=255,
                help_text="A ready image that has JupyterLab and Git, in place of an environment made from the "
                f"requirements: {', '.join(images)}.",
                widget=forms.TextInput(attrs=_CODE),
            )
        self.fields["branch"] = forms.ChoiceField(
            label="From branch", choices=[(name, name) for name in branches], required=False
        )
        choices = [("", "The usual")]
        choices += [(p.name, f"{p.name}: {size_words(p.cpu, p.memory_bytes, p.gpus)}") for p in profiles]
        self.fields["profile"] = forms.ChoiceField(label="Size", choices=choices, required=False)
        self.order_fields(["branch", "commit", "profile", "image", "idle_hours", "life_hours"])

    @staticmethod
    def asked(values: dict[str, Any]) -> dict[str, Any]:
        """The values as `services.SessionRequest` takes them."""
        asked = {name: values.get(name) or "" for name in ("commit", "branch", "profile", "image")}
        hours = {"idle_seconds": values.get("idle_hours"), "life_seconds": values.get("life_hours")}
        return {**asked, **{name: max(60, round(given * HOURS)) for name, given in hours.items() if given}}


class StopForm(forms.Form):
    """Why a session is stopped."""

    reason = forms.CharField(label="Reason", required=False, max_length=1000, help_text="Stands in the audit trail.")


class CommitForm(forms.Form):
    """What to say of a commit, and what the person has seen of what it holds."""

    message = forms.CharField(label="Message", max_length=5000, help_text="What it does, and why.")
    expected = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)


class DeleteForm(forms.Form):
    """Whether work may be lost."""

    discard = forms.BooleanField(label="Throw away what is not committed or not merged", required=False)


class PackagesForm(forms.Form):
    """Packages to write into the requirements."""

    packages = forms.MultipleChoiceField(choices=[], widget=forms.CheckboxSelectMultiple)

    def __init__(self, installed: Iterable[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["packages"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - declared above
        field.choices = [(one, one) for one in installed]


class PolicyForm(forms.Form):
    """What a project wants of its sessions."""

    records_commands = forms.BooleanField(
        label="Put cells and lines of terminals on record",
        required=False,
        help_text="For sessions that start from now on. Owners, administrators of the project and auditors read it.",
    )
