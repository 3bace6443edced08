"""ETags from a row's revision, so that nobody overwrites a change that they have not seen."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.core.errors import PreconditionFailed, ValidationFailed

MOST_DIGITS = 10
_TAG = re.compile(r'(?:W/)?"(\d{1,9})"')


def tagged(data: Any, revision: int, *, status: int = 200) -> Response:
    """Answer `data` with the ETag of `revision`."""
    return Response(data, status=status, headers={"ETag": f'"{revision}"'})


def expected_revision(request: Request | HttpRequest) -> int | None:
    """The revision that `If-Match` names; None where the header is missing or `*`. Raises ValidationFailed."""
    given = request.headers.get("If-Match", "*").strip()
    if given == "*":
        return None
    match = _TAG.fullmatch(given)
    if match is None:
        raise ValidationFailed(
            f"The header If-Match is {given[:40]!r}, which is no ETag of this thing.",
            remedy="Send the ETag of the answer that you read, with its quotation marks.",
            field="If-Match",
        )
    return int(match[1])


def seen_revision(request: HttpRequest) -> int | None:
    """The revision that a page's form was made of, so that an old tab does not undo what another one saved."""
    text = request.POST.get("revision", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < MOST_DIGITS else None


def check_revision(current: int, expected: int | None) -> None:
    """Raise PreconditionFailed unless `expected` is None or the current revision. The row is locked."""
    if expected is not None and expected != current:
        raise PreconditionFailed(
            "Somebody changed this after you read it.",
            remedy="Read it again, and repeat your change on what it is now.",
        )
