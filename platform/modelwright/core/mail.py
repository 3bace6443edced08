"""E-mail, where the installation has a server for it. Nobody waits for it, and nothing depends on it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, get_connection

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


def connection_facts(url: str, password_file: str = "") -> dict[str, Any]:
    """What `smtp[+starttls|s]://user@host:port` says, as Django's connection takes it. Raises ImproperlyConfigured."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ImproperlyConfigured(
            "MODELWRIGHT_MAIL_URL is no address such as smtp+starttls://user@mail.example.org:587."
        )
    # An empty file is none: containers have one whether or not the server asks for a password.
    given = Path(password_file).read_text().strip() if password_file else ""
    return {
        "host": parts.hostname,
        "port": parts.port or _PORTS[parts.scheme],
        "username": unquote(parts.username or ""),
        "password": given or unquote(parts.password or ""),
        "use_tls": parts.scheme == "smtp+starttls",
        "use_ssl": parts.scheme == "smtps",
        "timeout": TIMEOUT_SECONDS,
    }


def send(to: Iterable[str], subject: str, text: str) -> bool:
    """Send one message, each recipient hidden from the others. False where nothing is set up, nobody is named, or the
    server does not take it, which is logged."""
    recipients = sorted(set(filter(None, to)))
    if not settings.MAIL_URL or not recipients:
        return False
    # A subject is one line, whatever a name in it holds.
    line = " ".join(subject.split())[:200]
    try:
        connection = get_connection(**connection_facts(settings.MAIL_URL, settings.MAIL_PASSWORD_FILE))
        message = EmailMessage(line, text, settings.MAIL_FROM, bcc=recipients, connection=connection)
        return bool(message.send())
    except (OSError, ImproperlyConfigured) as error:
        # smtplib's errors are OSErrors.
        logger.warning("an e-mail could not be sent: %s", error)
        return False
