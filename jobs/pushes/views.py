"""Pages: what starts jobs on a push."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from jobs.models import Push, PushStart
from jobs.pushes import selectors, services
from jobs.pushes.forms import PushStartForm
from jobs.selectors import jobs_of
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import Crumbs
from projects.models import Project
from projects.navigation import project_crumbs
from projects.pages import ProjectPage

EDIT = Permission.PROJECT_EDIT


class PushPage(ProjectPage):
    """A page of one of them, or of all of a project."""

    def start(
        self, request: HttpRequest, start_id: UUID, permission: Permission = Permission.PROJECT_VIEW
    ) -> PushStart:
        """The one in whose project the person holds `permission`."""
        return selectors.get_push_start(person_of(request), start_id, permission)

    def secret(self, start: PushStart, secret: str, title: str) -> HttpResponse:
        """Show a secret, this once."""
        context = {"start": start, "text": secret, "title": title, "address": selectors.address_of(start)}
        return self.page(context, crumbs=start_crumbs(start, ("Secret", "")), template="jobs/push_secret.html")


def list_crumbs(project: Project, *more: tuple[str, str]) -> Crumbs:
    """The way to the list, and on."""
    jobs = ("Jobs", reverse("project-jobs", args=[project.pk]))
    return project_crumbs(project, jobs, ("On a push", reverse("project-push-starts", args=[project.pk])), *more)


def start_crumbs(start: PushStart, *more: tuple[str, str]) -> Crumbs:
    """The way to one, and on."""
    return list_crumbs(start.project, (start.name, reverse("push-start", args=[start.pk])), *more)


class PushStartsView(PushPage):
    """What starts jobs of the project on a push."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "jobs/push_starts.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """List them."""
        project = self.project(request, project_id)
        columns = [
            Column("Name", "name"),
            Column("Pushes to", "via"),
            Column("Branch", "branch"),
            Column("Starts", "job", "job__name"),
            Column("Runs are of", "maker", "maker__username"),
            Column("State", "active", "is_active"),
        ]
        filters = [
            Filter("q", "Name or job", ("name", "job__name")),
            Filter("via", "Pushes to", ("via",), PushStart.Via.choices),
        ]
        starts = selectors.push_starts_of(project)
        listing = Listing(starts, request.GET, columns=columns, filters=filters, default_sort="name")
        return self.page({**self.frame(request, project), "listing": listing}, crumbs=list_crumbs(project))


@method_decorator(never_cache, name="dispatch")
class PushStartCreateView(PushPage):
    """Have pushes start a job."""

    permissions = {"GET": EDIT, "POST": EDIT}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show the form."""
        project = self.project(request, project_id, EDIT)
        initial = {"job": request.GET.get("job", ""), "branch": project.default_branch}
        return self._show(project, PushStartForm(_jobs(project), initial=initial, is_new=True))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Make it, and show the secret of a webhook."""
        project = self.project(request, project_id, EDIT)
        form = PushStartForm(_jobs(project), request.POST, is_new=True)
        made, status = self.save(
            form, lambda values: services.create_push_start(project, **values, acting_user=actor_of(request))
        )
        if made is None:
            return self._show(project, form, status)
        start, secret = made
        if secret:
            return self.secret(start, secret, "The webhook is made")
        messages.success(request, f"Pushes start {start.job.name} from now on.")
        return redirect("push-start", start.pk)

    def _show(self, project: Project, form: PushStartForm, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": "Start a job on a push",
            "intro": "Pushes to this project's repository, or to one elsewhere that tells of them by a webhook.",
            "submit": "Add",
            "cancel_url": reverse("project-push-starts", args=[project.pk]),
        }
        return self.page(context, crumbs=list_crumbs(project, ("New", "")), status=status)


def _jobs(project: Project) -> list[str]:
    return [job.name for job in jobs_of(project)]


class PushStartView(PushPage):
    """One of them, with the pushes that were told."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "jobs/push_start.html"

    def get(self, request: HttpRequest, start_id: UUID) -> HttpResponseBase:
        """Show it."""
        start = self.start(request, start_id)
        columns = [
            Column("When", "when", "created_at"),
            Column("Branch", "branch"),
            Column("Commit"),
            Column("What came of it", "outcome"),
            Column("From"),
        ]
        filters = [
            Filter("q", "Branch", ("branch",)),
            Filter("outcome", "What came of it", ("outcome",), Push.Outcome.choices),
        ]
        pushes = selectors.pushes_of(start)
        context = {
            **self.frame(request, start.project),
            "start": start,
            "address": selectors.address_of(start),
            "listing": Listing(pushes, request.GET, columns=columns, filters=filters, default_sort="-when"),
        }
        return self.page(context, crumbs=start_crumbs(start))


class PushStartEditView(PushPage):
    """Change one."""

    permissions = {"GET": EDIT, "POST": EDIT}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, start_id: UUID) -> HttpResponseBase:
        """Show the form."""
        start = self.start(request, start_id, EDIT)
        initial = {name: getattr(start, name) for name in ("branch", "description", "is_active")}
        initial["job"] = start.job.name
        return self._show(start, PushStartForm(_jobs(start.project), initial=initial, is_new=False))

    def post(self, request: HttpRequest, start_id: UUID) -> HttpResponseBase:
        """Save it."""
        start = self.start(request, start_id, EDIT)
        form = PushStartForm(_jobs(start.project), request.POST, is_new=False)

        def write(values: dict[str, Any]) -> PushStart:
            return services.change_push_start(start, **values, acting_user=actor_of(request))

        changed, status = self.save(form, write)
        if changed is None:
            return self._show(start, form, status)
        messages.success(request, "Saved. Its runs are yours from now on.")
        return redirect("push-start", start.pk)

    def _show(self, start: PushStart, form: PushStartForm, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": f"Change {start.name}",
            "submit": "Save",
            "cancel_url": reverse("push-start", args=[start.pk]),
        }
        return self.page(context, crumbs=start_crumbs(start, ("Change", "")), status=status)


@method_decorator(never_cache, name="dispatch")
class PushStartSecretView(PushPage):
    """Give a webhook another secret."""

    permissions = {"GET": EDIT, "POST": EDIT}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, start_id: UUID) -> HttpResponseBase:
        """Ask whether to: the server that posts knows the one before."""
        start = self.start(request, start_id, EDIT)
        context = {
            "title": f"Another secret for {start.name}",
            "explanation": "The secret that the server of the repository has now is worthless at once. "
            "This cannot be undone.",
            "consequences": (
                "Until that server has the new one, its pushes are refused and start nothing.",
                "The new one is shown once, on the next page.",
            ),
            "submit": "Make another secret",
            "cancel_url": reverse("push-start", args=[start.pk]),
            "danger": True,
        }
        return self.page(context, crumbs=start_crumbs(start, ("Secret", "")))

    def post(self, request: HttpRequest, start_id: UUID) -> HttpResponseBase:
        """Make it and show it, this once."""
        start = self.start(request, start_id, EDIT)
        return self.secret(start, services.make_secret(start, acting_user=actor_of(request)), "The secret is made")


class PushStartDeleteView(PushPage):
    """Delete one."""

    permissions = {"GET": EDIT, "POST": EDIT}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, start_id: UUID) -> HttpResponseBase:
        """Ask."""
        start = self.start(request, start_id, EDIT)
        context = {
            "title": f"Delete {start.name}",
            "explanation": f"Pushes do not start {start.job.name} this way any more. The runs stay.",
            "submit": "Delete",
            "cancel_url": reverse("push-start", args=[start.pk]),
            "danger": True,
        }
        return self.page(context, crumbs=start_crumbs(start, ("Delete", "")))

    def post(self, request: HttpRequest, start_id: UUID) -> HttpResponseBase:
        """Delete it."""
        start = self.start(request, start_id, EDIT)
        services.delete_push_start(start, acting_user=actor_of(request))
        messages.success(request, f"{start.name} is deleted.")
        return redirect("project-push-starts", start.project_id)
