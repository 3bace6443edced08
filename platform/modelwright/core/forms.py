"""Forms of pages: the same error from a service stands beside its field."""

from __future__ import annotations

from django import forms

from modelwright.core.errors import PlatformError


def show_problem(form: forms.BaseForm, error: PlatformError) -> None:
    """Put `error` beside the fields that it names, or above the form. The form must have been validated."""
    for one in error.errors:
        # What is wrong with a hidden field can only be read above the form.
        is_shown = one.field in form.fields and not form.fields[one.field].widget.is_hidden
        field = one.field if is_shown else None
        form.add_error(field, f"{one.message} {one.remedy}".strip())
    if not error.errors:
        form.add_error(None, f"{error.message} {error.remedy}".strip())
