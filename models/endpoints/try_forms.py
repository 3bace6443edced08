"""The form with which a person tries an endpoint: one field per column of the signature."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from models.endpoints.taking import Taken
from models.gateway.schemas import example_record
from models.gateway.signature import compile_signature
from modelwright.core.errors import FieldError, PlatformError

WHOLE, NUMBERS = ("integer", "long"), ("double", "float")
MAX_FIELDS = 200
MAX_RECORDS_TEXT = 200_000


class TryForm(forms.Form):
    """Columns as fields where what serves has a signature, else JSON."""

    def __init__(self, taken: Taken, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        signature = taken.signature
        columns = signature["inputs"] if signature else []
        has_fields = 0 < len(columns) <= MAX_FIELDS and all(column["type"] != "tensor" for column in columns)
        self.columns: list[dict[str, Any]] = columns if has_fields else []
        example = taken.example or {}
        for index, column in enumerate(self.columns):
            self.fields[f"column-{index}"] = _field(column, example.get(column["name"]))
        if not self.columns:
            record = example or example_record(compile_signature(signature), None) or {}
            is_tensor = any(column["type"] == "tensor" for column in columns)
            text = json.dumps([record], indent=None if is_tensor else 2, ensure_ascii=False)
            self.fields["records"] = forms.CharField(
                label="Records",
                initial=text,
                max_length=MAX_RECORDS_TEXT,
                help_text="A JSON list of objects, one per record.",
                widget=forms.Textarea(attrs={"class": "code", "rows": 12, "spellcheck": "false"}),
            )

    def clean(self) -> dict[str, Any]:
        """Adds `asked`, the records to ask for."""
        values = super().clean() or {}
        if self.columns:
            values["asked"] = [self._record(values)]
        elif "records" in values:
            values["asked"] = self._parsed(values["records"])
        return values

    def _record(self, values: dict[str, Any]) -> dict[str, Any]:
        record = {}
        for index, column in enumerate(self.columns):
            value = values.get(f"column-{index}")
            record[column["name"]] = None if value in (None, "") else _converted(value, column["type"])
        return record

    def _parsed(self, text: str) -> list[dict[str, Any]]:
        try:
            records = json.loads(text)
        except (ValueError, RecursionError) as error:
            self.add_error("records", f"This is no valid JSON: {error}")
            return []
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            self.add_error("records", 'Write a list of objects, such as [{"column": 1}].')
            return []
        return records

    def explain(self, error: PlatformError) -> None:
        """Put what the gateway found wrong beside the fields that it names."""
        for one in error.errors or (FieldError("", error.message, error.remedy),):
            field, place = self._place_of(one.field)
            self.add_error(field, f"{f'{place}: ' if place else ''}{one.message} {one.remedy}".strip())

    def _place_of(self, path: str) -> tuple[str | None, str]:
        """The field that a path leads into, and where in its value."""
        named = {f"records[0].{column['name']}": f"column-{index}" for index, column in enumerate(self.columns)}
        inside = [name for name in named if path.startswith((f"{name}.", f"{name}["))]
        name = path if path in named else max(inside, key=len, default="")
        return (named[name], path[len(name) :].lstrip(".")) if name else (None, "")


def _field(column: dict[str, Any], example: Any) -> forms.Field:
    kind, required = column["type"], column["required"]
    help_text = f"{kind}{'' if required else ', may be empty'}"
    common: dict[str, Any] = {"label": column["name"], "required": required, "help_text": help_text}
    if kind == "boolean":
        empty = [] if required else [("", "—")]
        shown = None if example is None else json.dumps(example)
        return forms.ChoiceField(choices=[*empty, ("true", "true"), ("false", "false")], initial=shown, **common)
    widget = forms.TextInput(attrs={"autocomplete": "off"})
    if kind in WHOLE or kind in NUMBERS:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    shown = json.dumps(example, ensure_ascii=False) if isinstance(example, (dict, list)) else example
    return forms.CharField(initial="" if shown is None else shown, strip=False, widget=widget, **common)


def _converted(value: Any, kind: str) -> Any:
    """The JSON value that a text stands for; what stands for none is left for the gateway to explain."""
    if not isinstance(value, str):
        return value
    if kind == "boolean":
        return {"true": True, "false": False}.get(value, value)
    try:
        if kind in WHOLE:
            return int(value)
        if kind in NUMBERS:
            return float(value)
        if kind not in ("string", "datetime", "binary"):
            return json.loads(value)
    except ValueError:
        pass
    return value
