"""What of a request's headers reaches a workload, and what of its answer's reaches a browser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from multidict import CIMultiDict, CIMultiDictProxy

from sessions.proxy.site import Site

# Cookies of the platform and of this proxy begin so; a workload neither gets nor sets them.
OURS = ("modelwright_", "__host-modelwright_", "__secure-modelwright_")
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Headers that a `Connection` must not take away: they say whose request it is and where it ends.
_KEPT = frozenset({"host", "cookie", "content-length", "origin"})
_DROPPED_OF_REQUESTS = frozenset({"expect", "forwarded", "x-real-ip"})
_PREFIXES_OF_REQUESTS = ("x-forwarded-", "x-modelwright-")
_WEBSOCKET = ("sec-websocket-",)
# `Clear-Site-Data` ends logins of the whole site, `Alt-Svc` sends browsers elsewhere.
_DROPPED_OF_ANSWERS = frozenset({"clear-site-data", "alt-svc", "public-key-pins"})


def cookie_name(site: Site) -> str:
    """Of the cookie with the pass. Its prefix has browsers insist on one host, where there is TLS."""
    return "__Host-modelwright_pass" if site.is_secure else "modelwright_pass"


def to_workload(
    headers: CIMultiDictProxy[str], *, site: Site, peer: str, user: str, is_websocket: bool = False
) -> CIMultiDict[str]:
    """The headers that a workload gets. `user` is the id of the person, empty for nobody."""
    named = _named_by_connection(headers)
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower = name.lower()
        if lower in HOP_BY_HOP or (lower in named and lower not in _KEPT) or lower in _DROPPED_OF_REQUESTS:
            continue
        # A server that makes variables of headers takes `X_Forwarded_For` for the true one.
        if "_" in lower or lower.startswith(_PREFIXES_OF_REQUESTS) or lower == "cookie":
            continue
        if is_websocket and (lower.startswith(_WEBSOCKET) or lower == "content-length"):
            continue
        kept.add(name, value)
    if cookies := "; ".join(_cookies(headers)):
        kept["Cookie"] = cookies
    kept["X-Forwarded-For"] = peer
    kept["X-Forwarded-Proto"] = site.scheme
    kept["X-Forwarded-Host"] = headers.get("Host", "")
    if user:
        kept["X-Modelwright-User"] = user
    return kept


def to_browser(headers: CIMultiDictProxy[str], *, is_public: bool) -> CIMultiDict[str]:
    """The headers that a browser gets; other origins may neither frame the answer nor take it for a part of theirs."""
    named = _named_by_connection(headers)
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower = name.lower()
        if lower in HOP_BY_HOP or lower in named or lower in _DROPPED_OF_ANSWERS:
            continue
        if lower == "set-cookie":
            if (cookie := host_only(value)) is not None:
                kept.add(name, cookie)
            continue
        kept.add(name, value)
    if not is_public:
        kept.add("Content-Security-Policy", "frame-ancestors 'self'")
        kept["Cross-Origin-Resource-Policy"] = "same-origin"
    return kept


def host_only(cookie: str) -> str | None:
    """A workload's `Set-Cookie` for its own host alone; None for one that takes our names or none at all."""
    pair, *attributes = cookie.split(";")
    name, equals, _ = pair.partition("=")
    if not equals or not name.strip() or _is_ours(name):
        return None
    kept = [part for part in attributes if part.partition("=")[0].strip().lower() != "domain"]
    return ";".join([pair, *kept])


def values_of(headers: CIMultiDictProxy[str], name: str) -> list[str]:
    """All values that cookies of that name have: one that a page of another host set may stand before ours."""
    pairs = (part.partition("=") for part in _parts(headers.getall("Cookie", [])))
    return [value.strip() for key, equals, value in pairs if equals and key.strip() == name]


def _cookies(headers: CIMultiDictProxy[str]) -> Iterator[str]:
    return (part for part in _parts(headers.getall("Cookie", [])) if not _is_ours(part.partition("=")[0]))


def _parts(cookies: Iterable[str]) -> Iterator[str]:
    for header in cookies:
        yield from (part.strip() for part in header.split(";") if part.strip())


def _is_ours(name: str) -> bool:
    return name.strip().lower().startswith(OURS)


def _named_by_connection(headers: CIMultiDictProxy[str]) -> set[str]:
    return {part.strip().lower() for value in headers.getall("Connection", []) for part in value.split(",")}
