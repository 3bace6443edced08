"""The tags that every page is made of: `{% load ui %}`. docs/ui.md shows each with an example."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.template import Context, Library
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from modelwright.core.listing import Listing
from modelwright.core.looks import duration as duration_words
from modelwright.core.looks import look_of, relative, size, words
from modelwright.core.text import plain

register = Library()
register.filter("plain", plain)
# In place of Django's, so that a size of 2 GiB does not read "2.0 GB" on the next page.
register.filter("filesizeformat", size)
DIGEST_LENGTH = 12
MAX_UNBROKEN = 20


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """A decorative icon of static/img/icons.svg; words must stand beside it."""
    return format_html(
        '<svg class="icon icon-{} {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        name,
        css,
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def state_badge(state: str, label: str = "", tone: str = "") -> SafeString:
    """A state as text with an icon and a colour."""
    usual_tone, symbol = look_of(str(state))
    return format_html(
        '<span class="badge tone-{}">{}{}</span>', tone or usual_tone, icon(symbol), label or words(str(state))
    )


@register.simple_tag
def tag_badge(label: str, tone: str = "idle") -> SafeString:
    """A plain label: a role, a kind, an alias."""
    return format_html('<span class="badge plain tone-{}">{}</span>', tone, label)


@register.simple_tag
def moment(value: datetime | None, style: str = "relative", none: str = "—") -> SafeString | str:
    """A time. `relative`: "3 min ago" with the full time as title; `full`: both; `absolute`: the full time."""
    if value is None:
        return none
    local = timezone.localtime(value)
    text, ago = f"{local:%Y-%m-%d %H:%M:%S} {local:%Z}", relative(value, timezone.now())
    shown = {"relative": ago, "absolute": text}.get(style, f"{text} ({ago})")
    # A printed page tells the full time of a relative one.
    css = {"full": "", "absolute": "nowrap"}.get(style, "nowrap relative")
    return format_html('<time datetime="{}" title="{}" class="{}">{}</time>', local.isoformat(), text, css, shown)


@register.filter
def duration(seconds: float | None) -> str:
    """A number of seconds in words, "—" for None."""
    return "—" if seconds is None else duration_words(float(seconds))


@register.filter
def unless(value: str, condition: object) -> str:
    """The value, or nothing where `condition` holds: a state that would grow stale, while another part is live."""
    return "" if condition else value


@register.filter
def figure(value: object) -> str:
    """A number to six significant digits, "—" for None; anything else as it is."""
    if value is None:
        return "—"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@register.filter
def small_first(text: str) -> str:
    """A label inside a sentence: its first letter small, the others as they are."""
    return text[:1].lower() + text[1:]


@register.filter
def pretty_json(value: object) -> str:
    """A JSON value, indented."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.filter
def state_words(value: str) -> str:
    """A state or another identifier as words: underscores and hyphens become spaces."""
    return words(str(value))


@register.simple_tag
def copy_button(text: object, label: str = "Copy", bare: bool = False) -> SafeString:
    """A button that copies `text`; absent where scripts or the clipboard are not to be had."""
    return format_html(
        '<button type="button" class="copy {}" data-copy="{}" hidden>{}<span class="{}" data-copy-status="{}" '
        'aria-live="polite">{}</span></button>',
        "bare" if bare else "button small",
        text,
        icon("copy"),
        "visually-hidden" if bare else "",
        label,
        label,
    )


@register.simple_tag
def digest(value: object, length: int = DIGEST_LENGTH) -> SafeString | str:
    """A digest or id: its beginning, the whole as title, and a copy button. "—" for nothing."""
    text = str(value or "")
    if not text:
        return "—"
    copy = copy_button(text, label=f"Copy {text[:length]}", bare=True)
    css = "digest long" if length > MAX_UNBROKEN else "digest"
    return format_html('<span class="{}"><code title="{}">{}</code>{}</span>', css, text, text[:length], copy)


@register.simple_block_tag(end_name="end_page_header")
def page_header(
    content: str, title: str, subtitle: str = "", eyebrow: str = "", state: str = "", badge: str = ""
) -> SafeString:
    """The page's h1 with a subtitle; the block's content are its actions."""
    context = {"title": title, "subtitle": subtitle, "eyebrow": eyebrow, "state": state, "badge": badge}
    return render_to_string("components/page_header.html", context | {"actions": content})


@register.simple_block_tag(end_name="end_card")
def card(content: str, title: str = "", flush: bool = False, id: str = "", action: str = "", action_url: str = "",
         danger: bool = False) -> SafeString:  # fmt: skip
    """A titled section. `flush` for a table, filter bar or log that reaches its edges."""
    context = {"title": title, "flush": flush, "id": id, "action": action, "action_url": action_url, "danger": danger}
    return render_to_string("components/card.html", context | {"content": content})


@register.simple_block_tag(end_name="end_table")
def table(content: str, listing: Listing[Any] | None = None, label: str = "", columns: str = "") -> SafeString:
    """A table in a region that scrolls by itself; the block's content are the body's rows.

    The head comes from `listing`, or from `columns`: labels between `|`, numeric ones with `#` in front.
    """
    plain = [{"label": one.lstrip("#"), "numeric": one.startswith("#")} for one in columns.split("|") if columns]
    context = {"listing": listing, "label": label, "columns": plain, "body": content}
    return render_to_string("components/table.html", context)


@register.simple_block_tag(end_name="end_empty")
def empty(content: str, title: str, symbol: str = "inbox") -> SafeString:
    """What stands where nothing is; the block's content says what to do about it."""
    return render_to_string("components/empty.html", {"title": title, "symbol": symbol, "content": content})


@register.simple_block_tag(end_name="end_notice")
def notice(content: str, tone: str = "busy") -> SafeString:
    """A remark in a box: `tone` is busy (information), ok, warn or bad."""
    symbol = {"ok": "check", "warn": "warn", "bad": "cross"}.get(tone, "info")
    return format_html('<div class="notice tone-{}">{}<div>{}</div></div>', tone, icon(symbol), content)


@register.simple_tag(takes_context=True)
def post_button(context: Context, url: str, label: str, css: str = "", symbol: str = "", about: str = "") -> SafeString:
    """A form with one button, for a write that needs no question. `about` tells screen readers which thing."""
    request = context.get("request")
    own = {"url": url, "label": label, "css": css, "symbol": symbol, "about": about}
    return render_to_string("components/post_button.html", own, request=request)


@register.simple_tag(takes_context=True)
def nav_link(context: Context, name: str, label: str, *also: str) -> SafeString | str:
    """An item of the main navigation, current on its own address and on those that begin as `also` says.

    Nothing where this installation has no such route.
    """
    url = url_or_empty(name)
    if not url:
        return ""
    path = getattr(context.get("request"), "path", "")
    current = "page" if path == url else "true" if path.startswith((url, *also)) else ""
    return render_to_string("components/nav_link.html", {"url": url, "label": label, "current": current})


@register.simple_tag
def url_or_empty(name: str, *args: object) -> str:
    """The address of a route, or nothing where this installation has no such route."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


@register.simple_tag
def link_to(name: str, *args: object, label: object) -> SafeString:
    """A link to a route, or its label alone where this installation has no such route."""
    url = url_or_empty(name, *args)
    return format_html('<a href="{}">{}</a>', url, label) if url else format_html("{}", label)


@register.filter
def inline_code(text: str) -> SafeString:
    """Plain text in which what stands between backticks is code."""
    if isinstance(text, SafeString):
        return text
    parts = str(text).split("`")
    pieces = [format_html("<code>{}</code>", part) if i % 2 else escape(part) for i, part in enumerate(parts)]
    return mark_safe("".join(pieces))  # noqa: S308 - every piece is escaped above


@register.filter
def tone_of(level_tag: str) -> str:
    """The tone for one of Django's message levels."""
    return {"success": "ok", "error": "bad", "warning": "warn"}.get(level_tag, "busy")


@register.filter
def symbol_of(level_tag: str) -> str:
    """The icon for one of Django's message levels."""
    return {"success": "check", "error": "cross", "warning": "warn"}.get(level_tag, "info")


@register.filter
def field_kind(bound_field: Any) -> str:
    """`check` for a checkbox, `group` for radio buttons and the like, else `plain`."""
    widget = bound_field.field.widget
    if getattr(widget, "input_type", "") == "checkbox" and not hasattr(widget, "option_inherits_attrs"):
        return "check"
    return "group" if getattr(widget, "use_fieldset", False) else "plain"
