"""Tags of the workspace pages: `{% load workspaces %}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.template import Library

register = Library()


@register.filter
def at(values: Mapping[Any, Any], key: object) -> Any:
    """The value of a mapping at `key`, None where there is none."""
    return values.get(key)
