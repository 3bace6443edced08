"""Forms of the project pages. Services decide; these only parse."""

from __future__ import annotations

from typing import Any

from django import forms

from modelwright.accounts.permissions import ProjectRole
from projects.source import MAX_FILE_BYTES, MAX_MESSAGE
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


class FileForm(forms.Form):
    """A file to write; `path` is empty for a new one."""

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

    def __init__(self, *args: Any, path: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["content"].widget.attrs["data-editor"] = path
        if path:
            del self.fields["path"]


class FileDeleteForm(forms.Form):
    """Why a file goes."""

    message = forms.CharField(label="Why it goes", max_length=MAX_MESSAGE)
    expected_head = forms.RegexField(r"\A[0-9a-f]{40}\Z", widget=forms.HiddenInput)
