"""HTML and text of a notebook, made harmless.

HTML keeps tables and plain text marks, without any attribute that could load, name, style or do something; everything
else is left out. The policy of every page, which allows nothing inline and nothing from elsewhere, stands behind it.
"""

from __future__ import annotations

import re

import nh3
from django.utils.safestring import SafeString

MAX_HTML = 500_000
MAX_TEXT = 100_000
_TAGS = {
    *("table", "thead", "tbody", "tfoot", "tr", "th", "td", "caption"),
    *("p", "div", "span", "br", "hr", "pre", "code", "b", "i", "em", "strong", "sub", "sup", "ul", "ol", "li"),
}
_SPANS = {"colspan", "rowspan"}
# What they hold is no text for people.
_WITHOUT_CONTENT = {"script", "style", "template", "noscript", "iframe", "object", "svg", "math", "title", "textarea"}
# A heading without words would be announced as one.
_EMPTY_HEADING = re.compile(r"<th(?: (?:col|row)span=\"\d*\")*>\s*</th>")
_NOT_DIGITS = re.compile(r" (?:col|row)span=\"(?!\d{1,3}\")[^\"]*\"")
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean_html(text: str) -> SafeString | None:
    """The HTML without what could do anything; None where no words are left of it."""
    cleaned = nh3.clean(
        text[:MAX_HTML],
        tags=_TAGS,
        clean_content_tags=_WITHOUT_CONTENT,
        # Without the first of these, `title` and `lang` stay on every element.
        attributes={"*": set(), "td": _SPANS, "th": _SPANS},
        url_schemes=set(),
        link_rel=None,
        strip_comments=True,
    )
    cleaned = _EMPTY_HEADING.sub("<td></td>", _NOT_DIGITS.sub("", cleaned))
    return SafeString(cleaned) if re.sub(r"<[^>]*>", "", cleaned).strip() else None


def clean_text(text: str) -> str:
    """What a terminal would show in the end: no colours, of a line that was written over the last state."""
    text = _ESCAPES.sub("", text[: 2 * MAX_TEXT])
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    shown = _UNSEEN.sub("", "\n".join(lines))
    return shown if len(shown) <= MAX_TEXT else f"{shown[:MAX_TEXT]}\n… (more is left out)"
