"""Every address of the platform, walked from the URLconf."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver, reverse

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Route:
    """One address: its name, the view's class, and the names of the variables in it."""

    name: str
    view: Any
    variables: tuple[str, ...]
    is_api: bool

    @property
    def permissions(self) -> dict[str, str] | None:
        """Method → declared permission; None where the view declares nothing."""
        return getattr(self.view, "permissions", None)

    def address(self, values: dict[str, Any]) -> str:
        """The address with its variables filled in. Raises KeyError for one that `values` lacks."""
        return reverse(self.name, kwargs={name: values[name] for name in self.variables})


def routes() -> list[Route]:
    """Every named route, API and pages, without static files."""
    return sorted(_walk(get_resolver(), ""), key=lambda route: route.name)


def _walk(resolver: URLResolver, prefix: str) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry, path)
        elif isinstance(entry, URLPattern):
            assert entry.name, f"{path} has no name"
            view = getattr(entry.callback, "cls", None) or getattr(entry.callback, "view_class", entry.callback)
            yield Route(
                entry.name, view, tuple(entry.pattern.converters), path.startswith("api/") and path != "api/docs/"
            )
