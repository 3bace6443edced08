"""One output of a cell, as the richest form of it that a page may show."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from projects.files.answers import picture_type
from projects.markdown import Allowance
from projects.notebooks.cleaning import clean_html, clean_text

MAX_PICTURE_BYTES = 4 * 1024 * 1024
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_HARMLESS = {"text/plain", "text/html", "text/markdown", "text/latex", "application/json", *_PICTURES}


@dataclass(frozen=True, slots=True)
class Output:
    """`kind`: text, error, html (cleaned) or picture (`text` is a data address). `left_out` says what is not shown."""

    kind: str
    text: str = ""
    left_out: str = ""


def read_output(raw: Any, name: str, allowance: Allowance) -> Output | None:
    """The output, None for one that says nothing or is none. `name` tells its tables from others on the page."""
    if not isinstance(raw, Mapping):
        return None
    kind = raw.get("output_type")
    if kind == "stream":
        return _text(joined(raw.get("text")), "error" if raw.get("name") == "stderr" else "text")
    if kind == "error":
        trace = joined(raw.get("traceback"), "\n") or f"{joined(raw.get('ename'))}: {joined(raw.get('evalue'))}"
        return _text(trace, "error")
    data = raw.get("data")
    if kind in ("execute_result", "display_data") and isinstance(data, Mapping):
        return _richest(data, name, allowance)
    return None


def joined(value: Any, between: str = "") -> str:
    """The text that a notebook holds, in one piece or in several; empty for everything else."""
    if isinstance(value, str):
        return value
    return between.join(part for part in value if isinstance(part, str)) if isinstance(value, list) else ""


def _text(text: str, kind: str) -> Output | None:
    cleaned = clean_text(text)
    return Output(kind, cleaned) if cleaned.strip() else None


def _richest(data: Mapping[str, Any], name: str, allowance: Allowance) -> Output | None:
    others = [str(kind)[:60] for kind in data if kind not in _HARMLESS]
    left_out = clean_text(", ".join(sorted(others)[:5]))
    for kind in _PICTURES:
        if kind in data and (address := _picture(joined(data[kind]))):
            return Output("picture", address, left_out)
    if "text/html" in data:
        html = clean_html(joined(data["text/html"]))
        if html is not None:
            return Output("html", html, left_out)
        left_out = left_out or "text/html"
    if markdown := joined(data.get("text/markdown")):
        rendered = allowance.render(markdown, name)
        return Output("html", rendered, left_out) if rendered is not None else _text(markdown, "text")
    found = _text(joined(data.get("text/plain")) or joined(data.get("text/latex")), "text")
    if found is None and not left_out:
        return None
    return Output("text", found.text if found else "", left_out)


def _picture(text: str) -> str | None:
    if len(text) > MAX_PICTURE_BYTES * 3 // 2:
        return None
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = picture_type(data)
    return f"data:{kind};base64,{base64.b64encode(data).decode()}" if kind else None
