"""Pages: add, change, pause and remove a sink; send dead letters again or give them up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from models.endpoints.models import Endpoint
from models.events import services
from models.events.forms import NewSinkForm, ReasonForm, SinkForm
from models.events.models import Family, Sink
from models.events.pages import MANAGE, EventsPage, Home, events_crumbs, events_url, sink_crumbs
from models.events.trying import send_test_event
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.core.errors import PlatformError, ValidationFailed
from projects.models import Project


def _endpoints(home: Home) -> list[Endpoint]:
    found = Endpoint.objects.filter(project=home) if isinstance(home, Project) else home.endpoints.all()
    return list(found.order_by("name")[:200])


@method_decorator(never_cache, name="dispatch")
class SinkCreateView(EventsPage):
    """Add a sink."""

    permissions = {"GET": MANAGE, "POST": MANAGE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Show the form."""
        return self.ask(self.project(request, project_id, MANAGE))

    def post(self, request: HttpRequest, project_id: UUID) -> HttpResponseBase:
        """Add it and show its secret, this once."""
        return self.add(request, self.project(request, project_id, MANAGE))

    def ask(self, home: Home) -> HttpResponseBase:
        """The empty form."""
        return self._show(home, NewSinkForm(_endpoints(home)))

    def add(self, request: HttpRequest, home: Home) -> HttpResponseBase:
        """Add the sink of the form."""
        form = NewSinkForm(_endpoints(home), request.POST)
        made, status = self.save(
            form, lambda values: services.create_sink(home, **_parsed(values), acting_user=actor_of(request))
        )
        if made is None:
            return self._show(home, form, status)
        sink, secret = made
        return _secret(self, sink, secret, "The sink is added")

    def _show(self, home: Home, form: forms.Form, status: int = 200) -> HttpResponse:
        whose = "the project" if isinstance(home, Project) else "all projects of the workspace, those to come too,"
        context = {
            "form": form,
            "title": "New sink of events",
            "intro": f"Events of {whose} are posted there as CloudEvents, each at least once, those of one "
            "prediction or endpoint in order.",
            "submit": "Add sink",
            "cancel_url": events_url(home),
        }
        return self.page(context, crumbs=events_crumbs(home, ("New sink", "")), status=status)


@method_decorator(never_cache, name="dispatch")
class WorkspaceSinkCreateView(SinkCreateView):
    """Add a sink for all projects of a workspace."""

    permissions = {"GET": Permission.WORKSPACE_MANAGE, "POST": Permission.WORKSPACE_MANAGE}

    def get(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """Show the form."""
        return self.ask(self.workspace(request, workspace_id))

    def post(self, request: HttpRequest, workspace_id: UUID) -> HttpResponseBase:
        """Add it and show its secret, this once."""
        return self.add(request, self.workspace(request, workspace_id))


class SinkEditView(EventsPage):
    """Change a sink."""

    permissions = {"GET": MANAGE, "POST": MANAGE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, sink_id: UUID) -> HttpResponseBase:
        """Show the form."""
        sink = self.sink(request, sink_id, MANAGE)
        initial = {name: getattr(sink, name) for name in ("description", "url", "mode", "families")}
        initial["endpoint_ids"] = [str(id_) for id_ in sink.endpoint_ids]
        return self._show(sink, SinkForm(_endpoints(sink.home), initial=initial))

    def post(self, request: HttpRequest, sink_id: UUID) -> HttpResponseBase:
        """Save it."""
        sink = self.sink(request, sink_id, MANAGE)
        form = SinkForm(_endpoints(sink.home), request.POST)
        changed, status = self.save(
            form, lambda values: services.change_sink(sink, **_parsed(values), acting_user=actor_of(request))
        )
        if changed is None:
            return self._show(sink, form, status)
        messages.success(request, "The sink is changed; what waits for it is sent there now.")
        return redirect("event-sink", sink.pk)

    def _show(self, sink: Sink, form: forms.Form, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": f"Change {sink.name}",
            "submit": "Save",
            "cancel_url": reverse("event-sink", args=[sink.pk]),
        }
        return self.page(context, crumbs=sink_crumbs(sink, ("Change", "")), status=status)


def _parsed(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "endpoint_ids": [UUID(id_) for id_ in values["endpoint_ids"]]}


def _secret(page: EventsPage, sink: Sink, secret: str, title: str) -> HttpResponse:
    context = {"sink": sink, "text": secret, "title": title, "families": Family.choices}
    return page.page(context, crumbs=sink_crumbs(sink, ("Secret", "")), template="events/secret_made.html")


@method_decorator(never_cache, name="dispatch")
class SinkSecretView(EventsPage):
    """Give a sink another secret."""

    permissions = {"GET": MANAGE, "POST": MANAGE}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, sink_id: UUID) -> HttpResponseBase:
        """Ask whether to: the receiver knows the one before."""
        sink = self.sink(request, sink_id, MANAGE)
        context = {
            "title": f"Another secret for {sink.name}",
            "explanation": "The secret that the receiver has now is worthless at once. This cannot be undone.",
            "consequences": (
                "Until the receiver has the new one, it refuses what is sent; that waits and is sent again.",
                "The new one is shown once, on the next page.",
            ),
            "submit": "Make another secret",
            "cancel_url": reverse("event-sink", args=[sink.pk]),
            "danger": True,
        }
        return self.page(context, crumbs=sink_crumbs(sink, ("Secret", "")))

    def post(self, request: HttpRequest, sink_id: UUID) -> HttpResponseBase:
        """Make it and show it, this once."""
        sink = self.sink(request, sink_id, MANAGE)
        return _secret(self, sink, services.make_secret(sink, acting_user=actor_of(request)), "The secret is made")


class QuestionPage(EventsPage):
    """A question before something is done to a sink."""

    permissions = {"GET": MANAGE, "POST": MANAGE}
    template = "components/confirm_page.html"
    submit, explanation, done = "", "", ""
    consequences: tuple[str, ...] = ()
    danger = True

    def get(self, request: HttpRequest, sink_id: UUID) -> HttpResponseBase:
        """Ask."""
        return self._show(self.sink(request, sink_id, MANAGE), ReasonForm())

    def post(self, request: HttpRequest, sink_id: UUID) -> HttpResponseBase:
        """Do it."""
        sink = self.sink(request, sink_id, MANAGE)
        form = ReasonForm(request.POST)
        result, status = self.save(form, lambda values: self.write(request, sink, values["reason"]) or True)
        if result is None:
            return self._show(sink, form, status)
        messages.success(request, self.done.format(sink=sink.name))
        return redirect("event-sink", sink.pk)

    def write(self, request: HttpRequest, sink: Sink, reason: str) -> object:
        """What is done. Raises PlatformError."""
        raise NotImplementedError

    def _show(self, sink: Sink, form: forms.Form, status: int = 200) -> HttpResponse:
        context = {
            "title": f"{self.submit}: {sink.name}",
            "explanation": self.explanation,
            "consequences": self.consequences,
            "submit": self.submit,
            "cancel_url": reverse("event-sink", args=[sink.pk]),
            "danger": self.danger,
            "form": form,
        }
        return self.page(context, crumbs=sink_crumbs(sink, (self.submit, "")), status=status)


class SinkPauseView(QuestionPage):
    """Send nothing for now."""

    submit, done = "Pause", "Nothing is sent to {sink} until it is resumed."
    explanation = "Nothing is sent to this sink until somebody resumes it."
    consequences = ("What arrives meanwhile waits, for as long as the stream is kept.",)

    def write(self, request: HttpRequest, sink: Sink, reason: str) -> object:
        """Pause it."""
        return services.pause_sink(sink, reason=reason, acting_user=actor_of(request))


class LettersDiscardView(QuestionPage):
    """Give up what a sink did not take; `?letter=` names one."""

    submit, done = "Discard", "They will not be sent to {sink}."
    explanation = "Events that the sink did not take are given up for good: all that are open, or the one chosen."
    consequences = (
        "Predictions and feedback themselves stay on record; only this sink never hears of them.",
        "Where one is chosen, what waited behind it is sent.",
    )

    def write(self, request: HttpRequest, sink: Sink, reason: str) -> object:
        """Discard them."""
        return services.discard(sink, _chosen(request), reason=reason, acting_user=actor_of(request))


class SinkRemoveView(QuestionPage):
    """Remove a sink."""

    submit = "Remove"
    explanation = "The sink is removed with its dead letters. What was not sent yet is never sent there."

    def post(self, request: HttpRequest, sink_id: UUID) -> HttpResponseBase:
        """Remove it."""
        sink = self.sink(request, sink_id, MANAGE)
        services.remove_sink(sink, acting_user=actor_of(request))
        messages.success(request, f"The sink {sink.name} is removed.")
        return redirect(events_url(sink.home))


class ButtonPage(EventsPage):
    """Something that needs no question."""

    permissions = {"POST": MANAGE}

    def run(self, request: HttpRequest, sink: Sink, write: Callable[[], object], done: str) -> HttpResponseBase:
        """Do it and say so, or say why not."""
        try:
            write()
        except PlatformError as error:
            messages.error(request, f"{error.message} {error.remedy}")
        else:
            messages.success(request, done)
        return redirect("event-sink", sink.pk)


class SinkResumeView(ButtonPage):
    """Send again."""

    def post(self, request: HttpRequest, sink_id: UUID) -> HttpResponseBase:
        """Resume it."""
        sink = self.sink(request, sink_id, MANAGE)
        done = f"What waits is sent to {sink.name} now."
        return self.run(request, sink, lambda: services.resume_sink(sink, acting_user=actor_of(request)), done)


class SinkTestView(ButtonPage):
    """See whether a sink takes what it is sent."""

    def post(self, request: HttpRequest, sink_id: UUID) -> HttpResponseBase:
        """Send it a test event, and say what it answered."""
        sink = self.sink(request, sink_id, MANAGE)
        try:
            answer = send_test_event(sink, acting_user=actor_of(request))
        except PlatformError as error:
            messages.error(request, f"{error.message} {error.remedy}")
            return redirect("event-sink", sink.pk)
        if answer.is_taken:
            messages.success(request, f"{sink.name} has taken the test event. {answer.detail}")
        else:
            messages.error(
                request, f"{sink.name} has not taken the test event. {answer.detail} Check its address and its secret."
            )
        return redirect("event-sink", sink.pk)


class LettersResendView(ButtonPage):
    """Send what a sink did not take again; `?letter=` names one."""

    def post(self, request: HttpRequest, sink_id: UUID) -> HttpResponseBase:
        """Send it."""
        sink = self.sink(request, sink_id, MANAGE)
        letters = _chosen(request)
        return self.run(
            request,
            sink,
            lambda: services.send_again(sink, letters, acting_user=actor_of(request)),
            "They are sent again, in order.",
        )


def _chosen(request: HttpRequest) -> list[UUID] | None:
    given = request.GET.get("letter", "")
    if not given:
        return None
    try:
        return [UUID(given)]
    except ValueError:
        raise ValidationFailed(
            f"{given[:40]!r} names no dead letter.", remedy="Use the buttons of the sink's page.", field="letter"
        ) from None
