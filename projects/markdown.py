"""Markdown of a project as HTML that can do nothing: no HTML of its own, no images, no links but to web addresses."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

# A README's first heading stands below the page's h1 and the card's h2.
_HEADING_SHIFT = 2
_DEEPEST_HEADING = 6
MAX_CHARACTERS = 100_000


class _Renderer(RendererHTML):
    """Puts classes on what it renders, and tables into regions that scroll by themselves."""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"<h{_level(tokens[idx])}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"</h{_level(tokens[idx])}>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        number = sum(token.type == "table_open" for token in tokens[: idx + 1])
        region = f'<div class="table-region" role="region" tabindex="0" aria-label="Table {number} of {env["name"]}">'
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


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer)
    parser.enable("table").disable(["image", "html_block", "html_inline"])
    parser.validateLink = lambda url: url.lower().startswith(("https://", "http://"))  # type: ignore[method-assign]
    return parser


_PARSER = _parser()


class Allowance:
    """How much Markdown one page renders at most: some texts take a hundred times as long as others."""

    def __init__(self, characters: int = MAX_CHARACTERS) -> None:
        self._left = characters

    def render(self, text: str, name: str) -> SafeString | None:
        """As `render`; None where the page has rendered as much as it may, so that the text is shown as it is."""
        if len(text) > self._left:
            return None
        self._left -= len(text)
        return render(text, name)


def render(text: str, name: str = "the text") -> SafeString:
    """The beginning of `text` as HTML for a card of a page, on which `name` (the platform's words) is its only one."""
    # HTML is off and every text is escaped.
    return SafeString(_PARSER.render(text[:MAX_CHARACTERS], {"name": name}))
