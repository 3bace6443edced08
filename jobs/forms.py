"""Forms of the pages of jobs and runs. Services decide; these only parse."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from jobs.models import MOST_RETRIES
from modelwright.compute.models import ResourceProfile
from modelwright.compute.words import size_words
from workspaces.forms import description_field, name_field

_CODE = {"class": "code", "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}
LONGEST_TIMEOUT_MINUTES = 30 * 24 * 60


class ArgumentsField(forms.CharField):
    """Command-line arguments as one would type them; a list of texts."""

    widget = forms.TextInput(attrs=_CODE)

    def prepare_value(self, value: Any) -> Any:
        """Show a list as it would be typed."""
        return shlex.join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Return the list. Raises ValidationError where a quotation mark is left open."""
        text = super().clean(value) or ""
        try:
            return shlex.split(text)
        except ValueError:
            raise forms.ValidationError("A quotation mark is not closed. Close each of them.") from None


class PairsField(forms.CharField):
    """One `name = value` a line; a dict. With `typed`, numbers and true or false become such."""

    widget = forms.Textarea(attrs={**_CODE, "rows": 3})

    def __init__(self, *args: Any, typed: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.typed = typed

    def prepare_value(self, value: Any) -> Any:
        """Show a dict as lines."""
        return "\n".join(f"{k} = {v}" for k, v in value.items()) if isinstance(value, dict) else value

    def clean(self, value: Any) -> Any:
        """Return the dict. Raises ValidationError that names the line."""
        pairs: dict[str, Any] = {}
        for number, line in enumerate((super().clean(value) or "").splitlines(), 1):
            name, equals, text = line.partition("=")
            if not line.strip():
                continue
            if not equals or not name.strip():
                raise forms.ValidationError(f"Line {number} is not `name = value`.")
            if name.strip() in pairs:
                raise forms.ValidationError(f"Line {number} gives {name.strip()[:60]} again. Give each name once.")
            pairs[name.strip()] = _typed(text.strip()) if self.typed else text.strip()
        return pairs


def _typed(text: str) -> str | int | float | bool:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool) else text


def _profile_field(profiles: Iterable[ResourceProfile]) -> forms.ChoiceField:
    choices = [("", "The usual")]
    choices += [(p.name, f"{p.name}: {size_words(p.cpu, p.memory_bytes, p.gpus)}") for p in profiles]
    return forms.ChoiceField(label="Size", choices=choices, required=False)


def retries_field() -> forms.IntegerField:
    """How often to try again."""
    return forms.IntegerField(
        label="Retries",
        required=False,
        min_value=0,
        max_value=MOST_RETRIES,
        help_text="How often a run is tried again when its host is lost. Not at all where it is left empty.",
    )


class StartForm(forms.Form):
    """A run of a job to start."""

    parameters = PairsField(
        label="Parameters",
        required=False,
        typed=True,
        help_text="One `name = value` a line. Each is appended to the arguments as --name value.",
    )
    commit = forms.CharField(
        label="Commit",
        required=False,
        max_length=64,
        help_text="Full id of an older commit; the newest where it is left empty.",
        widget=forms.TextInput(attrs=_CODE),
    )


class ScriptForm(StartForm):
    """A run of a script to start."""

    arguments = ArgumentsField(label="Arguments", required=False, max_length=4000, help_text="As one would type them.")
    retries = retries_field()

    def __init__(self, scripts: Iterable[str], profiles: Iterable[ResourceProfile], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["script"] = forms.ChoiceField(label="Script", choices=[(path, path) for path in scripts])
        self.fields["profile"] = _profile_field(profiles)
        self.order_fields(["script", "arguments", "parameters", "profile", "retries", "commit"])


class JobForm(forms.Form):
    """What may be changed of a job."""

    description = description_field()
    script = forms.CharField(
        label="Script",
        max_length=500,
        help_text="Path of a Python file in the project, such as train.py.",
        widget=forms.TextInput(attrs=_CODE),
    )
    arguments = ArgumentsField(
        label="Arguments", required=False, max_length=4000, help_text="As one would type them: --rows 100"
    )
    variables = PairsField(
        label="Environment variables",
        required=False,
        help_text="One `NAME = value` a line. Secrets belong to the project's variables.",
    )
    timeout_minutes = forms.FloatField(
        label="Time limit in minutes",
        required=False,
        min_value=0.02,
        max_value=LONGEST_TIMEOUT_MINUTES,
        help_text="A day where it is left empty.",
    )
    image = forms.CharField(
        label="Image",
        required=False,
        max_length=255,
        help_text="A ready image of an administrator, in place of an environment made from the requirements.",
        widget=forms.TextInput(attrs=_CODE),
    )
    retries = retries_field()
    retry_failed = forms.BooleanField(label="Try again also when the script itself failed", required=False)
    schedule = forms.CharField(
        label="Schedule",
        required=False,
        max_length=100,
        help_text="Five cron fields in UTC: `30 6 * * 1-5` is 06:30 on weekdays. Empty for none.",
        widget=forms.TextInput(attrs=_CODE),
    )
    is_active = forms.BooleanField(label="Switched on", required=False, initial=True)

    def __init__(
        self,
        profiles: Iterable[ResourceProfile],
        others: Iterable[str],
        *args: Any,
        is_new: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["profile"] = _profile_field(profiles)
        self.fields["runs_after"] = forms.ChoiceField(
            label="Runs after",
            choices=[("", "No other job"), *((name, name) for name in others)],
            required=False,
            help_text="Starts whenever that job has succeeded, at the same commit.",
        )
        order = ["description", "script", "arguments", "variables", "profile", "image", "timeout_minutes"]
        order += ["retries", "retry_failed", "schedule"]
        if is_new:
            self.fields["name"] = name_field()
            order.insert(0, "name")
        self.order_fields([*order, "runs_after", "is_active"])

    @staticmethod
    def changes(values: Mapping[str, Any]) -> dict[str, Any]:
        """The values as `services.change_job` takes them."""
        changes = {name: value for name, value in values.items() if name != "timeout_minutes"}
        minutes = values.get("timeout_minutes")
        changes["retries"] = values.get("retries") or 0
        return {**changes, "timeout_seconds": None if minutes is None else max(1, round(minutes * 60))}


class CancelForm(forms.Form):
    """Why a run is cancelled."""

    reason = forms.CharField(label="Reason", required=False, max_length=1000, help_text="Stands in the audit trail.")
