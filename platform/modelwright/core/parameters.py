"""What a REST request asks for behind the `?` of its address, where many views ask for the same."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from rest_framework.request import Request

from modelwright.core.errors import ValidationFailed

# Of a log: what JSON's numbers hold exactly.
MAX_OFFSET = 2**53


def choice_of(request: Request, name: str, choices: Sequence[str]) -> str:
    """One of the choices, empty where the request names none. Raises ValidationFailed."""
    given: str = request.query_params.get(name, "")
    if given and given not in choices:
        raise ValidationFailed(f"`{name}` is {given[:60]!r}.", remedy=f"Give one of {', '.join(choices)}.", field=name)
    return given


def id_of(request: Request, name: str, what: str) -> UUID | None:
    """The id of `what`, such as "an endpoint"; None where the request names none. Raises ValidationFailed."""
    given: str = request.query_params.get(name, "")
    if not given:
        return None
    try:
        return UUID(given)
    except ValueError:
        raise ValidationFailed(f"`{name}` is {given[:60]!r}.", remedy=f"Give the id of {what}.", field=name) from None


def offset_of(request: Request) -> int:
    """The byte from which on a log is to be read, 0 where the request names none. Raises ValidationFailed."""
    raw: str = request.query_params.get("offset", "0")
    if not (raw.isascii() and raw.isdigit()) or len(raw) > 16 or int(raw) > MAX_OFFSET:
        raise ValidationFailed(
            f"`offset` is {raw[:40]!r}.", remedy="Give the `offset` of the answer before, or 0.", field="offset"
        )
    return int(raw)
