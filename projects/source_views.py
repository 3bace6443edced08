"""Pages: a project's files and history. Files are shown as text and never as what they would be."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from modelwright.accounts.permissions import Permission
from modelwright.core.errors import NotFound, ValidationFailed
from projects import source
from projects.files.answers import file_answer, picture_type
from projects.models import Project
from projects.navigation import project_crumbs
from projects.notebooks import read_notebook
from projects.pages import ProjectPage
from projects.source.paths import check_folder

MAX_SHOWN_BYTES = 300_000
PAGE_SIZE = 50
NOTEBOOK = ".ipynb"


def files_address(project: Project, path: str = "", commit: str = "") -> str:
    """The address of a folder or file; of the newest commit where `commit` (an id, branch or tag) is empty."""
    query = urlencode({name: value for name, value in (("path", path), ("commit", commit)) if value})
    address = reverse("project-files", args=[project.pk])
    return f"{address}?{query}" if query else address


class FilesView(ProjectPage):
    """A folder or a file of a commit: `?path=` and `?commit=`, the root and the newest by default."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "projects/files.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show it."""
        project = self.project(request, project_id)
        path, wanted = check_folder(request.GET.get("path", "")), request.GET.get("commit", "")
        context: dict[str, Any] = {**self.frame(request, project), "path": path}
        names = [project.workspace.name, project.name]
        context["git_url"] = request.build_absolute_uri(reverse("git-references", args=names)).removesuffix(
            "/info/refs"
        )
        head = source.head(project)
        if head is None:
            return self.page({**context, "is_empty": True}, crumbs=project_crumbs(project, ("Files", "")))
        commit = source.resolve(project, wanted)
        is_newest = commit == head
        shown = "" if is_newest else wanted
        context |= {"commit": source.history(project, limit=1, start=commit)[0], "is_newest": is_newest}
        context |= {"references": source.list_references(project), "wanted": wanted or project.default_branch}
        context["way"] = self._way(project, path, shown)
        if path and (content := self._file(project, commit, path)):
            context |= {"file": content, "raw_url": self._raw(project, path, commit)}
            context["is_picture"] = picture_type(content.data) is not None
            if path.lower().endswith(NOTEBOOK) and not request.GET.get("as_text"):
                context |= self._notebook(project, commit, path)
            return self.page(context, crumbs=self._crumbs(project, path, shown), template="projects/file.html")
        entries = source.list_tree(project, commit, path)
        context["entries"] = [(entry, files_address(project, entry.path, shown)) for entry in entries]
        return self.page(context, crumbs=self._crumbs(project, path, shown))

    def _file(self, project: Project, commit: str, path: str) -> source.FileContent | None:
        try:
            return source.read_file(project, commit, path, MAX_SHOWN_BYTES)
        except NotFound:
            return None

    def _notebook(self, project: Project, commit: str, path: str) -> dict[str, Any]:
        try:
            content = source.read_file(project, commit, path)
            if content.is_truncated:
                raise ValidationFailed(
                    f"The notebook has {content.size / 1024**2:,.0f} MiB; pages show notebooks of "
                    f"{source.MAX_FILE_BYTES // 1024**2} MiB at most. Download it, or open it in a session."
                )
            return {"notebook": read_notebook(content.data)}
        except ValidationFailed as error:
            return {"notebook_problem": error}

    def _raw(self, project: Project, path: str, commit: str) -> str:
        query = urlencode({"path": path, "commit": commit})
        return f"{reverse('project-file-download', args=[project.pk])}?{query}"

    def _way(self, project: Project, path: str, commit: str) -> list[tuple[str, str]]:
        """Each folder on the way to `path`, with its address."""
        parts = path.split("/") if path else []
        steps = [("/".join(parts[: end + 1]), part) for end, part in enumerate(parts)]
        return [(project.name, files_address(project, "", commit))] + [
            (part, files_address(project, full, commit)) for full, part in steps
        ]

    def _crumbs(self, project: Project, path: str, commit: str) -> list[tuple[str, str]]:
        if not path:
            return project_crumbs(project, ("Files", ""))
        return project_crumbs(project, ("Files", files_address(project, "", commit)), (path, ""))


class FileDownloadView(ProjectPage):
    """A file of a commit, to be saved: never shown by the browser as what it is."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Answer its bytes."""
        project = self.project(request, project_id)
        commit = source.resolve(project, request.GET.get("commit", ""))
        return file_answer(request, project, source.read_file(project, commit, request.GET.get("path", "")))


class HistoryView(ProjectPage):
    """The commits of a project, newest first; those that touched `?path=` where it is given."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "projects/history.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """List them."""
        project = self.project(request, project_id)
        path, start = check_folder(request.GET.get("path", "")), request.GET.get("start", "")
        start = source.resolve(project, start, field="start") if start else ""
        commits = source.history(project, path, PAGE_SIZE + 1, start or None)
        older = ""
        if len(commits) > PAGE_SIZE:
            query = {"start": commits[PAGE_SIZE].sha, **({"path": path} if path else {})}
            older = f"?{urlencode(query)}"
        context = {
            **self.frame(request, project),
            "commits": commits[:PAGE_SIZE],
            "path": path,
            "older": older,
            "is_later_page": bool(start),
            "head": source.head(project),
        }
        return self.page(context, crumbs=project_crumbs(project, ("History", "")))


class CommitView(ProjectPage):
    """A commit and what it changed."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "projects/commit.html"

    def get(self, request: HttpRequest, project_id: UUID, sha: str) -> HttpResponseBase:
        """Show it."""
        project = self.project(request, project_id)
        found = source.diff(project, sha)
        context = {
            **self.frame(request, project),
            "diff": found,
            "is_newest": found.commit.sha == source.head(project),
            "files_url": files_address(project, "", found.commit.sha),
        }
        history = reverse("project-history", args=[project.pk])
        return self.page(context, crumbs=project_crumbs(project, ("History", history), (found.commit.sha[:12], "")))
