"""Pages: hosts, environments, workloads."""

from __future__ import annotations

from typing import ClassVar, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from modelwright.accounts.actors import actor_of
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.compute import selectors, services
from modelwright.compute.models import Workload
from modelwright.compute.rooms import free_rooms
from modelwright.compute.states import EnvironmentState, WorkloadState
from modelwright.core.api import SIGNED_IN
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import PlatformView


def person_of(request: HttpRequest) -> User:
    """The signed-in person of a page's request."""
    return cast(User, request.user)


class HostsView(PlatformView):
    """Hosts and what of them is free, and the sizes to ask for."""

    permissions = {"GET": SIGNED_IN}
    template = "compute/hosts.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Show all hosts with their free room."""
        hosts = list(selectors.hosts())
        rooms = free_rooms(hosts)
        rows = [(host, rooms[host.pk]) for host in hosts]
        may_manage = person_of(request).is_site_admin
        context = {"hosts": rows, "profiles": selectors.profiles(), "may_manage": may_manage}
        return self.page(context, crumbs=[("Hosts", "")])


class _HostStateView(PlatformView):
    permissions = {"POST": Permission.SITE_MANAGE}
    state: ClassVar[str]
    said: ClassVar[str]

    def post(self, request: HttpRequest, host_id: UUID) -> HttpResponseBase:
        """Set the state and go back to the list."""
        host = services.set_host_state(selectors.host(host_id), state=self.state, acting_user=actor_of(request))
        messages.success(request, self.said.format(host.name))
        return redirect("hosts")


class HostDrainView(_HostStateView):
    """Place nothing new on a host."""

    state = "draining"
    said = "Host {} takes no new workloads. What runs there goes on."


class HostActivateView(_HostStateView):
    """Place workloads on a host again."""

    state = "active"
    said = "Host {} takes workloads again."


class EnvironmentsView(PlatformView):
    """Environments."""

    permissions = {"GET": SIGNED_IN}
    template = "compute/environments.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List the locked environments."""
        columns = [
            Column("Lock", "lock", "lock_digest"),
            Column("Python", "python", "python_version"),
            Column("State", "state"),
            Column("Size", "size", "size_bytes", numeric=True),
            Column("Workloads that used it", "uses", numeric=True),
            Column("Built", "created", "created_at"),
        ]
        filters = [
            Filter("package", "Package in the lock", ("lock",)),
            Filter("state", "State", ("state",), EnvironmentState.choices),
        ]
        listing = Listing(
            selectors.environments(), request.GET, columns=columns, filters=filters, default_sort="-created"
        )
        return self.page({"listing": listing}, crumbs=[("Hosts", reverse("hosts")), ("Environments", "")])


class EnvironmentView(PlatformView):
    """One environment with its lock and the log of its build."""

    permissions = {"GET": SIGNED_IN, "POST": Permission.SITE_MANAGE}
    template = "compute/environment.html"

    def get(self, request: HttpRequest, environment_id: UUID) -> HttpResponseBase:
        """Show the environment."""
        environment = selectors.environment(environment_id)
        log = selectors.log_tail(environment.build, 400) if environment.build else ""
        context = {"environment": environment, "log": log, "may_manage": person_of(request).is_site_admin}
        crumbs = [("Hosts", reverse("hosts")), ("Environments", reverse("environments")), (str(environment), "")]
        return self.page(context, crumbs=crumbs)

    def post(self, request: HttpRequest, environment_id: UUID) -> HttpResponseBase:
        """Delete the environment's files."""
        environment = selectors.environment(environment_id)
        services.remove_environment(environment, acting_user=actor_of(request))
        messages.success(request, f"The files of environment {environment} are deleted.")
        return redirect("environment", environment_id=environment.pk)


class WorkloadsView(PlatformView):
    """All workloads of the installation, for administrators and auditors."""

    permissions = {"GET": Permission.AUDIT_READ}
    template = "compute/workloads.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List the workloads."""
        columns = [
            Column("Name", "name"),
            Column("Kind", "kind"),
            Column("State", "state"),
            Column("Host", "host", "host__name"),
            Column("CPUs", "cpu", numeric=True),
            Column("Memory", "memory", "memory_bytes", numeric=True),
            Column("Peak", "peak", "peak_memory_bytes", numeric=True),
            Column("Queued", "queued", "queued_at"),
            Column("By", "by", "created_by"),
        ]
        filters = [
            Filter("name", "Name", ("name",)),
            Filter("kind", "Kind", ("kind",), Workload.Kind.choices),
            Filter("state", "State", ("state",), WorkloadState.choices),
            Filter("host", "Host", ("host__name",)),
        ]
        workloads = selectors.workloads(person_of(request))
        listing = Listing(workloads, request.GET, columns=columns, filters=filters, default_sort="-queued")
        return self.page({"listing": listing}, crumbs=[("Hosts", reverse("hosts")), ("Workloads", "")])


class WorkloadView(PlatformView):
    """One workload with its log, for administrators and auditors."""

    permissions = {"GET": Permission.AUDIT_READ}
    template = "compute/workload.html"

    def get(self, request: HttpRequest, workload_id: UUID) -> HttpResponseBase:
        """Show the workload."""
        workload = selectors.workload(person_of(request), workload_id)
        text, offset, finished = selectors.read_log(workload)
        context = {"workload": workload, "log": text, "offset": offset, "finished": finished}
        crumbs = [("Hosts", reverse("hosts")), ("Workloads", reverse("workloads")), (workload.name, "")]
        return self.page(context, crumbs=crumbs)


class WorkloadLogView(PlatformView):
    """New lines of a workload's log."""

    permissions = {"GET": Permission.AUDIT_READ}

    def get(self, request: HttpRequest, workload_id: UUID) -> HttpResponseBase:
        """Answer the log from the byte `offset`."""
        return log_answer(request, selectors.workload(person_of(request), workload_id))


class WorkloadCancelView(PlatformView):
    """End a workload."""

    permissions = {"POST": Permission.SITE_MANAGE}

    def post(self, request: HttpRequest, workload_id: UUID) -> HttpResponseBase:
        """Ask the workload to end."""
        workload = services.cancel_by_administrator(workload_id, acting_user=actor_of(request))
        messages.success(request, f"{workload.name} is being ended.")
        return redirect("workload", workload_id=workload.pk)


def log_answer(request: HttpRequest, workload: Workload) -> JsonResponse:
    """What `static/js/live.js` polls: `{"text", "offset", "finished"}` from the request's `offset` on."""
    given = request.GET.get("offset", "")
    offset = int(given[:15]) if given.isascii() and given.isdigit() else 0
    text, next_offset, finished = selectors.read_log(workload, offset)
    return JsonResponse({"text": text, "offset": next_offset, "finished": finished})
