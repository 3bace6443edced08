"""Forms of truth: for one prediction, and a table of many. Services decide; these only parse."""

from __future__ import annotations

import json
import time
from typing import Any

from django import forms

from models.gateway.feedback_items import BadItem, read_item
from models.predictions.feedback_services import Placed
from models.predictions.feedback_types import Signature, value_of_text
from models.predictions.models import Prediction
from modelwright.core.errors import PlatformError

MAX_TRUTH = 20_000
PLACE = "truth"


class TruthForm(forms.Form):
    """What turned out to be true of one record of a prediction."""

    truth = forms.CharField(label="What was true", max_length=MAX_TRUTH, widget=forms.TextInput())
    record = forms.IntegerField(label="Record", initial=0, min_value=0, help_text="Counted from 0.")
    happened_at = forms.DateTimeField(
        label="When it happened",
        required=False,
        help_text="If you know; UTC.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        error_messages={"invalid": "This is no date and time. Write it as 2026-01-31 14:05, in UTC."},
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"],
    )

    def __init__(self, prediction: Prediction, signature: Signature, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prediction, self._signature = prediction, signature
        self.fields["truth"].help_text = f"Written as the answer is: {_shown(prediction)}" if prediction.outputs else ""
        if len(prediction.inputs) < 2:
            self.fields["record"].widget = forms.HiddenInput()
            self.fields["record"].required = False

    def clean(self) -> dict[str, Any]:
        """Adds `placed`, the one item."""
        values = super().clean() or {}
        if self.errors:
            return values
        item: dict[str, Any] = {
            "prediction_id": self._prediction.pk.hex,
            "truth": value_of_text(self._signature, values["truth"]),
            "record": values["record"] or 0,
        }
        if values["happened_at"] is not None:
            item["happened_at"] = values["happened_at"].isoformat()
        try:
            values["placed"] = [Placed(PLACE, read_item(item, now=time.time()))]
        except BadItem as bad:
            for fault in bad.faults:
                field = fault.key if fault.key in self.fields else None
                self.add_error(field, f"{fault.message} {fault.remedy}")
        return values

    def explain(self, error: PlatformError) -> None:
        """Put what the service found wrong beside its field."""
        for one in error.errors:
            field = one.field.rpartition(".")[2]
            shown = field if field in self.fields and not self.fields[field].widget.is_hidden else None
            self.add_error(shown, f"{one.message} {one.remedy}".strip())
        if not error.errors:
            self.add_error(None, f"{error.message} {error.remedy}".strip())


class TableForm(forms.Form):
    """A table of truth."""

    file = forms.FileField(
        label="CSV file",
        help_text="Columns: prediction_id, truth; if you like record, happened_at, known_at. Up to 10,000 rows.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )


def _shown(prediction: Prediction) -> str:
    text = json.dumps(prediction.outputs[0], ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
