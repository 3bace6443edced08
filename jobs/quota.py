"""Which sizes the runs of a workspace may ask for."""

from __future__ import annotations

from modelwright.compute.models import ResourceProfile
from modelwright.core.errors import QuotaExceeded
from workspaces.models import Workspace
from workspaces.selectors import MIB, allowed_profiles, quota


def check_quota(workspace: Workspace, size: ResourceProfile) -> None:
    """Raise QuotaExceeded for a size that the workspace may not use, or that is larger than its limits alone.

    What fits the limits but not beside what runs already is queued: placement lets it wait and says so.
    """
    if workspace.profiles and size.name not in workspace.profiles:
        names = ", ".join(allowed_profiles(workspace).values_list("name", flat=True)) or "none that there is any more"
        raise QuotaExceeded(
            f"The workspace {workspace.name} may not use the size {size.name}.",
            remedy=f"Choose one of: {names}. An administrator of the installation can allow more.",
            field="profile",
        )
    limits = quota(workspace)
    if limits.cpu is not None and size.cpu > limits.cpu:
        _refuse(workspace, size, f"{size.cpu:g} CPUs", f"{limits.cpu:g}")
    if limits.memory_mib is not None and size.memory_bytes > limits.memory_mib * MIB:
        _refuse(workspace, size, f"{size.memory_bytes // MIB} MiB", f"{limits.memory_mib}")
    if limits.gpus is not None and size.gpus > limits.gpus:
        _refuse(workspace, size, f"{size.gpus} GPUs", f"{limits.gpus}")


def _refuse(workspace: Workspace, size: ResourceProfile, asked: str, limit: str) -> None:
    raise QuotaExceeded(
        f"The size {size.name} is {asked}, and the workspace {workspace.name} may use {limit} in all.",
        remedy="Choose a smaller size, or ask an administrator of the installation for a higher limit.",
        field="profile",
    )
