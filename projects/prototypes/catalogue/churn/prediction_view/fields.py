"""The what-if form: a field for each column, made from the training data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

Record = dict[str, Any]
YES_NO = {0: "No", 1: "Yes"}


@dataclass(frozen=True)
class Field:
    """A column. One with `choices` takes these values, by their words; any other takes numbers."""

    name: str
    choices: Mapping[str, Any] | None = None
    is_whole: bool = False
    may_be_empty: bool = False
    least: float = 0
    most: float = 0

    @property
    def label(self) -> str:
        """The column's name for people."""
        return self.name.replace("_", " ").capitalize()

    @property
    def hint(self) -> str:
        """What customers of the training data have."""
        return f"{self.least:,g} to {self.most:,g} in training" + (", or empty" if self.may_be_empty else "")

    def words(self, value: Any) -> str:
        """A value as the form and the tables write it."""
        if value is None:
            return ""
        if self.choices is not None:
            return next((words for words, each in self.choices.items() if each == value), str(value))
        # Whole, so that what nobody changes comes back as it was.
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

    def read(self, text: str) -> Any:
        """The value of what was written. Raises ValueError: what is wrong, and what to write."""
        if self.choices is not None:
            if text not in self.choices:
                raise ValueError(f"{text[:40]!r} is none of the choices. Take one of {', '.join(self.choices)}.")
            return self.choices[text]
        text = text.strip()
        if not text and self.may_be_empty:
            return None
        try:
            value = int(text) if self.is_whole else float(text)
        except ValueError:
            wanted = "whole number, such as 12" if self.is_whole else "number, such as 70.5"
            raise ValueError(f"{text[:40]!r} is not a {wanted}.") from None
        if not math.isfinite(value):
            raise ValueError("There is no such number. Write one such as 70.5.")
        return value

    def is_unusual(self, value: Any) -> bool:
        """Whether no customer of the training data comes near it: the model was never shown such a one."""
        return self.choices is None and value is not None and not self.least <= value <= self.most


def fields_of(frame: pd.DataFrame) -> list[Field]:
    """A field for each column of the training data."""
    return [field_of(str(name), values) for name, values in frame.items()]


def field_of(name: str, values: pd.Series) -> Field:
    """Texts are chosen from those that there are, 0 and 1 are No and Yes, everything else is a number."""
    known = set(values.dropna())
    if not pd.api.types.is_numeric_dtype(values):
        return Field(name, choices={str(value): value for value in sorted(known)})
    if known <= set(YES_NO):
        return Field(name, choices={words: value for value, words in YES_NO.items()})
    return Field(
        name,
        is_whole=pd.api.types.is_integer_dtype(values),
        may_be_empty=bool(values.isna().any()),
        least=float(values.min()),
        most=float(values.max()),
    )


def records_of(frame: pd.DataFrame) -> list[Record]:
    """Rows as the endpoint takes them: plain values, None where one is missing."""
    records: list[Record] = json.loads(frame.to_json(orient="records", double_precision=15))
    return records


def read(fields: list[Field], form: Mapping[str, str]) -> tuple[Record, dict[str, str]]:
    """The customer that a form describes, and what is wrong with it by column."""
    record: Record = {}
    wrong: dict[str, str] = {}
    for each in fields:
        try:
            record[each.name] = each.read(form.get(each.name, ""))
        except ValueError as error:
            wrong[each.name] = str(error)
    return record, wrong
