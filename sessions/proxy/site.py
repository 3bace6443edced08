"""Names of origins: `<key>.<host>` for each session and application."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_KEY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PORT = re.compile(r":[0-9]{1,5}")


class BadAddress(ValueError):
    """The text is no address of sessions; it says what one looks like."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where sessions are: each has a name of its own below `host`; `port` is 0 for the usual one."""

    scheme: str
    host: str
    port: int = 0

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"

    def key_of(self, authority: str) -> str | None:
        """The key that a request's Host names; None where it names no session. Which port it names does not count."""
        name, colon, port = authority.lower().partition(":")
        if colon and not _PORT.fullmatch(colon + port):
            return None
        key, dot, rest = name.partition(".")
        return key if dot and rest == self.host and _KEY.fullmatch(key) else None

    def origin(self, key: str) -> str:
        """The origin of one key, without a slash at its end."""
        return f"{self.scheme}://{key}.{self.host}{f':{self.port}' if self.port else ''}"


def site(text: str) -> Site:
    """From `http://localhost:8002` or `https://*.sessions.example.org`. Raises BadAddress."""
    try:
        parts = urlsplit(text.strip())
        host, port = (parts.hostname or "").removeprefix("*."), parts.port or 0
    except ValueError as error:
        raise BadAddress(f"{text!r} is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not host or parts.path not in ("", "/") or parts.query:
        raise BadAddress(f"{text!r} is not like http://*.localhost:8002 or https://*.sessions.example.org")
    return Site(parts.scheme, host, port)
