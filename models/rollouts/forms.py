"""Forms of the pages of rollouts. Services decide; these only parse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from models.endpoints.models import Endpoint
from models.endpoints.version_choices import choices_for, why_refused
from models.registry.models import ModelVersion
from models.rollouts.conditions import Conditions
from models.rollouts.models import Rollout
from models.rollouts.plan import USUAL, Strategy

MAX_REASON = 1000
_CODE = {"class": "code", "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}
_USUAL = Conditions()


def _share(label: str, initial: float | None, help_text: str) -> forms.FloatField:
    """A share of requests, in percent on the page; empty where it is not watched."""
    percent = None if initial is None else 100 * initial
    return forms.FloatField(
        label=label, required=False, min_value=0, max_value=100, initial=percent, help_text=help_text
    )


class RolloutForm(forms.Form):
    """A rollout to start."""

    model_version = forms.ChoiceField(label="Version")
    strategy = forms.ChoiceField(label="Strategy", choices=Rollout.Strategy.choices)
    steps = forms.CharField(
        label="Steps",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={**_CODE, "rows": 4}),
        help_text="One a line: percent of the requests, minutes, and least requests that the new version must have got,"
        " such as `5 10 100`. Empty for the usual ones of the strategy.",
    )
    assign_by = forms.ChoiceField(
        label="Same version for the same",
        required=False,
        choices=[("", "Nobody: each request is drawn"), ("header", "Header"), ("column", "Column of the input")],
        help_text="An A/B test needs it.",
    )
    assign_name = forms.CharField(
        label="Name of header or column",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=_CODE),
        help_text="Such as `x-user-id`.",
    )
    min_requests = forms.IntegerField(
        label="Judge from so many requests on", min_value=1, initial=_USUAL.min_requests, help_text="Of each version."
    )
    max_error_rate = _share("Failed requests, % at most", _USUAL.max_error_rate, "Empty: not watched.")
    no_more_errors_than_base = forms.BooleanField(
        label="No more failures than the version before", required=False, initial=True
    )
    max_p99_ratio = forms.FloatField(
        label="Latency, at most so many times the version before",
        required=False,
        min_value=1,
        max_value=1000,
        initial=_USUAL.max_p99_ratio,
        help_text="Of the 99th percentile. Empty: not watched.",
    )
    max_answer_shift = _share(
        "Share of each answer, may differ by %",
        _USUAL.max_answer_shift,
        "Against the version before. Empty: not watched.",
    )
    max_fallback_rate = _share("Answered by the fallback, % at most", _USUAL.max_fallback_rate, "Empty: not watched.")
    max_replica_deaths = forms.IntegerField(
        label="Replicas that may die",
        required=False,
        min_value=0,
        max_value=1000,
        initial=_USUAL.max_replica_deaths,
        help_text="Empty: not watched.",
    )
    reason = forms.CharField(
        label="Reason",
        required=False,
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What is better about it? It stands in the time line.",
    )

    def __init__(self, endpoint: Endpoint, versions: Sequence[ModelVersion], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = str(self.initial.get("model_version", ""))
        words = why_refused(endpoint, versions, chosen)
        self.fields["model_version"] = forms.ChoiceField(
            label="Version",
            choices=choices_for(endpoint, versions),
            help_text=f"{words} A shadow needs no approval." if words else "",
        )

    def clean_steps(self) -> list[dict[str, float]] | None:
        """Each line as a step."""
        lines = [line.split() for line in self.cleaned_data["steps"].splitlines() if line.strip()]
        names = ("weight", "minutes", "requests")
        found = []
        for number, words in enumerate(lines, start=1):
            if not 2 <= len(words) <= len(names):
                raise forms.ValidationError(f"Line {number} is no step. Give percent, minutes and requests.")
            try:
                values = [float(word) for word in words]
            except ValueError:
                raise forms.ValidationError(f"Line {number} has a word that is no number.") from None
            found.append(dict(zip(names, values, strict=False)))
        return found or None

    def assign(self) -> dict[str, str] | None:
        """By what units are told apart."""
        by, name = self.cleaned_data["assign_by"], self.cleaned_data["assign_name"].strip()
        return {"by": by, "name": name.lower() if by == "header" else name} if by else None

    def conditions(self) -> dict[str, Any]:
        """The conditions, shares from 0 to 1."""
        found = {name: self.cleaned_data[name] for name in _USUAL.as_json() if name in self.cleaned_data}
        for name in ("max_error_rate", "max_answer_shift", "max_fallback_rate"):
            found[name] = None if found[name] is None else found[name] / 100
        return found


class ReasonForm(forms.Form):
    """Why."""

    reason = forms.CharField(
        label="Reason",
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="It stands in the time line.",
    )


def usual_words() -> list[tuple[str, str]]:
    """What each strategy does if no steps are given, in words."""
    what = {
        Strategy.CANARY: "more and more of the requests, then all of them",
        Strategy.BLUE_GREEN: "is asked by the platform first, then gets all requests at once",
        Strategy.SHADOW: "is asked after the answer is out, and answers no client",
        Strategy.AB: "answers some units, the version before the others; ends without a winner",
    }
    return [(Rollout.Strategy(each).label, f"{what[each]}: {_steps_words(each)}") for each in Strategy]


def _steps_words(strategy: Strategy) -> str:
    return ", ".join(f"{step.weight} % for {_minutes(step.minutes)}" for step in USUAL[strategy])


def _minutes(minutes: float) -> str:
    """`10 min`, `1 hour`, `7 days`."""
    for name, length in (("day", 24 * 60), ("hour", 60)):
        if minutes >= length and minutes % length == 0:
            count = int(minutes // length)
            return f"{count} {name}" + ("" if count == 1 else "s")
    return f"{minutes:g} min"
