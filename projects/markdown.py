"""Markdown of a project as HTML that can do nothing: no HTML of its own, no images, no links but to web addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.ruler import StateBase
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

# A README's first heading stands below the page's h1 and the card's h2.
_HEADING_SHIFT = 2
_DEEPEST_HEADING = 6
MAX_CHARACTERS = 100_000
# What the parser tries at most, which bounds its time to about half a second: what people write in as many characters
# takes a tenth of it; brackets that nobody closes, or a quotation that every line might end, a hundred times as much.
MAX_STEPS = 100_000


class _Renderer(RendererHTML):
    """Puts classes on what it renders, and tables into regions that scroll by themselves."""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"<h{_level(tokens[idx])}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"</h{_level(tokens[idx])}>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        env["tables"] += 1
        label = f"Table {env['tables']} of {env['name']}"
        region = f'<div class="table-region" role="region" tabindex="0" aria-label="{label}">'
        return f'{region}<table class="table">\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"

    # Alignment would come as a `style` attribute, which the policy forbids.
    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return '<th scope="col">' if tokens[idx + 1].content.strip() else "<td>"

    def th_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        # A heading without words would be announced as one.
        return "</th>\n" if tokens[idx - 1].content.strip() else "</td>\n"

    def td_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "<td>"

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return super().code_block(tokens, idx, options, env).replace("<pre>", '<pre class="code" tabindex="0">', 1)

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        tokens[idx].info = ""
        return super().fence(tokens, idx, options, env).replace("<pre>", '<pre class="code" tabindex="0">', 1)

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        tokens[idx].attrSet("rel", "noopener noreferrer nofollow")
        return self.renderToken(tokens, idx, options, env)


def _level(token: Token) -> int:
    return min(int(token.tag[1:]) + _HEADING_SHIFT, _DEEPEST_HEADING)


class _TooManySteps(Exception):
    """A text took all the steps that it may."""


def _step(state: StateBase, *_: object) -> bool:
    """A rule before all others that only counts; the parser comes by wherever it tries to read something."""
    state.env["steps"] -= 1
    if state.env["steps"] < 0:
        raise _TooManySteps
    return False


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer)
    parser.enable("table").disable(["image", "html_block", "html_inline"])
    parser.validateLink = lambda url: url.lower().startswith(("https://", "http://"))  # type: ignore[method-assign]
    within = ["paragraph", "reference", "blockquote", "list", "table"]
    parser.block.ruler.before("table", "step", _step, {"alt": within})
    parser.inline.ruler.before("text", "step", _step)
    return parser


_PARSER = _parser()


class Allowance:
    """How much Markdown one page renders at most: some texts take a hundred times as long as others."""

    def __init__(self, characters: int = MAX_CHARACTERS, steps: int = MAX_STEPS) -> None:
        self._characters, self._steps = characters, steps

    def render(self, text: str, name: str) -> SafeString | None:
        """`text` as HTML; None where the page has rendered as much as it may, so that the text is shown as it is."""
        if len(text) > self._characters:
            return None
        self._characters -= len(text)
        env: dict[str, Any] = {"name": name, "tables": 0, "steps": self._steps}
        try:
            # HTML is off and every text is escaped.
            return SafeString(_PARSER.render(text, env))
        except _TooManySteps:
            return None
        finally:
            self._steps = env["steps"]


def render(text: str, name: str = "the text") -> SafeString:
    """The beginning of `text` as HTML for a card of a page, on which `name` (the platform's words) is its only one.

    Where laying it out would keep the page too long it is shown as it is, with a word of why.
    """
    text = text[:MAX_CHARACTERS]
    html = Allowance().render(text, name)
    if html is not None:
        return html
    return format_html(
        "<p>The text is shown as it was written: its brackets, quotations or tables are nested so deep, or are so"
        " many, that laying it out would take too long.</p>"
        '<pre class="code" tabindex="0" role="region" aria-label="Source of {}"><code>{}</code></pre>',
        name,
        text,
    )
