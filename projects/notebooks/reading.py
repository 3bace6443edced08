"""A notebook's file as cells. Everything in it is hostile: types, sizes, numbers and nesting are checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.utils.safestring import SafeString

from modelwright.core.errors import ValidationFailed
from projects.markdown import Allowance
from projects.notebooks.cleaning import clean_text
from projects.notebooks.outputs import Output, joined, read_output

MAX_CELLS = 400
MAX_OUTPUTS = 50
_FORMAT = 4
_REMEDY = "See it as text, or download it."


@dataclass(frozen=True, slots=True)
class Cell:
    """`kind`: markdown, code or raw. `html` is what a markdown cell renders to, `count` the number of a code cell."""

    number: int
    kind: str
    text: str
    html: SafeString | None
    count: str
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class Notebook:
    """The first cells of a notebook; `left_out` is how many more there are."""

    language: str
    cells: tuple[Cell, ...]
    left_out: int


def read_notebook(data: bytes) -> Notebook:
    """The notebook in a file. Raises ValidationFailed, with words for a person, where it is none that can be shown."""
    try:
        raw = orjson.loads(data)
    except ValueError:
        raise ValidationFailed("The file is no notebook: it is not valid JSON.", remedy=_REMEDY) from None
    if not isinstance(raw, Mapping) or raw.get("nbformat") != _FORMAT or not isinstance(raw.get("cells"), list):
        raise ValidationFailed("The file is no notebook of format 4, which alone is shown.", remedy=_REMEDY)
    cells = raw["cells"]
    allowance = Allowance()
    shown = [
        _cell(number, cell, allowance) for number, cell in enumerate(cells[:MAX_CELLS], 1) if isinstance(cell, Mapping)
    ]
    return Notebook(_language(raw), tuple(shown), max(0, len(cells) - MAX_CELLS))


def _cell(number: int, raw: Mapping[str, Any], allowance: Allowance) -> Cell:
    kind = raw.get("cell_type")
    kind = kind if kind in ("markdown", "code") else "raw"
    text = clean_text(joined(raw.get("source")))
    html = allowance.render(text, f"cell {number}") if kind == "markdown" else None
    if kind == "markdown" and html is None:
        kind = "raw"
    if kind != "code":
        return Cell(number, kind, text, html, "", ())
    count, outputs = raw.get("execution_count"), raw.get("outputs")
    found = outputs[:MAX_OUTPUTS] if isinstance(outputs, list) else []
    read = [read_output(one, f"output {place} of cell {number}", allowance) for place, one in enumerate(found, 1)]
    is_number = isinstance(count, int) and not isinstance(count, bool)
    return Cell(number, kind, text, None, str(count) if is_number else "", tuple(one for one in read if one))


def _language(raw: Mapping[str, Any]) -> str:
    metadata = raw.get("metadata")
    info = metadata.get("language_info") if isinstance(metadata, Mapping) else None
    return clean_text(joined(info.get("name")))[:40] if isinstance(info, Mapping) else ""
