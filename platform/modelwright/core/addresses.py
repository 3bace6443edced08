"""Addresses from the environment: of servers, with the password from a file where one is named; of networks."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit


def address(name: str, default: str = "") -> str:
    """The address in the variable `name`, such as `DATABASE_URL`.

    `DATABASE_PASSWORD_FILE` beside it names a file with the password, which then need not stand in the environment:
    container engines show that to whoever may look. Raises ValueError when the file cannot be read, or when the address
    holds a password already.
    """
    url = os.environ.get(name) or default
    file = os.environ.get(f"{name.removesuffix('_URL')}_PASSWORD_FILE")
    return with_password(url, Path(file)) if url and file else url


def with_password(url: str, file: Path) -> str:
    """`url` with the password that stands in `file`; a trailing line break is no part of it."""
    parts = urlsplit(url)
    if parts.password:
        raise ValueError(
            f"The address of {parts.hostname} holds a password, and {file} another: leave one of them out."
        )
    try:
        password = file.read_text().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"The file {file} with the password for {parts.hostname} cannot be read: {error}.") from None
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.removesuffix(':')}:{quote(password, safe='')}@{host}"))


def networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """The networks in a list such as `10.1.0.0/16, 127.0.0.1`. Raises ValueError."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
