"""Pages: hosts, environments, workloads."""

from __future__ import annotations

from typing import Any, ClassVar, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from modelwright.accounts.actors import actor_of
from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.compute import selectors, services
from modelwright.compute.models import Host, Workload
from modelwright.compute.rooms import free_room, free_rooms, gpu_holders, usable_gpus
from modelwright.compute.states import EnvironmentState, HostState
from modelwright.core.api import SIGNED_IN
from modelwright.core.listing import Column, Filter, Listing
from modelwright.core.pages import PlatformView
from modelwright.core.text import plain


def person_of(request: HttpRequest) -> User:
    """The signed-in person of a page's request."""
    return cast(User, request.user)


class HostsView(PlatformView):
    """Hosts and what of them is free."""

    permissions = {"GET": SIGNED_IN}
    template = "compute/hosts.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """List the hosts with their free room."""
        columns = [
            Column("Host", "name"),
            Column("State", "state"),
            Column("CPUs free", "cpu", numeric=True),
            Column("Memory free", "memory", "memory_bytes", numeric=True),
            Column("GPUs free", numeric=True),
            Column("Live", "live", numeric=True),
            Column("Labels"),
            Column("Last heard from", "heard", "heartbeat_at"),
            Column("Actions", hidden_label=True),
        ]
        filters = [
            Filter("name", "Name", ("name",)),
            Filter("state", "State", ("state",), HostState.choices),
            Filter("label", "Label, as gpu=h100 or gpu", apply=selectors.hosts_labelled),
        ]
        listing = Listing(selectors.hosts(), request.GET, columns=columns, filters=filters, default_sort="name")
        rooms, now = free_rooms(listing.rows), timezone.now()
        rows = [
            (host, rooms[host.pk], len(usable_gpus(host)), (now - host.heartbeat_at).total_seconds())
            for host in listing.rows
        ]
        context = {"listing": listing, "hosts": rows, "may_manage": person_of(request).is_site_admin}
        return self.page(context, crumbs=[("Hosts", "")])


class HostView(PlatformView):
    """One host: what it has, who has it now, and which environments are there."""

    permissions = {"GET": SIGNED_IN}
    template = "compute/host.html"

    def get(self, request: HttpRequest, host_id: UUID) -> HttpResponseBase:
        """Show the host. Names of workloads are for administrators and auditors: they tell of projects."""
        host, person = selectors.host(host_id), person_of(request)
        sees_all = person.is_site_admin or person.is_auditor
        context = {
            "host": host,
            "room": free_room(host),
            "gpus": gpu_rows(host),
            "usable": len(usable_gpus(host)),
            "facts": host_facts(host),
            "live": selectors.live_on(host) if sees_all else None,
            "copies": selectors.copies_on(host),
            "sees_all": sees_all,
            "may_manage": person.is_site_admin,
        }
        return self.page(context, crumbs=[("Hosts", reverse("hosts")), (host.name, "")])


def gpu_rows(host: Host) -> list[dict[str, Any]]:
    """The host's GPUs with how busy they were when they were last read, and the workload that has each."""
    load = {each["index"]: each for each in host.facts.get("gpu_load", [])}
    holders = gpu_holders(host)
    return [{**gpu, **load.get(gpu["index"], {}), "holder": holders.get(gpu["index"])} for gpu in host.gpus]


def host_facts(host: Host) -> list[tuple[str, str]]:
    """What is known of the host besides its size."""
    names = {
        "system": "System",
        "python": "Python",
        "platform": "Modelwright",
        "engine": "Engine",
        "gpu_driver": "GPU driver",
        "cuda": "CUDA",
        "nvml": "NVML",
    }
    return [(label, str(host.facts[name])) for name, label in names.items() if host.facts.get(name)]


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
        context = {
            "environment": environment,
            "log": log,
            "copies": selectors.copies_of(environment),
            "may_manage": person_of(request).is_site_admin,
        }
        crumbs = [("Hosts", reverse("hosts")), ("Environments", reverse("environments")), (str(environment), "")]
        return self.page(context, crumbs=crumbs)

    def post(self, request: HttpRequest, environment_id: UUID) -> HttpResponseBase:
        """Delete the environment's files."""
        environment = selectors.environment(environment_id)
        services.remove_environment(environment, acting_user=actor_of(request))
        messages.success(request, f"The files of environment {environment} are deleted.")
        return redirect("environment", environment_id=environment.pk)


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
    return JsonResponse({"text": plain(text), "offset": next_offset, "finished": finished})
