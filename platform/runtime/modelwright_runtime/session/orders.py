"""What the platform tells the process of a session, through its environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Orders:
    """Where things are, who works here, and how the platform is reached."""

    session_id: str
    number: int
    branch: str
    name: str
    email: str
    url: str
    token: str = field(repr=False)
    socket: Path
    tree: Path
    # A folder of the agent's own, beside the tree.
    private: Path
    records_commands: bool
    packages: tuple[str, ...] = ()

    @property
    def git_url(self) -> str:
        """The project's repository, as this session may use it."""
        return f"{self.url}/session-git/{self.session_id}.git"

    @property
    def saved_ref(self) -> str:
        """Where the tree is saved."""
        return f"refs/saved/{self.session_id}"


def read_orders(given: Mapping[str, str] = os.environ) -> Orders:
    """The orders. Raises KeyError where the process was not started as a session."""
    return Orders(
        session_id=given["MODELWRIGHT_SESSION_ID"],
        number=int(given["MODELWRIGHT_SESSION_NUMBER"]),
        branch=given["MODELWRIGHT_SESSION_BRANCH"],
        name=given["MODELWRIGHT_SESSION_AUTHOR"],
        email=given["MODELWRIGHT_SESSION_EMAIL"],
        url=given["MODELWRIGHT_URL"],
        token=given["MODELWRIGHT_SESSION_TOKEN"],
        socket=Path(given["MODELWRIGHT_SESSION_SOCKET"]),
        tree=Path(given["MODELWRIGHT_SESSION_TREE"]),
        private=Path(given["MODELWRIGHT_SESSION_PRIVATE"]),
        records_commands=given.get("MODELWRIGHT_SESSION_COMMANDS") == "1",
        packages=tuple(json.loads(given.get("MODELWRIGHT_SESSION_PACKAGES") or "[]")),
    )
