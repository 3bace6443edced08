"""Pages: how to add a host, tokens to join with, removing a host."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from modelwright.accounts.actors import actor_of
from modelwright.accounts.permissions import Permission
from modelwright.compute import joining_selectors, selectors, services
from modelwright.compute.joining_command import join_command
from modelwright.compute.joining_forms import JoinTokenForm, RemovalForm
from modelwright.compute.joining_selectors import TOKEN_STATES
from modelwright.compute.models import Host
from modelwright.compute.reachable import obstacles
from modelwright.compute.views import person_of
from modelwright.core.errors import PlatformError
from modelwright.core.forms import show_problem
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import PlatformView

SHOWN = 20


@method_decorator(never_cache, name="dispatch")
class HostAddView(PlatformView):
    """Add a host: make a token and show the command that uses it."""

    permissions = {"GET": Permission.SITE_MANAGE, "POST": Permission.SITE_MANAGE}
    template = "compute/host_add.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show the form, or what must be done first."""
        joining_selectors.join_tokens(person_of(request))
        found = obstacles()
        return self._show({"obstacles": found} if found else {"form": JoinTokenForm()})

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Make the token and show it this once."""
        joining_selectors.join_tokens(person_of(request))
        form = JoinTokenForm(request.POST)
        if not form.is_valid():
            return self._show({"form": form}, 422)
        try:
            token, text = services.create_join_token(**form.cleaned_data, acting_user=actor_of(request))
        except PlatformError as error:
            show_problem(form, error)
            return self._show({"form": form}, error.status)
        return self._show({"token": token, "command": join_command(text)})

    def _show(self, context: dict[str, object], status: int = 200) -> HttpResponse:
        crumbs = [("Hosts", reverse("hosts")), ("Add a host", "")]
        return self.page({**context, "cancel_url": reverse("hosts")}, crumbs=crumbs, status=status)


class JoinTokensView(PlatformView):
    """Tokens to join with."""

    permissions = {"GET": Permission.SITE_MANAGE}
    template = "compute/join_tokens.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List them."""
        columns = [
            Column("Made", "made", "created_at"),
            Column("By", "by", "created_by"),
            Column("State", "state"),
            Column("Labels"),
            Column("Good until", "expires", "expires_at"),
            Column("Host", "host", "host__name"),
            Column("Actions", hidden_label=True),
        ]
        filters = [Filter("by", "Made by", ("created_by",)), Filter("state", "State", ("state",), TOKEN_STATES)]
        tokens = joining_selectors.join_tokens(person_of(request))
        listing = Listing(tokens, request.GET, columns=columns, filters=filters, default_sort="-made")
        return self.page({"listing": listing}, crumbs=[("Hosts", reverse("hosts")), ("Tokens", "")])


class JoinTokenRevokeView(PlatformView):
    """Take a token back."""

    permissions = {"POST": Permission.SITE_MANAGE}

    def post(self, request: HttpRequest, join_token_id: UUID) -> HttpResponseBase:
        """Revoke it and go back to the list."""
        token = joining_selectors.join_token(person_of(request), join_token_id)
        services.revoke_join_token(token, acting_user=actor_of(request))
        messages.success(request, "Nobody can join with that token any more.")
        return redirect("join-tokens")


class HostRemoveView(PlatformView):
    """Remove a host."""

    permissions = {"GET": Permission.SITE_MANAGE, "POST": Permission.SITE_MANAGE}
    template = "components/confirm_page.html"

    def get(self, request: HttpRequest, host_id: UUID) -> HttpResponseBase:
        """Say what it will do."""
        return self._show(request, selectors.host(host_id))

    def post(self, request: HttpRequest, host_id: UUID) -> HttpResponseBase:
        """Remove it."""
        host = selectors.host(host_id)
        form = RemovalForm(request.POST)
        form.is_valid()
        try:
            services.remove_host(host, **form.cleaned_data, acting_user=actor_of(request))
        except PlatformError as error:
            show_problem(form, error)
            return self._show(request, host, form, error.status)
        messages.success(request, f"Host {host.name} is removed. To use the machine again, let it join again.")
        return redirect("hosts")

    def _show(
        self, request: HttpRequest, host: Host, form: RemovalForm | None = None, status: int = 200
    ) -> HttpResponse:
        live = list(joining_selectors.live_on(person_of(request), host))
        names = [f"{each.name} ({each.get_state_display().lower()}) will be lost." for each in live[:SHOWN]]
        more = [f"So will {len(live) - SHOWN} more."] if len(live) > SHOWN else []
        context = {
            "title": f"Remove host {host.name}",
            "explanation": "It takes no more workloads and its access to the database ends. Its name stays on record.",
            "consequences": [*names, *more, "To use the machine again, it joins again with a new token."],
            "submit": "Remove the host",
            "cancel_url": reverse("hosts"),
            "danger": True,
            "form": form or (RemovalForm() if live else None),
        }
        return self.page(context, crumbs=[("Hosts", reverse("hosts")), (f"Remove {host.name}", "")], status=status)
