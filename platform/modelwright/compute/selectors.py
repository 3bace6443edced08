"""What may be seen of hosts, environments and workloads, and how much of a host is free."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from modelwright.accounts.models import User
from modelwright.accounts.permissions import Permission
from modelwright.accounts.selectors import require_site
from modelwright.compute.labels import parse_labels
from modelwright.compute.logs import log_tail as log_tail
from modelwright.compute.logs import read_log as read_log
from modelwright.compute.models import (
    Environment,
    EnvironmentCopy,
    EnvironmentRequest,
    Host,
    ResourceProfile,
    Workload,
)
from modelwright.compute.states import ENDS, LIVE_ON_HOST
from modelwright.core.errors import NotFound

# With the time of looking, whatever ran on a host that is cut off is lost within a minute.
HEARTBEAT_LIMIT = timedelta(seconds=45)


def hosts() -> QuerySet[Host]:
    """All hosts with the number of their live workloads (`live`); every signed-in person may know them."""
    live = Count("workloads", filter=Q(workloads__state__in=LIVE_ON_HOST))
    return Host.objects.annotate(live=live).order_by("name")


def hosts_labelled(hosts: QuerySet[Host], text: str) -> QuerySet[Host]:
    """Those of the hosts that have all the labels in `text`: `gpu=h100,zone=a`; `gpu` alone is any value."""
    for name, value in parse_labels(text).items():
        hosts = hosts.filter(labels__contains={name: value}) if value else hosts.filter(labels__has_key=name)
    return hosts


def live_on(host: Host) -> QuerySet[Workload]:
    """What is placed on the host or runs there, oldest first. For administrators and auditors."""
    live = Workload.objects.filter(host=host, state__in=LIVE_ON_HOST)
    return live.defer("spec", "secrets").order_by("placed_at")


def copies_on(host: Host) -> QuerySet[EnvironmentCopy]:
    """The environments that the host has, makes or failed to make, newest first."""
    copies = EnvironmentCopy.objects.filter(host=host).exclude(state="removed")
    return copies.select_related("environment", "workload").defer("environment__lock", "workload__spec").order_by("-id")


def copies_of(environment: Environment) -> QuerySet[EnvironmentCopy]:
    """The hosts that have the environment, make it or failed to, by name."""
    copies = EnvironmentCopy.objects.filter(environment=environment).exclude(state="removed")
    return copies.select_related("host", "workload").defer("workload__spec").order_by("host__name")


def host(host_id: UUID) -> Host:
    """Raises NotFound."""
    found = hosts().filter(pk=host_id).first()
    if found is None:
        raise NotFound("There is no such host.", remedy="See the list of hosts.")
    return found


def profiles() -> QuerySet[ResourceProfile]:
    """All sizes, smallest first; every signed-in person may know them."""
    return ResourceProfile.objects.order_by("memory_bytes", "cpu")


def profile_by_id(profile_id: UUID) -> ResourceProfile:
    """Raises NotFound."""
    found = ResourceProfile.objects.filter(pk=profile_id).first()
    if found is None:
        raise NotFound("There is no such size.", remedy="See the list of sizes.")
    return found


def profile(name: str) -> ResourceProfile:
    """The size called `name`. Raises NotFound, which lists the sizes that there are."""
    found = ResourceProfile.objects.filter(name=name).first()
    if found is None:
        names = ", ".join(profiles().values_list("name", flat=True))
        raise NotFound(f"There is no size called {name!r}.", remedy=f"Choose one of: {names}.")
    return found


def environments() -> QuerySet[Environment]:
    """All environments, newest first, with the number of workloads that used them (`uses`).

    A lock names public packages and nothing of a project, so every signed-in person may see it.
    """
    return Environment.objects.annotate(uses=Count("workloads")).select_related("build").order_by("-id")


def environment(environment_id: UUID) -> Environment:
    """Raises NotFound."""
    found = environments().filter(pk=environment_id).first()
    if found is None:
        raise NotFound("There is no such environment.", remedy="See the list of environments.")
    return found


def environment_request(request_id: UUID) -> EnvironmentRequest | None:
    """For upper rooms, which scope by what they attach it to."""
    return EnvironmentRequest.objects.select_related("environment", "workload").filter(pk=request_id).first()


def workloads(viewer: User) -> QuerySet[Workload]:
    """All workloads of the installation, newest first. Raises PermissionRefused unless the viewer has a site role.

    People see workloads through the run, endpoint or version that they belong to.
    """
    require_site(viewer, Permission.AUDIT_READ)
    return Workload.objects.select_related("host", "environment").order_by("-id")


def workload(viewer: User, workload_id: UUID) -> Workload:
    """Raises NotFound, and PermissionRefused unless the viewer has a site role."""
    found = workloads(viewer).filter(pk=workload_id).first()
    if found is None:
        raise NotFound("There is no such workload.", remedy="See the list of workloads.")
    return found


def uncollected(kind: str) -> QuerySet[Workload]:
    """Ended workloads of the kind that are to be collected, oldest first.

    Their hosts have handed in what they left, or there is nothing to wait for: they were never placed, or the host is
    gone.
    """
    no_more = Q(handed_in_at__isnull=False) | Q(host=None) | Q(host__state__in=("offline", "removed"))
    return (
        Workload.objects.filter(no_more, kind=kind, state__in=ENDS, collected_at=None)
        .select_related("host", "environment")
        .order_by("finished_at")
    )


def silent_hosts() -> QuerySet[Host]:
    """Hosts that should be heard from and were not for too long, by the database's clock."""
    heard = Host.objects.exclude(state__in=("offline", "removed"))
    return heard.filter(heartbeat_at__lt=Now() - HEARTBEAT_LIMIT)
