"""What the proxy itself answers: pages that say what happened and what to do, or the same as JSON."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from html import escape

from aiohttp import web

_POLICY = "default-src 'none'; style-src 'sha256-{}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:4rem auto;max-width:36rem;padding:0 1rem;color:#1d2733;"
    "background:#fff}h1{font-size:1.4rem}a{color:#0b5cad}"
)
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>{head}
<meta name="viewport" content="width=device-width,initial-scale=1"><style>{style}</style></head>
<body><main><h1>{title}</h1><p>{what}</p><p>{remedy}</p>{link}</main></body></html>
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told instead of a workload's answer. `link` is an address and its words."""

    status: int
    title: str
    what: str
    remedy: str
    link: tuple[str, str] | None = None
    # The page comes again after so many seconds, or goes on to an address of its own origin.
    again_after: float | None = None
    go_on: str = ""


def answer(notice: Notice, *, wants_page: bool) -> web.Response:
    """The notice for a person, or for a program."""
    if wants_page:
        response = web.Response(status=notice.status, text=_page(notice), content_type="text/html", charset="utf-8")
    else:
        problem = {"title": notice.title, "status": notice.status, "detail": notice.what, "remedy": notice.remedy}
        response = web.Response(
            status=notice.status, text=json.dumps(problem), content_type="application/problem+json", charset="utf-8"
        )
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = _POLICY.format(_DIGEST)
    if notice.again_after is not None:
        response.headers["Retry-After"] = str(max(1, round(notice.again_after)))
    return response


def _page(notice: Notice) -> str:
    head = ""
    if notice.go_on:
        head = f'<meta http-equiv="refresh" content="0;url={escape(notice.go_on)}">'
    elif notice.again_after is not None:
        head = f'<meta http-equiv="refresh" content="{notice.again_after:g}">'
    link = ""
    if notice.link is not None:
        link = f'<p><a href="{escape(notice.link[0])}">{escape(notice.link[1])}</a></p>'
    texts = {name: escape(getattr(notice, name)) for name in ("title", "what", "remedy")}
    return _PAGE.format(head=head, style=_STYLE, link=link, **texts)
