"""Pages: replays of an endpoint, one with its report, and the records that change."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from models.endpoints.models import Endpoint
from models.endpoints.pages import EndpointPage, endpoint_crumbs
from models.endpoints.selectors import deployable_versions
from models.replays import selectors, services
from models.replays.forms import ReplayForm, ReplayPolicyForm
from models.replays.models import Replay, ReplayChange
from models.replays.policies import replay_policy, set_replay_policy
from models.replays.states import ReplayState
from models.replays.words import (
    answer_rows,
    latency_rows,
    report_tiles,
    segment_rows,
    selection_words,
    threshold_facts,
    truth_facts,
)
from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.accounts.views import person_of
from modelwright.core.errors import Conflict
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import Crumbs

SHOWN_SEGMENTS, SHOWN_CHANGES = 15, 10


class ReplayPage(EndpointPage):
    """A page about replays of an endpoint."""

    def crumbs(self, endpoint: Endpoint, *more: tuple[str, str]) -> Crumbs:
        """The way to it."""
        return endpoint_crumbs(endpoint, ("Replays", reverse("endpoint-replays", args=[endpoint.pk])), *more)


class ReplaysView(ReplayPage):
    """The replays of an endpoint."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "replays/replays.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """List them."""
        endpoint = self.endpoint(request, endpoint_id)
        columns = [
            Column("Started", "created", "created_at"),
            Column("Candidate", "candidate", ("candidate__model__name", "candidate__number")),
            Column("Outcome", "state"),
            Column("Records", numeric=True),
            Column("Answered otherwise", numeric=True),
            Column("By", "by", "requested_by"),
        ]
        filters = [
            Filter("q", "Model or person", ("candidate__model__name", "requested_by")),
            Filter("state", "Outcome", ("state",), ReplayState.choices),
            Filter("since", "Since", ("created_at",), kind="date"),
        ]
        found = selectors.replays_of(endpoint)
        listing = Listing(found, request.GET, columns=columns, filters=filters, default_sort="-created")
        context = {
            **self.may(request, endpoint.project),
            "endpoint": endpoint,
            "listing": listing,
            "thresholds": threshold_facts(replay_policy(endpoint)),
        }
        return self.page(context, crumbs=endpoint_crumbs(endpoint, ("Replays", "")))


class ReplayStartView(ReplayPage):
    """Start a replay."""

    permissions = {"GET": Permission.ENDPOINT_DEPLOY, "POST": Permission.ENDPOINT_DEPLOY}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the form; `?version=` chooses one."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_DEPLOY)
        form = self._form(endpoint, initial={"model_version": request.GET.get("version", "")[:36]})
        return self._show(endpoint, form)

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Start it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_DEPLOY)
        form = self._form(endpoint, request.POST)

        def write(values: dict[str, Any]) -> Replay:
            version = deployable_versions(endpoint).get(pk=values["model_version"])
            return services.start_replay(endpoint, version, requests=values["requests"], acting_user=actor_of(request))

        made, status = self.save(form, write)
        if made is None:
            return self._show(endpoint, form, status)
        messages.success(request, f"{made.selection['requests']:,} requests are being replayed.")
        return redirect("replay", made.pk)

    @staticmethod
    def _form(endpoint: Endpoint, *args: Any, **kwargs: Any) -> ReplayForm:
        versions = list(deployable_versions(endpoint)[:200])
        if not versions:
            raise Conflict(
                "The project has no version that is ready.",
                remedy="Register a model from a run and wait until it is ready.",
            )
        return ReplayForm(versions, *args, **kwargs)

    def _show(self, endpoint: Endpoint, form: ReplayForm, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": f"Replay the requests of {endpoint.name}",
            "submit": "Replay",
            "intro": "The newest requests on record are asked of a candidate, off the path of requests, and compared "
            "with what was answered.",
            "cancel_url": reverse("endpoint-replays", args=[endpoint.pk]),
        }
        return self.page(context, crumbs=self.crumbs(endpoint, ("New replay", "")), status=status)


class ReplayPolicyView(ReplayPage):
    """Change what replays must come to."""

    permissions = {"GET": Permission.ENDPOINT_MANAGE, "POST": Permission.ENDPOINT_MANAGE}
    template = "components/form_page.html"

    def get(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Show the form."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        return self._show(endpoint, ReplayPolicyForm(initial=ReplayPolicyForm.shown(replay_policy(endpoint))))

    def post(self, request: HttpRequest, endpoint_id: UUID) -> HttpResponseBase:
        """Change it."""
        endpoint = self.endpoint(request, endpoint_id, Permission.ENDPOINT_MANAGE)
        form = ReplayPolicyForm(request.POST)
        done, status = self.save(
            form, lambda _: set_replay_policy(endpoint, form.values(), acting_user=actor_of(request))
        )
        if done is None:
            return self._show(endpoint, form, status)
        messages.success(request, "Replays from now on must come to this.")
        return redirect("endpoint-replays", endpoint.pk)

    def _show(self, endpoint: Endpoint, form: ReplayPolicyForm, status: int = 200) -> HttpResponse:
        context = {
            "form": form,
            "title": f"What replays of {endpoint.name} must come to",
            "submit": "Save",
            "intro": "A replay that does not come to this fails, and so does the candidate's check.",
            "cancel_url": reverse("endpoint-replays", args=[endpoint.pk]),
        }
        return self.page(context, crumbs=self.crumbs(endpoint, ("Thresholds", "")), status=status)


class ReplayView(ReplayPage):
    """A replay: how far it is, and what came of it."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "replays/replay.html"

    def get(self, request: HttpRequest, replay_id: UUID) -> HttpResponseBase:
        """Show it."""
        replay = selectors.get_replay(person_of(request), replay_id)
        crumbs = self.crumbs(replay.endpoint, (f"Replay of {replay.candidate}", ""))
        return self.page({**self.may(request, replay.endpoint.project), **_shown(replay)}, crumbs=crumbs)


class ReplayCancelView(ReplayPage):
    """End a replay before its time."""

    permissions = {"POST": Permission.ENDPOINT_DEPLOY}

    def post(self, request: HttpRequest, replay_id: UUID) -> HttpResponseBase:
        """Cancel it."""
        replay = selectors.get_replay(person_of(request), replay_id)
        services.cancel(replay, acting_user=actor_of(request))
        messages.success(request, "The replay is cancelled.")
        return redirect("replay", replay.pk)


class ReplayStateView(ReplayPage):
    """The part of a replay's page that follows it."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "replays/_replay_state.html"

    def get(self, request: HttpRequest, replay_id: UUID) -> HttpResponseBase:
        """Answer the fragment; when the replay is over, the whole page is new."""
        replay = selectors.get_replay(person_of(request), replay_id)
        response = self.page({"replay": replay})
        if not replay.is_under_way:
            response.headers["HX-Refresh"] = "true"
        return response


def _shown(replay: Replay) -> dict[str, Any]:
    report = replay.report or {}
    return {
        "replay": replay,
        "endpoint": replay.endpoint,
        "report": report,
        "tiles": report_tiles(replay) if report else [],
        "latency": latency_rows(report),
        "thresholds": threshold_facts(replay),
        "selection": selection_words(replay),
        "answers": answer_rows(report),
        "truth": truth_facts(report),
        "segments": segment_rows(report, SHOWN_SEGMENTS),
        "changes": selectors.changes_of(replay)[:SHOWN_CHANGES],
    }


class ReplayChangesView(ReplayPage):
    """The records that get another answer, or none."""

    permissions = {"GET": Permission.PROJECT_VIEW}
    template = "replays/changes.html"

    def get(self, request: HttpRequest, replay_id: UUID) -> HttpResponseBase:
        """List them; `?column=` and `?segment=` show those of one segment."""
        replay = selectors.get_replay(person_of(request), replay_id)
        column, segment = (str(request.GET.get(name, "")).replace("\0", "")[:500] for name in ("column", "segment"))
        columns = [
            Column("Prediction"),
            Column("Record", "record", numeric=True),
            Column("Was answered"),
            Column("Candidate answers"),
            Column("Truth", "verdict"),
        ]
        filters = [
            Filter(
                "what",
                "What",
                choices=(("flip", "Answered otherwise"), ("error", "Not answered")),
                apply=lambda found, value: found.filter(error="") if value == "flip" else found.exclude(error=""),
            ),
            Filter("verdict", "Truth", ("verdict",), ReplayChange.Verdict.choices),
            Filter("column", "Column", apply=lambda found, _: found, rare=True),
            Filter("segment", "Segment", apply=lambda found, _: found, rare=True),
        ]
        found = selectors.changes_of(replay, column=column, segment=segment)
        listing = Listing(found, request.GET, columns=columns, filters=filters, default_sort="id")
        report = f"Replay of {replay.candidate}"
        crumbs = self.crumbs(replay.endpoint, (report, reverse("replay", args=[replay.pk])), ("Changes", ""))
        context = {"replay": replay, "listing": listing, "column": column, "segment": segment}
        return self.page(context, crumbs=crumbs)
