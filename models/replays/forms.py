"""Forms of the pages of replays and drills. Services decide; these only parse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from models.endpoints.version_choices import label_of
from models.registry.models import ModelVersion
from models.replays.models import MOST_REQUESTS, USUAL_REQUESTS, DrillPolicy, ReplayPolicy

_CODE = {"class": "code", "spellcheck": "false", "autocomplete": "off", "autocapitalize": "none"}
_PERCENT = (
    ("max_flip_rate", "Records answered otherwise, at most (%)", True, ""),
    (
        "max_segment_flip_rate",
        "In any segment, at most (%)",
        False,
        "A segment fails where even the lower end of its interval is above. Empty: not judged.",
    ),
    ("max_error_rate", "Records that the candidate cannot answer, at most (%)", True, ""),
    (
        "max_metric_drop",
        "Accuracy may be lower by (points), or the error larger by (%)",
        False,
        "Where truth is known. Empty: not judged.",
    ),
    (
        "numeric_tolerance",
        "Numbers are another answer where they differ by more than (%)",
        True,
        "Of their size.",
    ),
)


class ReplayForm(forms.Form):
    """A replay to start."""

    requests = forms.IntegerField(
        label="Requests",
        min_value=1,
        max_value=MOST_REQUESTS,
        initial=USUAL_REQUESTS,
        help_text="The newest on record that another version answered. Shadows, batch jobs and redacted requests are "
        "left out.",
    )

    def __init__(self, versions: Iterable[ModelVersion], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(version.pk), label_of(version)) for version in versions]
        self.fields["model_version"] = forms.ChoiceField(label="Candidate", choices=choices)
        self.order_fields(["model_version", "requests"])


class ReplayPolicyForm(forms.Form):
    """What replays must come to; shares are given in percent."""

    min_requests = forms.IntegerField(
        label="Newest requests to ask, at least",
        min_value=1,
        max_value=MOST_REQUESTS,
        help_text="Whoever starts a replay cannot take fewer. Where fewer are on record, all are asked.",
    )
    min_rows = forms.IntegerField(
        label="Records to be replayed, at least", min_value=1, max_value=100_000, help_text="Fewer prove nothing."
    )
    max_latency_factor = forms.FloatField(
        label="The median request may take so many times as long",
        required=False,
        min_value=0.1,
        help_text="Both versions are timed in the same way. Empty: not judged.",
    )
    segment_columns = forms.CharField(
        label="Columns to look at by segment",
        required=False,
        max_length=5000,
        widget=forms.TextInput(attrs=_CODE),
        help_text="Between commas, such as `region, age`. Empty: all that lend themselves to it.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label, required, help_text in _PERCENT:
            self.fields[name] = forms.FloatField(
                label=label, required=required, min_value=0, max_value=100, help_text=help_text
            )
        self.order_fields(["min_requests", "min_rows", *(name for name, *_ in _PERCENT)])

    def values(self) -> dict[str, Any]:
        """What was given, as the service takes it."""
        found = dict(self.cleaned_data)
        for name, *_ in _PERCENT:
            found[name] = None if found[name] is None else round(found[name] / 100, 10)
        found["segment_columns"] = [part.strip() for part in found["segment_columns"].split(",") if part.strip()]
        return found

    @staticmethod
    def shown(policy: ReplayPolicy) -> dict[str, Any]:
        """What the form shows first."""
        shares = {name: getattr(policy, name) for name, *_ in _PERCENT}
        return {
            "min_requests": policy.min_requests,
            "min_rows": policy.min_rows,
            "max_latency_factor": policy.max_latency_factor,
            "segment_columns": ", ".join(policy.segment_columns),
            **{name: None if share is None else round(100 * share, 8) for name, share in shares.items()},
        }


class DrillPolicyForm(forms.Form):
    """When the way back is proved."""

    schedule = forms.CharField(
        label="Schedule",
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs=_CODE),
        help_text="Five cron fields in UTC: `30 4 * * 0` is 04:30 on Sundays. Empty: by hand alone.",
    )
    max_seconds = forms.IntegerField(
        label="Seconds until the last answer, at most",
        required=False,
        min_value=1,
        max_value=86_400,
        help_text="A drill that takes longer fails. Empty: as long as it takes.",
    )
    golden_requests = forms.IntegerField(
        label="Golden requests", min_value=1, max_value=500, help_text="What people pinned, then the newest on record."
    )

    @staticmethod
    def shown(policy: DrillPolicy) -> dict[str, Any]:
        """What the form shows first."""
        return {name: getattr(policy, name) for name in ("schedule", "max_seconds", "golden_requests")}


class PinForm(forms.Form):
    """A prediction to pin."""

    prediction_id = forms.UUIDField(
        label="Prediction",
        widget=forms.TextInput(attrs=_CODE),
        help_text="Its id, as on its page.",
        error_messages={
            "invalid": "This is no prediction's id. Copy it from the prediction's page: 32 digits and letters."
        },
    )
    note = forms.CharField(label="Why", required=False, max_length=200, help_text="Such as: a borderline case.")
