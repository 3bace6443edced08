"""Reading bodies: JSON whose texts every part behind it can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from modelwright.core.text import unfit

_LARGEST = 2**63


class PlainJSONParser(JSONParser):
    """JSON without what PostgreSQL, Git and files cannot hold: NUL characters, halves of surrogate pairs, huge numbers.

    Raises ParseError (400), also for JSON that is nested too deeply.
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
    rest = [body]
    while rest:
        value = rest.pop()
        if isinstance(value, str):
            if fault := unfit(value):
                raise ParseError(f"A text in the JSON holds {fault}.")
        elif isinstance(value, int | float):
            if not -_LARGEST <= value < _LARGEST and (isinstance(value, int) or not math.isfinite(value)):
                raise ParseError("A number in the JSON is beyond what 64 bits hold.")
        elif isinstance(value, list):
            rest.extend(value)
        elif isinstance(value, dict):
            rest.extend(value)
            rest.extend(value.values())
