"""Rows for the test model `one`, which predicts `one:0`, `one:1` or `one:2`."""

from __future__ import annotations

HEADER = "id,alcohol,malic_acid,proline,shade,region"


def row(number: int) -> tuple[int, float, float | None, int, str, str]:
    """A row with a key; some lack a value that may be missing."""
    acid = None if number % 7 == 0 else 1.0 + number % 5
    shade, region = ("light", "dark")[number % 2], ("north", "south", "west")[number % 3]
    return number, 11.0 + number % 40 / 10, acid, 300 + number % 900, shade, region


def csv_of(count: int, *, bad: dict[int, str] | None = None) -> str:
    """CSV with `count` rows, keys from 1; `bad` replaces whole lines."""
    lines = [HEADER]
    for number in range(1, count + 1):
        cells = ["" if cell is None else str(cell) for cell in row(number)]
        lines.append((bad or {}).get(number, ",".join(cells)))
    return "\n".join(lines) + "\n"
