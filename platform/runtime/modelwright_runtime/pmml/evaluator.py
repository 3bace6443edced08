"""Opens a PMML document and answers for records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .document import Element, Fields, PmmlError, Row, Value, cast, data_fields, parse
from .expressions import derived_fields
from .models import MiningField, compile_model, find_model
from .results import Result


class Evaluator:
    """A compiled document. `classes` are the target's categories, empty where it is a number or they are not told."""

    def __init__(self, content: bytes) -> None:
        """Raises `PmmlError` for what is no PMML, and for anything in it that is not supported."""
        root = parse(content)
        try:
            self._compile(root)
        except PmmlError:
            raise
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise PmmlError(f"the document contradicts itself: {type(error).__name__}: {error}") from error

    def _compile(self, root: Element) -> None:
        self._data = data_fields(root)
        fields = Fields({name: field.data_type for name, field in self._data.items()})
        self._derived, fields = derived_fields(root.find("TransformationDictionary"), fields)
        element = find_model(root)
        self._model = compile_model(element, fields, self._data)
        self.root = root
        self.element = element
        self.classes: list[Value] = list(self._model.categories)

    @property
    def inputs(self) -> list[tuple[str, str, bool]]:
        """Name, PMML data type and whether a value must be given, of each input."""
        return [
            (field.name, self._data[field.name].data_type, field.replacement is None)
            for field in self._model.inputs
            if field.name in self._data
        ]

    @property
    def target(self) -> tuple[str, str]:
        """Name and data type of what is predicted."""
        return self._model.target or "prediction", self._model.target_type

    def evaluate(self, record: Mapping[str, Any]) -> Result:
        """The result for a record of JSON values. Raises `PmmlError` for a value that its field does not take."""
        values = {}
        for field in self._model.inputs:
            if field.name in self._data:
                values[field.name] = self._given(field, record.get(field.name))
        return self._model.evaluate(Row(values, dict(self._derived)))

    def _given(self, mining: MiningField, value: Any) -> Value:
        field = self._data[mining.name]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        try:
            typed = cast(value, field.data_type)
        except (TypeError, ValueError):
            raise PmmlError(f"{mining.name} takes a {field.data_type}, not {value!r}") from None
        if typed in field.missing:
            return None
        if field.is_valid(typed):
            return typed
        if mining.invalid == "asMissing":
            return None
        if mining.invalid == "asValue":
            return mining.invalid_replacement
        if mining.invalid == "asIs":
            return typed
        raise PmmlError(f"{mining.name} does not take the value {value!r}; the document calls it invalid")


def open_document(path: Path) -> Evaluator:
    """The evaluator of a file. Raises `PmmlError`."""
    return Evaluator(path.read_bytes())
