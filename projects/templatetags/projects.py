"""Tags of the pages of a project, in every room: `{% load projects %}`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.template import Library
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from projects.markdown import render
from projects.models import Project
from projects.navigation import project_tabs

register = Library()


@register.simple_tag(name="project_tabs")
def tabs(project: Project, current: str) -> SafeString:
    """The sections of a project; `current` is the route's name, such as `project-runs`."""
    context = {"tabs": project_tabs(project, current), "label": "Sections of the project"}
    return render_to_string("components/tabs.html", context)


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown of a project as HTML that can do nothing."""
    return render(text)


@register.simple_tag
def patch(text: str) -> SafeString:
    """A unified diff with a class for each line; the signs stay, so colour is not needed to read it."""
    return format_html_join("", '<span class="{}">{}\n</span>', _classified(text.rstrip("\n").split("\n")))


def _classified(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    in_hunk = False
    for line in lines:
        # Inside a hunk each line begins with a sign of its own.
        in_hunk = line.startswith("@@") or (in_hunk and not line.startswith("diff --git "))
        kinds = {"+": "diff-added", "-": "diff-removed", "@": "diff-place"}
        yield (kinds.get(line[:1], "diff-same") if in_hunk else "diff-file"), line
