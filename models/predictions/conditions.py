"""A condition on a value of a prediction's input, typed by the signature, as PostgreSQL reads it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.fields import BooleanField

from modelwright.core.errors import ValidationFailed

OPERATORS = {
    "eq": "is",
    "ne": "is not",
    "lt": "<",
    "le": "≤",
    "gt": ">",
    "ge": "≥",
    "contains": "contains",
    "null": "is missing",
    "present": "is not missing",
}
_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
WITHOUT_VALUE = ("null", "present")
WHOLE, NUMBERS = ("integer", "long"), ("integer", "long", "double", "float")
MAX_NAME = 500
_DIGITS = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Condition:
    """A record of the request has `column` so. `digest` is what stands for the value where the column is redacted."""

    column: str
    operator: str
    value: Any = None
    digest: str = ""

    def narrow(self, found: QuerySet[Any]) -> QuerySet[Any]:
        """The predictions with such a record."""
        # An alias: the expression is no column of the answer.
        narrowed: QuerySet[Any] = found.alias(matches=self._sql()).filter(matches=True)
        return narrowed

    def _sql(self) -> RawSQL:
        path, variables = self._path()
        return RawSQL(
            "jsonb_path_exists(predictions_prediction.inputs, %s::jsonpath, %s::jsonb, true)",
            [path, json.dumps(variables)],
            output_field=BooleanField(),
        )

    def _path(self) -> tuple[str, dict[str, Any]]:
        key = json.dumps(self.column)
        if self.operator == "null":
            return f"$[*] ? (!exists(@.{key}) || @.{key} == null)", {}
        if self.operator == "present":
            return f"$[*].{key} ? (@ != null)", {}
        if self.operator == "contains":
            return f'$[*].{key} ? (@ like_regex {json.dumps(self.value)} flag "iq")', {}
        test = f"@ {_SIGNS[self.operator]} $value"
        if self.digest:
            test = f"{test} || @.redacted {_SIGNS[self.operator]} $digest"
        return f"$[*].{key} ? ({test})", {"value": self.value, "digest": self.digest}


def typed(column: str, kind: str, operator: str, text: str) -> Condition:
    """The condition that a person wrote; `kind` is the column's type in the signature, empty where there is none.

    Raises ValidationFailed that says what the column holds.
    """
    if operator not in OPERATORS:
        raise ValidationFailed(
            f"There is no comparison {operator[:40]!r}.", remedy=f"Use one of {', '.join(OPERATORS)}.", field="op"
        )
    if operator in WITHOUT_VALUE:
        return Condition(column, operator)
    if operator == "contains":
        return Condition(column, operator, text)
    return Condition(column, operator, _value(column, kind, operator, text))


def _value(column: str, kind: str, operator: str, text: str) -> Any:
    if kind in NUMBERS:
        return _number(column, kind, text)
    if kind == "boolean":
        if text.lower() not in ("true", "false") or operator not in ("eq", "ne"):
            raise _wrong(column, "true or false", text, "Compare it with `true` or `false`.")
        return text.lower() == "true"
    if kind in ("string", "datetime", "binary"):
        return text
    return _guessed(text)


def _number(column: str, kind: str, text: str) -> int | float:
    try:
        number = float(text)
        if not float("-inf") < number < float("inf"):
            raise ValueError(text)
        if _DIGITS.fullmatch(text.strip()):
            # A number with a fraction cannot tell large ids apart.
            return int(text)
        return int(number) if number.is_integer() else number
    except ValueError:
        what = "whole numbers" if kind in WHOLE else "numbers"
        raise _wrong(column, what, text, "Compare it with a number such as 12.5.") from None


def _guessed(text: str) -> Any:
    """Without a signature: a number, true, false, or text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float | str) else text


def _wrong(column: str, what: str, text: str, remedy: str) -> ValidationFailed:
    return ValidationFailed(f"{column} holds {what}, not {text[:60]!r}.", remedy=remedy, field="value")
