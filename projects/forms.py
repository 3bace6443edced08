"""Forms of the project pages. Services decide; these only parse."""

from __future__ import annotations

from typing import Any

from django import forms

from modelwright.accounts.permissions import ProjectRole
from projects.source import MAX_FILE_BYTES, MAX_MESSAGE
from projects.variable_services import MAX_VALUE
from workspaces.forms import description_field, name_field

_CODE = {"class": "code", "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}


class ProjectForm(forms.Form):
    """A project to make."""

    name = name_field()
    description = description_field()


class DescriptionForm(forms.Form):
    """What may be changed of a project."""

    description = description_field()


class MemberForm(forms.Form):
    """A member of the workspace to give a role in the project."""

    role = forms.ChoiceField(
        label="Role",
        choices=[
            (ProjectRole.VIEWER.value, "Viewer: sees everything"),
            (ProjectRole.OPERATOR.value, "Operator: also starts runs, predicts, rolls back"),
            (ProjectRole.CONTRIBUTOR.value, "Contributor: also commits and deploys"),
            (ProjectRole.ADMIN.value, "Administrator: also members, endpoints and keys"),
        ],
    )

    def __init__(self, usernames: list[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"] = forms.ChoiceField(
            label="Member of the workspace", choices=[(name, name) for name in usernames]
        )
        self.order_fields(["username", "role"])


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
        help_text="A secret is kept encrypted and never shown again; runs get it all the same.",
    )


class FileForm(forms.Form):
    """A file to write."""

    path = forms.CharField(
        label="Path",
        max_length=400,
        strip=False,
        help_text="Inside the project, such as src/train.py.",
        widget=forms.TextInput(attrs=_CODE),
    )
    content = forms.CharField(
        label="Content",
        required=False,
        strip=False,
        max_length=MAX_FILE_BYTES,
        widget=forms.Textarea(attrs={**_CODE, "rows": 24, "wrap": "off"}),
    )
    message = forms.CharField(
        label="What changes, and why", max_length=MAX_MESSAGE, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    expected_head = forms.RegexField(r"\A[0-9a-f]{40}\Z", widget=forms.HiddenInput)

    def __init__(self, *args: Any, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_new:
            del self.fields["path"]


class FileDeleteForm(forms.Form):
    """Why a file goes."""

    message = forms.CharField(label="Why it goes", max_length=MAX_MESSAGE)
    expected_head = forms.RegexField(r"\A[0-9a-f]{40}\Z", widget=forms.HiddenInput)
