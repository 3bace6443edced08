"""What the platform says to a run through its environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CurrentRun:
    """The run that this process belongs to."""

    id: str
    number: int
    project: str
    commit: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Connection:
    """A data connection of the workspace. `kind` is postgresql, s3, http or directory; `config` depends on it."""

    name: str
    kind: str
    config: Mapping[str, Any]
    secret: str = field(default="", repr=False)


def current_run() -> CurrentRun | None:
    """The run that this process belongs to, None outside a run, so that a script also works on a laptop."""
    run_id = os.environ.get("MODELWRIGHT_RUN_ID")
    if not run_id:
        return None
    return CurrentRun(
        id=run_id,
        number=int(os.environ.get("MODELWRIGHT_RUN_NUMBER", "0")),
        project=os.environ.get("MODELWRIGHT_PROJECT", ""),
        commit=os.environ.get("MODELWRIGHT_COMMIT", ""),
        parameters=parameters(),
    )


def parameters() -> dict[str, Any]:
    """The parameters that the run was started with: texts, numbers and truth values by name."""
    found = json.loads(os.environ.get("MODELWRIGHT_PARAMETERS") or "{}")
    return dict(found)


def connection(name: str) -> Connection:
    """The data connection called `name`. Raises LookupError, which names those that there are."""
    known = json.loads(os.environ.get("MODELWRIGHT_CONNECTIONS") or "{}")
    if name not in known:
        raise LookupError(f"There is no data connection {name!r}; there are: {', '.join(sorted(known)) or 'none'}.")
    return Connection(name, known[name]["kind"], known[name]["config"], known[name]["secret"])
