"""Reading bodies: JSON whose texts every part behind it can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from modelwright.core.errors import ValidationFailed
from modelwright.core.text import unfit

_LARGEST = 2**63


class PlainJSONParser(JSONParser):
    """JSON without what PostgreSQL, Git and files cannot hold: NUL characters, halves of surrogate pairs, huge numbers.

    Raises ValidationFailed (422), which names the field, and ParseError (400) for JSON that is nested too deeply.
    """

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body."""
        try:
            body = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
        _check(body)
        return body


def _check(body: Any) -> None:
    """Raise ValidationFailed that names the field of the first value which nothing behind the parser can hold."""
    rest: list[tuple[str, Any]] = [("", body)]
    while rest:
        field, value = rest.pop()
        if isinstance(value, str):
            if fault := unfit(value):
                raise ValidationFailed(
                    f"The text of {field or 'the body'} holds {fault}.", remedy="Leave it out.", field=field or "body"
                )
        elif isinstance(value, int | float):
            if not -_LARGEST <= value < _LARGEST and (isinstance(value, int) or not math.isfinite(value)):
                raise ValidationFailed(
                    f"The number of {field or 'the body'} is beyond what 64 bits hold.",
                    remedy="Give a smaller number.",
                    field=field or "body",
                )
        elif isinstance(value, list):
            rest.extend((f"{field}[{place}]", one) for place, one in enumerate(value))
        elif isinstance(value, dict):
            rest.extend((field, name) for name in value)
            rest.extend((f"{field}.{name}" if field else str(name), one) for name, one in value.items())
