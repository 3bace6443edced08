"""The customers of the view: those that the model has not seen, and what it was trained on as a background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import customers as people
import pandas as pd

from prediction_view.fields import Field, fields_of, records_of

Record = dict[str, Any]
LEAVES = "Yes"


@dataclass(frozen=True)
class Data:
    """A customer's number is their row in the data. `left` are those who left indeed; the model is not told."""

    fields: list[Field]
    customers: dict[int, Record]
    left: frozenset[int]
    background: list[Record]


def data_of(everybody: pd.DataFrame) -> Data:
    """Split as for training. Whoever runs features.py with another seed must set it in customers.py, too."""
    train, held_out = people.split(everybody)
    background = train.drop(columns=people.TARGET)
    held_out = held_out.sort_index()
    numbers = [int(place) + 1 for place in held_out.index]
    records = records_of(held_out.drop(columns=people.TARGET))
    return Data(
        fields=fields_of(background),
        customers=dict(zip(numbers, records, strict=True)),
        left=frozenset(n for n, churn in zip(numbers, held_out[people.TARGET], strict=True) if churn == LEAVES),
        background=records_of(background),
    )
