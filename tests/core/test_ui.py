"""The tags that pages are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.conf import settings
from django.template import Context, Template
from django.utils import timezone

from modelwright.core.errors import FieldError, ValidationFailed
from modelwright.core.forms import show_problem
from modelwright.core.looks import LOOKS, duration, relative

TEMPLATES = Path(settings.BASE_DIR) / "templates"


def render(template: str, **context: Any) -> str:
    return Template("{% load ui %}" + template).render(Context(context))


def test_a_badge_says_its_state_in_words_with_an_icon() -> None:
    html = render("{% state_badge state %}", state="out_of_memory")
    assert "out of memory" in html
    assert "#memory" in html
    assert "tone-bad" in html


def test_a_log_is_shown_without_what_colours_a_terminal() -> None:
    html = render('{% include "components/log.html" with text=text %}', text="\x1b[31m\x1b[1mWARNING\x1b[0m: <b>[0m\n")
    assert ">WARNING: &lt;b&gt;[0m\n</pre>" in html


def test_unknown_state_is_plain() -> None:
    assert "tone-idle" in render("{% state_badge state %}", state="never-heard-of")


def test_every_icon_exists() -> None:
    sprite = (Path(settings.BASE_DIR) / "static/img/icons.svg").read_text()
    assert all(f'id="{symbol}"' in sprite for _, symbol in LOOKS.values())


@pytest.mark.parametrize("tag", ["{% state_badge x %}", "{% digest x %}", "{% copy_button x %}", "{% tag_badge x %}"])
def test_values_are_escaped(tag: str) -> None:
    assert "<script>" not in render(tag, x='<script>"')


def test_block_tags_keep_markup_of_the_block_and_escape_arguments() -> None:
    html = render("{% card title %}<b>bold</b>{{ value }}{% end_card %}", title="<i>", value="<u>")
    assert "<b>bold</b>" in html
    assert "&lt;i&gt;" in html
    assert "&lt;u&gt;" in html


def test_inline_code_escapes_everything() -> None:
    html = render("{{ text|inline_code }}", text="use `<b>` <i>")
    assert html == "use <code>&lt;b&gt;</code> &lt;i&gt;"


def test_moment_gives_both_forms() -> None:
    html = render("{% moment when 'full' %}", when=timezone.now() - timedelta(minutes=3))
    assert "3 min ago" in html
    assert "UTC" in html
    assert render("{% moment none_ none='never' %}", none_=None) == "never"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (2, "just now"),
        (59, "59 s ago"),
        (61, "1 min ago"),
        (7200, "2 h ago"),
        (86400, "1 day ago"),
        (-600, "in 10 min"),
    ],
)
def test_relative(seconds: int, words: str) -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    assert relative(now - timedelta(seconds=seconds), now) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.42, "0.4 s"), (12.9, "12 s"), (184, "3 min 4 s"), (1800, "30 min"), (7500, "2 h 5 min"), (90000, "1 day 1 h")],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_problem_stands_beside_its_field_and_else_above_the_form() -> None:
    class NameForm(forms.Form):
        name = forms.CharField()

    form = NameForm({"name": "x"})
    assert form.is_valid()
    error = ValidationFailed("no", errors=(FieldError("name", "Taken.", "Choose another."), FieldError("else", "Bad.")))
    show_problem(form, error)
    assert form.errors == {"name": ["Taken. Choose another."], "__all__": ["Bad."]}


def test_what_is_wrong_with_an_entry_of_a_field_names_it_there() -> None:
    class JobForm(forms.Form):
        variables = forms.CharField()
        revision = forms.CharField(widget=forms.HiddenInput())

    form = JobForm({"variables": "PATH = x", "revision": "1"})
    assert form.is_valid()
    entries = ("variables.PATH", "variables[2]", "revision.x", "other.y")
    show_problem(form, ValidationFailed("no", errors=tuple(FieldError(name, "Set already.") for name in entries)))
    beside = ["PATH: Set already.", "2: Set already."]
    assert form.errors == {"variables": beside, "__all__": ["Set already.", "Set already."]}


def test_no_template_needs_what_the_policy_forbids() -> None:
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        for forbidden in (
            " style=",
            "<style",
            " onclick=",
            " onchange=",
            " onsubmit=",
            "hx-on",
            "javascript:",
            "|safe",
        ):
            assert forbidden not in text, f"{path.relative_to(TEMPLATES)} has {forbidden}"
        assert "<script>" not in text, f"{path.relative_to(TEMPLATES)} has an inline script"
