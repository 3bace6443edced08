"""Forms of the workspace pages. Services decide; these only parse."""

from __future__ import annotations

from typing import Any, cast

from django import forms

from modelwright.accounts.permissions import WorkspaceRole
from modelwright.compute.joining_forms import LabelsField
from modelwright.compute.selectors import profiles
from workspaces.connection_kinds import KINDS, MAX_TEXT, SECRETS
from workspaces.connection_services import MAX_SECRET
from workspaces.models import SMALLEST_CPU

MAX_DESCRIPTION = 5000
_NAME_HELP = "Small letters, digits and hyphens. It stands in addresses and cannot be changed later."


def name_field(label: str = "Name") -> forms.CharField:
    """A name of the platform."""
    widget = forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"})
    return forms.CharField(label=label, max_length=63, help_text=_NAME_HELP, widget=widget)


def description_field() -> forms.CharField:
    """A description."""
    return forms.CharField(
        label="Description", max_length=MAX_DESCRIPTION, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )


class LimitsForm(forms.Form):
    """Description and limits of a workspace."""

    description = description_field()
    cpu_limit = forms.FloatField(
        label="CPUs",
        min_value=SMALLEST_CPU,
        max_value=1_000_000,
        required=False,
        help_text="That its runs and replicas may use together. Empty for no limit.",
    )
    memory_limit_mib = forms.IntegerField(
        label="Memory in MiB", min_value=1, max_value=2_147_483_647, required=False, help_text="Empty for no limit."
    )
    gpu_limit = forms.IntegerField(
        label="GPUs", min_value=0, max_value=32_767, required=False, help_text="Empty for no limit, 0 for none."
    )
    concurrent_runs_limit = forms.IntegerField(
        label="Runs at the same time",
        min_value=1,
        max_value=2_147_483_647,
        required=False,
        help_text="Empty for no limit.",
    )

    profiles = forms.MultipleChoiceField(
        label="Sizes that its runs may ask for",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: all of them.",
    )
    host_labels = LabelsField(
        label="Labels of its hosts",
        required=False,
        max_length=4000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 2, "class": "code"}),
        help_text="One on each line, such as zone=a. Its workloads go only to hosts with all of them; empty for any.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [profile.name for profile in profiles()]
        # One that is gone stays on offer where it is set, so that saving does not open the workspace to all sizes.
        gone = [name for name in self.initial.get("profiles") or [] if name not in names]
        choices = [(name, name) for name in names] + [(name, f"{name} (deleted)") for name in gone]
        cast(forms.MultipleChoiceField, self.fields["profiles"]).choices = choices


class WorkspaceForm(LimitsForm):
    """A workspace to make."""

    name = name_field()
    field_order = ["name", "description"]


class DescriptionForm(forms.Form):
    """The description alone, for whoever may not change limits."""

    description = description_field()


class MemberForm(forms.Form):
    """A person to add."""

    username = forms.CharField(
        label="User name",
        max_length=63,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    role = forms.ChoiceField(
        label="Role",
        choices=[(WorkspaceRole.MEMBER.value, "Member"), (WorkspaceRole.ADMIN.value, "Administrator")],
        help_text="Members make projects. Administrators administer the workspace and every project in it.",
    )


_LABELS = {
    "url": "Address",
    "endpoint_url": "Address of the store",
    "username": "User name",
    "sslmode": "SSL mode",
    "access_key_id": "Id of the access key",
}


class ConnectionForm(forms.Form):
    """A data connection of one kind; `config` holds its entries, which stand in fields called `config.<entry>`."""

    def __init__(self, kind: str, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        if is_new:
            self.fields["name"] = name_field()
        self.fields["description"] = description_field()
        for entry, facts in KINDS[kind].items():
            label = _LABELS.get(entry) or entry.replace("_", " ").capitalize()
            self.fields[f"config.{entry}"] = forms.CharField(
                label=label, max_length=MAX_TEXT, required=facts.required, help_text=f"Give {facts.form}."
            )
        if SECRETS[kind]:
            help_text = "Kept encrypted and never shown again." + (
                "" if is_new else " Leave empty to keep the one there is."
            )
            self.fields["secret"] = forms.CharField(
                label=f"Secret: {SECRETS[kind]}",
                max_length=MAX_SECRET,
                required=False,
                strip=False,
                help_text=help_text,
                widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
            )

    def values(self) -> dict[str, Any]:
        """The values as the services take them. An empty secret is left out."""
        cleaned = self.cleaned_data
        config = {name.removeprefix("config."): v for name, v in cleaned.items() if name.startswith("config.")}
        own: dict[str, Any] = {name: cleaned[name] for name in ("name", "description") if name in cleaned}
        secret = {"secret": cleaned["secret"]} if cleaned.get("secret") else {}
        return {**own, **secret, "config": {name: value for name, value in config.items() if value}}
