"""The key that web and proxy share, and the names of logins that both know."""

from __future__ import annotations

import hashlib
import os
import secrets
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from modelwright.accounts.models import User


def sessions_key() -> str:
    """The key that tickets are signed with, made on first use. Raises OSError where its file cannot be read."""
    return _key(Path(settings.SESSIONS_KEY_FILE))


@lru_cache(maxsize=4)
def _key(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        key = secrets.token_urlsafe(32)
        file.write(key)
    return key


def login_digest(session_key: str) -> str:
    """What the proxy knows a login by; nobody finds the login's cookie from it."""
    return _digest("login", session_key)


def proof_of(user: User) -> str:
    """Changes when the person's password does."""
    return _digest("proof", user.get_session_auth_hash())


def _digest(purpose: str, text: str) -> str:
    return hashlib.sha256(f"modelwright sessions {purpose}\0{settings.SECRET_KEY}\0{text}".encode()).hexdigest()
