"""Pages: write or delete one file of a project, as a commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import Conflict, NotFound, ValidationFailed
from projects import services, source
from projects.forms import FileDeleteForm, FileForm
from projects.models import Project
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from projects.source.paths import check_folder
from projects.source_views import files_address


class FileEditView(ProjectPage):
    """Write a file: the one at `?path=`, or a new one."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "projects/file_edit.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show the form with the newest content."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        path = request.GET.get("path", "")
        head = source.check_commit(project, None)
        initial: dict[str, Any] = {"expected_head": head}
        if folder := check_folder(request.GET.get("folder", "")):
            initial["path"] = f"{folder}/"
        if path:
            initial |= {"content": _editable(project, head, path), "message": f"Change {path}"}
        return self._show(project, path, FileForm(initial=initial, path=path))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Commit it."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        path = request.GET.get("path", "")
        form = FileForm(request.POST, path=path)

        def write(values: dict[str, Any]) -> str:
            target = path or values["path"]
            # Browsers send line ends as CR LF.
            content = values["content"].replace("\r\n", "\n").encode()
            return services.commit(
                project,
                {target: content},
                message=values["message"],
                expected_head=values["expected_head"],
                acting_user=actor_of(request),
            )

        sha, status = self.save(form, write)
        if sha is None:
            changed = _put_on_top(form, project, path) if status == Conflict.status else None
            return self._show(project, path, form, status, changed)
        target = path or form.cleaned_data["path"]
        messages.success(request, f"{target} is committed as {sha[:12]}.")
        return redirect(files_address(project, target))

    def _show(
        self, project: Project, path: str, form: FileForm, status: int = 200, meanwhile: Meanwhile | None = None
    ) -> HttpResponse:
        title = f"Edit {path}" if path else "New file"
        back = files_address(project, path)
        context = {
            "project": project,
            "path": path,
            "form": form,
            "title": title,
            "cancel_url": back,
            "meanwhile": meanwhile,
        }
        crumbs = project_crumbs(project, ("Files", reverse("project-files", args=[project.pk])), (title, ""))
        return self.page(context, crumbs=crumbs, status=status)


class FileDeleteView(ProjectPage):
    """Delete the file at `?path=`."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Ask why."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        path, head = request.GET.get("path", ""), source.check_commit(project, None)
        source.read_file(project, head, path, 0)
        initial = {"expected_head": head, "message": f"Delete {path}"}
        return self._show(project, path, FileDeleteForm(initial=initial))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Commit the deletion."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        path = request.GET.get("path", "")
        form = FileDeleteForm(request.POST)
        sha, status = self.save(
            form, lambda values: services.commit(project, {path: None}, **values, acting_user=actor_of(request))
        )
        if sha is None:
            return self._show(project, path, form, status)
        messages.success(request, f"{path} is deleted by commit {sha[:12]}.")
        return redirect("project-files", project.pk)

    def _show(self, project: Project, path: str, form: FileDeleteForm, status: int = 200) -> HttpResponse:
        context = {
            "title": f"Delete {path}",
            "explanation": "The file goes from the newest commit on. Older commits keep it.",
            "submit": "Delete file",
            "cancel_url": files_address(project, path),
            "danger": True,
            "form": form,
        }
        files = reverse("project-files", args=[project.pk])
        return self.page(context, crumbs=project_crumbs(project, ("Files", files), ("Delete", "")), status=status)


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What others committed while a person typed. `is_merged`: the form holds both changes; `diff` is of this file."""

    seen: str
    is_merged: bool
    diff: source.Comparison | None


def _put_on_top(form: FileForm, project: Project, path: str) -> Meanwhile:
    """Let the person, who has been told that somebody was faster, send their text again on top of that.

    Where both changed different lines of the file, the form has both changes.
    """
    newest, seen = source.check_commit(project, None), str(form.data.get("expected_head", ""))
    mine = str(form.data.get("content", "")).replace("\r\n", "\n")
    values = {name: form.data.get(name, "") for name in form.fields}
    form.data = {**values, "expected_head": newest, "content": mine}
    if not path:
        return Meanwhile(seen, False, None)
    try:
        base, theirs = _editable(project, seen, path), _editable(project, newest, path)
    except (NotFound, ValidationFailed):
        return Meanwhile(seen, False, None)
    changed = source.compare(project, seen, newest, path)
    merged = source.merge_texts(mine, base, theirs) if changed.files else None
    if merged is not None:
        form.data["content"] = merged
    return Meanwhile(seen, merged is not None, changed)


def _editable(project: Project, commit: str, path: str) -> str:
    content = source.read_file(project, commit, path)
    text = content.text
    if content.is_truncated:
        raise ValidationFailed(
            f"{path} has {content.size / 1024**2:,.0f} MiB; a page edits files of "
            f"{source.MAX_FILE_BYTES // 1024**2} MiB at most.",
            remedy="Change it in a session, or in a clone of your own, and push it.",
        )
    if text is None:
        raise ValidationFailed(
            f"{path} is no text that a page could edit.", remedy="Change it through the API, or in a copy of your own."
        )
    return text
