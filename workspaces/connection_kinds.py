"""What the configuration of each kind of data connection holds. Nothing secret is among it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from modelwright.core.errors import FieldError, ValidationFailed
from workspaces.models import DataConnection

MAX_TEXT = 500
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?"
_WEB_ADDRESS = rf"https?://{_HOST}(?::\d{{1,5}})?(?:/[!-~]*)?"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a configuration: its form as a regular expression, and that form in words."""

    pattern: str
    form: str
    required: bool = True


_NAME = r"[A-Za-z_][A-Za-z0-9_$-]{0,62}"
KINDS: Mapping[str, Mapping[str, Entry]] = {
    DataConnection.Kind.POSTGRESQL: {
        "host": Entry(_HOST, "a host name or address"),
        "port": Entry(r"\d{1,5}", "a port from 1 to 65535, 5432 if left out", required=False),
        "database": Entry(_NAME, "the name of a database"),
        "username": Entry(_NAME, "the name of a database role"),
        "sslmode": Entry("disable|prefer|require|verify-full", "disable, prefer, require or verify-full", False),
    },
    DataConnection.Kind.S3: {
        "bucket": Entry(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "the name of a bucket"),
        "endpoint_url": Entry(_WEB_ADDRESS, "the address of the store, Amazon's if left out", required=False),
        "region": Entry(r"[a-z0-9-]{1,40}", "the name of a region", required=False),
        "access_key_id": Entry(r"[!-~]{1,128}", "the id of the access key, without its secret", required=False),
        "prefix": Entry(r"[^\x00-\x1f\x7f]{1,500}", "the beginning of the object names", required=False),
    },
    DataConnection.Kind.HTTP: {
        "url": Entry(_WEB_ADDRESS, "an address that begins with https:// or http:// and holds no password"),
    },
    DataConnection.Kind.DIRECTORY: {
        "path": Entry(r"(?:/(?!\.{1,2}(?:/|\Z))[^/\x00-\x1f\x7f]+)+", "an absolute path without `..`"),
    },
}
# What the secret of each kind is, for forms and documentation.
SECRETS: Mapping[str, str] = {
    DataConnection.Kind.POSTGRESQL: "the role's password",
    DataConnection.Kind.S3: "the secret access key",
    DataConnection.Kind.HTTP: "a Bearer token",
    DataConnection.Kind.DIRECTORY: "",
}


def check_config(kind: str, config: Mapping[str, object]) -> dict[str, str]:
    """Return the configuration as text values. Raises ValidationFailed, which names each wrong entry."""
    entries = KINDS.get(kind)
    if entries is None:
        raise ValidationFailed(
            f"There is no kind of data connection called {kind[:40]!r}.",
            remedy=f"Choose one of {', '.join(KINDS)}.",
            field="kind",
        )
    errors = [
        FieldError(
            f"config.{name}"[:100], "This kind of connection has no such entry.", f"It has {', '.join(entries)}."
        )
        for name in config
        if name not in entries
    ]
    checked: dict[str, str] = {}
    for name, entry in entries.items():
        value = config.get(name)
        if value is None or value == "":
            if entry.required:
                errors.append(FieldError(f"config.{name}", "This entry is needed.", f"Give {entry.form}."))
        elif _fits(name, value, entry):
            checked[name] = str(value)
        else:
            errors.append(FieldError(f"config.{name}", "This entry is not valid.", f"Give {entry.form}."))
    if errors:
        raise ValidationFailed(
            "; ".join(f"{e.field}: {e.message}" for e in errors),
            remedy="Correct the entries named in `errors`.",
            errors=tuple(errors),
        )
    return checked


def _fits(name: str, value: object, entry: Entry) -> bool:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    text = str(value)
    if len(text) > MAX_TEXT or not re.fullmatch(entry.pattern, text):
        return False
    return name != "port" or 1 <= int(text) <= 65535
