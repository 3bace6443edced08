"""What a session's page and REST show of its work."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sessions import repository
from sessions.models import Session


def changes_of(session: Session) -> dict[str, Any]:
    """What `SessionChangesSerializer` describes."""
    stand = repository.standing(session)
    found = repository.Changes()
    if stand.branch and stand.saved:
        found = repository.changes(session.project, stand.branch, stand.saved)
    return {
        "saved": stand.saved,
        "commit": stand.branch,
        "files": [asdict(one) for one in found.files],
        "patch": found.patch,
        "is_truncated": found.is_truncated,
        "ahead": stand.ahead,
        "behind": stand.behind,
    }
