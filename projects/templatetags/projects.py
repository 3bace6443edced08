"""Tags of the pages of a project, in every room: `{% load projects %}`."""

from __future__ import annotations

from django.template import Library
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from projects.models import Project
from projects.navigation import project_tabs

register = Library()


@register.simple_tag(name="project_tabs")
def tabs(project: Project, current: str) -> SafeString:
    """The sections of a project; `current` is the route's name, such as `project-runs`."""
    context = {"tabs": project_tabs(project, current), "label": "Sections of the project"}
    return render_to_string("components/tabs.html", context)


@register.simple_tag
def patch(text: str) -> SafeString:
    """A unified diff with a class for each line; the signs stay, so colour is not needed to read it."""
    return format_html_join("", '<span class="{}">{}\n</span>', ((_kind(line), line) for line in text.split("\n")))


def _kind(line: str) -> str:
    if line.startswith(("diff --git ", "index ", "--- ", "+++ ", "new file ", "deleted file ", "old mode", "new mode")):
        return "diff-file"
    return {"+": "diff-added", "-": "diff-removed", "@": "diff-place"}.get(line[:1], "diff-same")
