"""What a workspace may use at once."""

from __future__ import annotations

from django.db.models import Count, Q, Sum

from modelwright.compute.models import ResourceProfile, Workload
from modelwright.compute.states import ENDS
from modelwright.core.errors import QuotaExceeded
from workspaces.models import Workspace
from workspaces.selectors import quota

MIB = 1024**2


def check_quota(workspace: Workspace, size: ResourceProfile) -> None:
    """Raise QuotaExceeded where one more run of this size would go over a limit of the workspace.

    What waits counts like what runs: it was promised the place. The workspace's row stays locked until the caller
    commits, so that two starts at once cannot both take the last place. Without limits nothing is asked or locked.
    """
    limits = quota(workspace)
    if limits.cpu is None and limits.memory_mib is None and limits.concurrent_runs is None:
        return
    Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)
    used = (
        Workload.objects.filter(workspace_id=workspace.pk)
        .exclude(state__in=ENDS)
        .aggregate(runs=Count("pk", Q(kind=Workload.Kind.RUN)), cpu=Sum("cpu"), memory=Sum("memory_bytes"))
    )
    if limits.concurrent_runs is not None and used["runs"] >= limits.concurrent_runs:
        _refuse(workspace, f"{used['runs']} runs are waiting or running, and {limits.concurrent_runs} may")
    if limits.cpu is not None and (used["cpu"] or 0) + size.cpu > limits.cpu:
        _refuse(
            workspace,
            f"{used['cpu'] or 0:g} CPUs are in use and the run asks for {size.cpu:g} of {limits.cpu:g} in all",
        )
    if limits.memory_mib is not None and (used["memory"] or 0) + size.memory_bytes > limits.memory_mib * MIB:
        _refuse(
            workspace,
            f"{(used['memory'] or 0) // MIB} MiB are in use and the run asks for {size.memory_bytes // MIB} of "
            f"{limits.memory_mib} in all",
        )


def _refuse(workspace: Workspace, why: str) -> None:
    raise QuotaExceeded(
        f"The workspace {workspace.name} is at its limit: {why}.",
        remedy="Wait for a run to end, cancel one, or ask an administrator of the installation for a higher limit.",
    )
