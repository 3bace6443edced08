"""The form with which an endpoint is tried."""

from __future__ import annotations

from typing import Any

from models.endpoints.taking import Taken
from models.endpoints.try_forms import TryForm
from models.registry.models import ModelVersion
from modelwright.core.errors import FieldError, ValidationFailed

COLUMNS: list[dict[str, Any]] = [
    {"name": "item", "type": "object", "required": True, "properties": {"price": {"type": "double"}}},
    {"name": "item.more", "type": "array", "required": True, "items": {"type": "long"}},
]
RECORD = {"item": {"price": 1.5, "note": 'a "quoted" text'}, "item.more": [1, 2]}


def form(data: Any = None) -> TryForm:
    return TryForm(Taken({"inputs": COLUMNS}, RECORD, ModelVersion()), data)


def test_an_example_with_objects_and_lists_can_be_sent_as_it_is_shown() -> None:
    shown = {name: field.initial for name, field in form().fields.items()}
    filled = form(shown)
    assert filled.is_valid()
    assert filled.cleaned_data["asked"] == [RECORD]


def test_what_is_wrong_inside_of_a_value_stands_beside_its_field_with_its_place() -> None:
    filled = form({name: field.initial for name, field in form().fields.items()})
    filled.is_valid()
    places = ("records[0].item.price", "records[0].item.more[1]", "records[0].item.more")
    filled.explain(ValidationFailed("It does not fit.", errors=tuple(FieldError(p, "Wrong.", "Mend.") for p in places)))
    assert filled.errors == {
        "column-0": ["price: Wrong. Mend."],
        "column-1": ["[1]: Wrong. Mend.", "Wrong. Mend."],
    }
