"""Forms of pages: the same error from a service stands beside its field."""

from __future__ import annotations

import re

from django import forms

from modelwright.core.errors import PlatformError


def show_problem(form: forms.BaseForm, error: PlatformError) -> None:
    """Put `error` beside the fields that it names, or above the form. The form must have been validated."""
    for one in error.errors:
        field, entry = _place(form, one.field)
        form.add_error(field, " ".join(filter(None, [entry and f"{entry}:", one.message, one.remedy])))
    if not error.errors:
        form.add_error(None, f"{error.message} {error.remedy}".strip())


def _place(form: forms.BaseForm, name: str) -> tuple[str | None, str]:
    """The form's field that `name` speaks of, None for above the form, and which entry of it: `variables.PATH`."""
    field, *entry = [name] if name in form.fields else re.split(r"[.\[]", name, maxsplit=1)
    # What is wrong with a hidden field can only be read above the form.
    is_shown = field in form.fields and not form.fields[field].widget.is_hidden
    return (field, "".join(entry).rstrip("]")) if is_shown else (None, "")
