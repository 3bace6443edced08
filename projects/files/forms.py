"""Forms of the pages of a project's files. Services decide; these only parse."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from projects.source import MAX_FILE_BYTES, MAX_MESSAGE

_CODE = {"class": "code", "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}


class OnTopForm(forms.Form):
    """What every write of files says."""

    message = forms.CharField(
        label="What changes, and why", max_length=MAX_MESSAGE, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    expected_head = forms.RegexField(r"\A[0-9a-f]{40}\Z", widget=forms.HiddenInput)


class RenameForm(OnTopForm):
    """Another path for a file."""

    new_path = forms.CharField(
        label="New path",
        max_length=400,
        strip=False,
        help_text="Inside the project. Another folder moves the file there.",
        widget=forms.TextInput(attrs=_CODE),
    )
    field_order = ["new_path", "message"]


class _ManyFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True
    template_name = "django/forms/widgets/file.html"


class _ManyFilesField(forms.FileField):
    """Several files; each is checked as one is."""

    widget = _ManyFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[bytes]]:
        given = data if isinstance(data, list | tuple) else [data]
        return [super(_ManyFilesField, self).clean(one, initial) for one in given or [None]]


class UploadForm(OnTopForm):
    """Files to commit into a folder."""

    uploads = _ManyFilesField(
        label="Files",
        allow_empty_file=True,
        help_text=f"One or several, each of at most {MAX_FILE_BYTES // 1024**2} MiB, 20 MiB together.",
    )
    replace = forms.BooleanField(label="Replace files of the same name", required=False)
    field_order = ["uploads", "replace", "message"]


class CompareForm(forms.Form):
    """Two versions to compare."""

    base = forms.CharField(label="From", max_length=120, widget=forms.TextInput(attrs={**_CODE, "list": "versions"}))
    target = forms.CharField(
        label="To",
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={**_CODE, "list": "versions"}),
    )
