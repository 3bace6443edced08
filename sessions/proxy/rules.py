"""Which requests the origin itself may have sent. What another origin sends is refused, whatever cookies it brings."""

from __future__ import annotations

from dataclasses import dataclass

from multidict import CIMultiDictProxy

SAFE = frozenset({"GET", "HEAD"})
_OWN = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Foreign:
    """Why a request is taken for one of another origin."""

    why: str


def foreign(
    headers: CIMultiDictProxy[str], *, origin: str, method: str, is_websocket: bool, is_public: bool
) -> Foreign | None:
    """None for a request of `origin` itself, or of no page at all.

    Links of other pages may lead to what everybody may see (`is_public`), and programs need not say where they come
    from.
    """
    origins = headers.getall("Origin", [])
    sites = headers.getall("Sec-Fetch-Site", [])
    if len(origins) > 1 or len(sites) > 1:
        return Foreign("it names several origins")
    site = sites[0].lower() if sites else ""
    if origins and origins[0].lower() != origin.lower() and not _is_own_form(origins[0], site):
        return Foreign(f"it comes from {origins[0][:100]}")
    if site and site not in _OWN and not (is_public and _is_link(headers, method, is_websocket)):
        return Foreign("it comes from another site")
    says_nothing = not origins and not site
    if says_nothing and not is_public and (is_websocket or method not in SAFE):
        return Foreign("it does not say which page it comes from")
    return None


def _is_own_form(origin: str, site: str) -> bool:
    """A page that hides its address hides its origin too, and the browser vouches for it."""
    return origin == "null" and site == "same-origin"


def _is_link(headers: CIMultiDictProxy[str], method: str, is_websocket: bool) -> bool:
    return (
        not is_websocket
        and method in SAFE
        and headers.get("Sec-Fetch-Mode") == "navigate"
        and headers.get("Sec-Fetch-Dest") == "document"
    )
