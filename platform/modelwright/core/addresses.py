"""Addresses of servers from the environment, with the password from a file where one is named."""

from __future__ import annotations

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
