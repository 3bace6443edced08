"""Pages: a ZIP of the files, what changed between two versions, another name, an earlier version, files to upload."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import Conflict
from projects import source
from projects.files import services
from projects.files.answers import archive_answer
from projects.files.forms import CompareForm, OnTopForm, RenameForm, UploadForm
from projects.models import Project
from projects.navigation import project_crumbs
from projects.pages import ProjectPage
from projects.source.paths import check_folder
from projects.source_views import files_address


class ArchiveView(ProjectPage):
    """All files of a commit as a ZIP, to be saved."""

    permissions = {"GET": Permission.PROJECT_VIEW}

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Answer it."""
        project = self.project(request, project_id)
        return archive_answer(request, project, source.resolve(project, request.GET.get("commit", "")))


class CompareView(ProjectPage):
    """What changed from `?base=` to `?target=`, of `?path=` where it is given; a form where nothing is chosen yet."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "projects/compare.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show it."""
        project = self.project(request, project_id)
        path, base, target = (request.GET.get(name, "") for name in ("path", "base", "target"))
        path = check_folder(path)
        context: dict[str, Any] = {**self.frame(request, project), "path": path}
        context["form"] = CompareForm(initial={"base": base, "target": target})
        context["references"] = source.list_references(project)
        if base:
            first = source.resolve(project, base, field="base")
            second = source.resolve(project, target, field="target")
            context["diff"] = source.compare(project, first, second, path)
        history = reverse("project-history", args=[project.pk])
        return self.page(context, crumbs=project_crumbs(project, ("History", history), ("Compare", "")))


class _WritePage(ProjectPage):
    """A page with a form that makes a commit on top of the newest one."""

    permissions = {"GET": Permission.PROJECT_EDIT, "POST": Permission.PROJECT_EDIT}
    template = "components/confirm_page.html"

    def show(
        self, project: Project, title: str, form: OnTopForm, context: dict[str, Any], status: int = 200
    ) -> HttpResponse:
        """The page, below the project's files. Where somebody was faster, it is sent on top of that the next time."""
        if status == Conflict.status:
            form.data = {
                **{name: form.data.get(name, "") for name in form.fields},
                "expected_head": source.head(project) or "",
            }
        files = reverse("project-files", args=[project.pk])
        crumbs = project_crumbs(project, ("Files", files), (title, ""))
        full = {**self.frame(self.request, project), "title": title, "form": form, "cancel_url": files, **context}
        return self.page(full, crumbs=crumbs, status=status)


class FileRenameView(_WritePage):
    """Another path for the file at `?path=`."""

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Ask which."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        path, head = request.GET.get("path", ""), source.check_commit(project, None)
        source.stored_file(project, head, path)
        initial = {"expected_head": head, "new_path": path, "message": f"Rename {path}"}
        return self._ask(project, path, RenameForm(initial=initial))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Commit it."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        path, form = request.GET.get("path", ""), RenameForm(request.POST)
        sha, status = self.save(
            form, lambda values: services.rename_file(project, path, **values, acting_user=actor_of(request))
        )
        if sha is None:
            return self._ask(project, path, form, status)
        new_path = form.cleaned_data["new_path"]
        messages.success(request, f"{path} is {new_path} now, by commit {sha[:12]}.")
        return redirect(files_address(project, new_path))

    def _ask(self, project: Project, path: str, form: RenameForm, status: int = 200) -> HttpResponse:
        context = {
            "explanation": "A new commit has the file, as it is, under the new path. Older commits keep the old one.",
            "consequences": ["Scripts, steps and links that name the old path are not changed."],
            "submit": "Rename file",
            "cancel_url": files_address(project, path),
        }
        return self.show(project, f"Rename {path}", form, context, status)


class RestoreView(_WritePage):
    """The file at `?path=`, or all files, as they were in `?commit=`."""

    template = "projects/restore.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Say what it will do."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        path, commit, head = self._wanted(request, project)
        what = path or "all files"
        message = f"Restore {what} as of {commit[:12]}"
        return self._ask(project, path, commit, head, OnTopForm(initial={"expected_head": head, "message": message}))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Commit it."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        path, commit, head = self._wanted(request, project)
        form = OnTopForm(request.POST)
        sha, status = self.save(
            form, lambda values: services.restore(project, commit, path, **values, acting_user=actor_of(request))
        )
        if sha is None:
            return self._ask(project, path, commit, head, form, status)
        messages.success(request, f"{path or 'All files'} restored as of {commit[:12]}, by commit {sha[:12]}.")
        return redirect(files_address(project, path))

    def _wanted(self, request: HttpRequest, project: Project) -> tuple[str, str, str]:
        path = request.GET.get("path", "")
        commit = source.resolve(project, request.GET.get("commit", ""))
        if path:
            source.stored_file(project, commit, path)
        return path, commit, source.check_commit(project, None)

    def _ask(
        self, project: Project, path: str, commit: str, head: str, form: OnTopForm, status: int = 200
    ) -> HttpResponse:
        changed = source.compare(project, head, commit, path)
        context = {
            "explanation": "A new commit has them as they were. Nothing of the history goes, and runs and models that "
            "name later commits keep them.",
            "diff": changed,
            "path": path,
            "submit": "Restore",
            "cancel_url": reverse("project-commit", args=[project.pk, commit]),
        }
        title = f"Restore {path or 'all files'} as of {commit[:12]}"
        return self.show(project, title, form, context, status)


class UploadView(_WritePage):
    """Files from a person's machine into the folder `?path=`."""

    template = "projects/upload.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Ask for them."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        folder, head = check_folder(request.GET.get("path", "")), source.check_commit(project, None)
        form = UploadForm(initial={"expected_head": head, "message": "Upload files"})
        return self._ask(project, folder, form)

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Commit them."""
        project = self.project(request, project_id, Permission.PROJECT_EDIT)
        folder, form = check_folder(request.GET.get("path", "")), UploadForm(request.POST, request.FILES)

        def write(values: dict[str, Any]) -> str:
            given = values.pop("uploads")
            # One byte more than a file may have tells that it has too many.
            files = [services.Upload(one.name or "", one.read(source.MAX_FILE_BYTES + 1)) for one in given]
            return services.upload(project, folder, files, **values, acting_user=actor_of(request))

        sha, status = self.save(form, write)
        if sha is None:
            return self._ask(project, folder, form, status)
        count = len(request.FILES.getlist("uploads"))
        messages.success(request, f"{count} file{'s are' if count != 1 else ' is'} committed as {sha[:12]}.")
        return redirect(files_address(project, folder))

    def _ask(self, project: Project, folder: str, form: UploadForm, status: int = 200) -> HttpResponse:
        context = {"folder": folder, "cancel_url": files_address(project, folder)}
        return self.show(project, f"Upload to {folder or project.name}", form, context, status)
