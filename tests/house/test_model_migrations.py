"""A migration below `models/` that named something living there would import `models.…` and then rebind the name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MIGRATIONS = sorted((ROOT / "models").glob("*/migrations/*.py"))


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: str(path.relative_to(ROOT)))
def test_it_names_nothing_that_lives_below_models(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"^\s*(import|from)\s+models\b", text, re.MULTILINE)
    assert not re.search(r"\bmodels\.(registry|endpoints|predictions|gateway)\b", text)


def test_there_are_migrations_to_look_at() -> None:
    assert {path.parts[-3] for path in MIGRATIONS} >= {"registry", "endpoints", "predictions"}
