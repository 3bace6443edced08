"""Labels of hosts, which sizes and workspaces ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from modelwright.core.errors import ValidationFailed

MAX_LABELS = 20
LABEL = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._/-]{0,62}\Z")


def check_labels(labels: Mapping[str, str], *, field: str = "labels") -> dict[str, str]:
    """The labels, checked. Raises ValidationFailed."""
    wrong = [key for key, value in labels.items() if not LABEL.match(key) or not (value == "" or LABEL.match(value))]
    if wrong or len(labels) > MAX_LABELS:
        what = f"{wrong[0][:80]!r} with its value is no label." if wrong else f"There are {len(labels)} labels."
        raise ValidationFailed(
            what,
            remedy=f"Give at most {MAX_LABELS}, such as `disk=ssd`: letters, digits and . _ / - on either side.",
            field=field,
        )
    return dict(labels)


def parse_labels(text: str) -> dict[str, str]:
    """`gpu=h100,zone=a,quiet` as a dictionary; a label without a value has the value `""`."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}
