"""JSON has types: a number is no text and "yes" is no truth value, although DRF's fields would take them so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework import serializers

from modelwright.core.errors import FieldError

_TEXT = (serializers.CharField, serializers.ChoiceField, serializers.DateTimeField, serializers.UUIDField)


def wrong_types(field: Any, value: Any, name: str = "") -> Iterator[FieldError]:
    """Each value whose JSON type is not the one that the OpenAPI schema names. Missing and null ones are left out."""
    if value is None or value is serializers.empty:
        return
    if isinstance(field, serializers.Serializer):
        if isinstance(value, dict):
            for key, inner in field.fields.items():
                yield from wrong_types(inner, value.get(key), f"{name}.{key}" if name else key)
    elif isinstance(field, serializers.ListField | serializers.ListSerializer):
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield from wrong_types(field.child, item, f"{name}[{number}]")
    elif isinstance(field, serializers.DictField):
        if isinstance(value, dict):
            for key, item in value.items():
                yield from wrong_types(field.child, item, f"{name}.{key}")
    elif expected := _other_type(field, value):
        yield FieldError(name, f"This is not {expected}.", f"Give {expected} in JSON.")


def _other_type(field: Any, value: Any) -> str:
    """The type that the field wants, in words, where the value has another one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(field, serializers.BooleanField):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(field, serializers.IntegerField):
        return "" if is_number and (isinstance(value, int) or value.is_integer()) else "a whole number"
    if isinstance(field, serializers.FloatField):
        return "" if is_number else "a number"
    if isinstance(field, _TEXT):
        return "" if isinstance(value, str) else "a text"
    return ""
