"""Where logins are kept: in the database, as Django's own engine does."""

from __future__ import annotations

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore


class SessionStore(DatabaseStore):
    """Looks for nothing that no login was ever named: a cookie may hold what PostgreSQL cannot even compare with."""

    def _validate_session_key(self, key: str | None) -> bool:
        return bool(key) and len(key) >= 8 and key.isascii() and key.isalnum()  # type: ignore[arg-type, union-attr]
