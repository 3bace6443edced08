"""What the platform says to a run or session through its environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from modelwright_runtime.client import reading


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
    """A data connection of the workspace. `kind` is postgresql, s3, http or directory; `config` depends on it.

    Within a session it goes on record what is read by `query` and `open`, and what `note` is told.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    secret: str = field(default="", repr=False)

    def query(
        self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The rows that a statement reads of a postgresql connection, by column; it can change nothing there.

        Raises LookupError for another kind and where no driver is installed; what the driver raises else.
        """
        if self.kind != "postgresql":
            raise LookupError(f"{self.name} is of the kind {self.kind}; only postgresql takes statements.")
        self.note(statement)
        return reading.ask_postgresql(self.config, self.secret, statement, parameters)

    def open(self, path: str = "") -> IO[bytes]:
        """A file of a directory, or what is at a web address. Raises OSError, and LookupError for another kind."""
        if self.kind not in ("directory", "http"):
            raise LookupError(f"{self.name} is of the kind {self.kind}; only directory and http have files to open.")
        self.note(path)
        if self.kind == "http":
            return reading.open_address(self.config["url"], path, self.secret)
        return reading.open_file(self.config["path"], path)

    def note(self, what: str) -> None:
        """Say that `what`, a table, a statement or a file, is read by other means, for the record of the session."""
        reading.note(self.name, self.kind, what)


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
    """The data connection called `name`; within a session, that it was taken goes on record.

    Raises LookupError, which names those that there are.
    """
    known = json.loads(os.environ.get("MODELWRIGHT_CONNECTIONS") or "{}")
    if name not in known:
        raise LookupError(f"There is no data connection {name!r}; there are: {', '.join(sorted(known)) or 'none'}.")
    found = Connection(name, known[name]["kind"], known[name]["config"], known[name]["secret"])
    found.note("")
    return found
