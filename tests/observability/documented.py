"""What docs/metrics.md says there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
SECTIONS = {"Pages": "pages", "Gateway": "gateway"}


class Entry(NamedTuple):
    """One line of a table."""

    section: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def documented() -> dict[str, Entry]:
    """Every metric by name."""
    found: dict[str, Entry] = {}
    section = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            section = SECTIONS.get(re.split(r"\W", line[3:])[0], "")
        elif line.startswith("| `modelwright_"):
            name, kind, labels, meaning = (cell.strip() for cell in line.strip("|").split("|"))
            assert name not in found
            found[name.strip("`")] = Entry(section, kind, tuple(re.findall(r"`(\w+)`", labels)), meaning)
    return found
